//! Why the code of an `/init` holds nothing that may run here.

use core::fmt;

/// Why the code of an `/init` holds nothing that may run here. The text tells the action's developer what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeError {
    /// The code is not base64.
    Base64,
}

impl CodeError {
    /// True if the request itself is malformed, rather than the action that it carries.
    pub fn is_malformed_request(self) -> bool {
        matches!(self, CodeError::Base64)
    }
}

impl fmt::Display for CodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CodeError::Base64 => "the code is not base64",
        })
    }
}

impl core::error::Error for CodeError {}
