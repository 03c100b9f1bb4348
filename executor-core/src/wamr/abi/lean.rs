//! Our ABI: `ow_allocate(len) -> address`, `ow_run(address, len) -> address << 32 | len`.

use core::ffi::CStr;

use executor_wasi::Host;

use super::Guest;
use crate::runtime::RunError;
use crate::wamr::finished::Answer;
use crate::wamr::raw::Function;

/// Makes room for the input.
pub const ALLOCATE: &CStr = c"ow_allocate";
/// Runs the action.
pub const RUN: &CStr = c"ow_run";

/// Two calls and one copy.
pub fn run<H: Host>(
    guest: &mut Guest<'_, '_, H>,
    allocate: Function,
    main: Function,
    value: &[u8],
) -> Result<Answer, RunError> {
    let len = u32::try_from(value.len()).map_err(|_| RunError::InputTooLong)?;
    let [address, _] = guest.call(allocate, [len, 0])?;
    if address == 0 {
        return Err(RunError::OutOfMemory);
    }
    guest.write(address, value)?;
    // A 64-bit result comes in two cells, the lower half first.
    let [len, address] = guest.call(main, [address, len])?;
    if len == 0 {
        return Err(RunError::NoAnswer);
    }
    guest.answer(address, len, 0).map(Answer::Memory)
}
