//! Base64 in place.

use crate::CodeError;

/// Decode `code`, the content of a JSON string, to the front of the same slice. Returns the decoded length.
///
/// # Errors
/// [`CodeError::Base64`] if it is not base64 of the standard alphabet, with padding. What `code` then holds is unspecified.
pub fn decode_base64(code: &mut [u8]) -> Result<usize, CodeError> {
    let _ = code;
    Err(CodeError::Base64)
}
