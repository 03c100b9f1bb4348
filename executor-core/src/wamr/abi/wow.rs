//! WOW's ABI, so that its actions run unchanged: the guest owns a buffer, which holds the input before `_start` and the
//! answer after it, as `{"Ok":value}` or `{"Err":value}`.

use core::ffi::CStr;
use core::fmt::Write;
use core::ops::Range;

use executor_wasi::Host;

use super::Guest;
use crate::json::{self, Value};
use crate::limits::RESULT_MAX_BYTES;
use crate::runtime::RunError;
use crate::wamr::finished::Answer;
use crate::wamr::raw::Function;

/// Makes room in the buffer.
pub const ALLOCATE: &CStr = c"wasm_memory_buffer_allocate_space";
/// Tells where the buffer is.
pub const POINTER: &CStr = c"get_wasm_memory_buffer_pointer";
/// Tells how much the buffer holds.
pub const LENGTH: &CStr = c"get_wasm_memory_buffer_len";

/// `{"Err":}`, with some white space.
const ENVELOPE_BYTES: usize = 64;

/// The only argument: the input's length, in decimal.
pub fn arguments<'a>(value: &[u8], digits: &'a mut heapless::String<20>) -> heapless::Vec<&'a [u8], 2> {
    // 20 digits hold any length.
    let _ = write!(digits, "{}", value.len());
    heapless::Vec::from_iter([digits.as_bytes()])
}

/// Five calls and one copy.
pub fn run<H: Host>(
    guest: &mut Guest<'_, '_, H>,
    allocate: Function,
    pointer: Function,
    length: Function,
    start: Function,
    value: &[u8],
) -> Result<Answer, RunError> {
    let len = u32::try_from(value.len()).map_err(|_| RunError::InputTooLong)?;
    guest.call(allocate, [len, 0])?;
    let [address, _] = guest.call(pointer, [0; 2])?;
    guest.write(address, value)?;
    guest.start(start)?;
    let [address, _] = guest.call(pointer, [0; 2])?;
    let [len, _] = guest.call(length, [0; 2])?;
    let range = guest.answer(address, len, ENVELOPE_BYTES)?;
    let text = guest.instance.memory().get(range.clone()).ok_or(RunError::BadAnswer)?;
    let inner = unwrap(text)?;
    if inner.len() > RESULT_MAX_BYTES {
        return Err(RunError::AnswerTooLong);
    }
    Ok(Answer::Memory(range.start + inner.start..range.start + inner.end))
}

/// Where the value lies in `{"Ok":value}` or `{"Err":value}`. A scalar is no answer: OpenWhisk knows objects and arrays.
fn unwrap(text: &[u8]) -> Result<Range<usize>, RunError> {
    let Ok(Value::Object(result)) = json::parse(text) else {
        return Err(RunError::BadAnswer);
    };
    let mut members = result.members();
    match (members.next(), members.next()) {
        (Some((key, value)), None) if key.is("Ok") || key.is("Err") => match value {
            Value::Object(object) => Ok(object.span()),
            Value::Array(array) => Ok(array.span()),
            _ => Err(RunError::NoAnswer),
        },
        _ => Err(RunError::BadAnswer),
    }
}
