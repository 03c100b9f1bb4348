//! A WASI command: the input as the first argument and on standard input, the answer as the last line of standard output.

use core::ffi::CStr;

use executor_wasi::Host;

use super::Guest;
use crate::runtime::RunError;
use crate::wamr::finished::Answer;
use crate::wamr::raw::Function;

/// Runs the command.
pub const START: &CStr = c"_start";

/// `argv[0]`.
const PROGRAM: &[u8] = b"action";

/// The longest argument that Linux takes (`MAX_ARG_STRLEN` without its NUL), which bounds what a command can expect.
/// A longer input is on standard input only.
const ARGUMENT_MAX_BYTES: usize = 131_071;

pub fn arguments(value: &[u8]) -> heapless::Vec<&[u8], 2> {
    let value = (value.len() <= ARGUMENT_MAX_BYTES).then_some(value);
    [PROGRAM].into_iter().chain(value).collect()
}

/// A module of the lean ABI may import WASI's functions, and gets a program's name from them.
pub fn lean_arguments<'a>() -> heapless::Vec<&'a [u8], 2> {
    heapless::Vec::from_iter([PROGRAM])
}

pub fn run<H: Host>(guest: &mut Guest<'_, '_, H>, start: Function) -> Result<Answer, RunError> {
    guest.start(start)?;
    Ok(Answer::LastLine)
}
