//! The optional import `http.get`: the one way to the network that an executor may supply.

use core::fmt;

/// `http.get` did not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpError {
    /// The executor returned this negative number: the action has no network access, or the request failed.
    Refused(i32),
    /// This build has no executor around it.
    Absent,
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HttpError::Refused(code) => write!(f, "The executor refused http.get ({code})"),
            HttpError::Absent => f.write_str("There is no http.get outside an executor"),
        }
    }
}

impl core::error::Error for HttpError {}

/// Send the request that the executor has for the action, and wait for its end. Gives the executor's number, not negative.
///
/// # Errors
/// [`HttpError`]: the executor says no, or there is none.
pub fn get() -> Result<i32, HttpError> {
    match imported() {
        Some(code @ 0..) => Ok(code),
        Some(code) => Err(HttpError::Refused(code)),
        None => Err(HttpError::Absent),
    }
}

#[cfg(target_family = "wasm")]
fn imported() -> Option<i32> {
    #[link(wasm_import_module = "http")]
    // SAFETY: WOW's ABI: `http.get` takes nothing and gives an i32; it does not touch the guest's memory.
    unsafe extern "C" {
        safe fn get() -> i32;
    }
    Some(get())
}

#[cfg(not(target_family = "wasm"))]
fn imported() -> Option<i32> {
    None
}
