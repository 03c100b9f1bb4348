//! From the input's bytes to the answer's bytes: all that the three ABIs have in common.
//!
//! Enters: the JSON text of the activation's `value`. Leaves: the JSON text of the answer. A failure of any kind is an
//! answer too: `{"error": "…"}` is how OpenWhisk tells an action that failed in an orderly way (an *application error*)
//! from one that crashed. Nothing here knows how bytes come into the guest or leave it.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Display;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::read;

/// An action as the ABIs see it: from input to result, or to the words of a failure.
pub trait Action: FnOnce(&[u8]) -> Result<Vec<u8>, String> {}

impl<F: FnOnce(&[u8]) -> Result<Vec<u8>, String>> Action for F {}

/// An action that takes and gives what serde can read and write.
pub fn typed<I, O, E>(action: impl FnOnce(I) -> Result<O, E>) -> impl Action
where
    I: DeserializeOwned,
    O: Serialize,
    E: Display,
{
    |input: &[u8]| {
        let input = read::from_slice(input)?;
        let result = action(input).map_err(|error| error.to_string())?;
        // Only a type that JSON has no form for gets here: the wording is not worth its kilobyte in every action.
        serde_json::to_vec(&result).map_err(|_| "The result cannot be written as JSON".into())
    }
}

/// An action that takes and gives the JSON text itself.
pub fn bytes<E: Display>(action: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>) -> impl Action {
    |input: &[u8]| action(input).map_err(|error| error.to_string())
}

/// The answer of ABIs 1 and 3: the result, or `{"error": …}`.
#[cfg(any(test, not(all(feature = "wow", target_os = "wasi"))))]
pub fn plain(result: Result<Vec<u8>, String>) -> Vec<u8> {
    result.unwrap_or_else(|message| failure(&message))
}

/// The answer of ABI 2: a Rust `Result` as serde writes it.
#[cfg(any(test, all(feature = "wow", target_os = "wasi")))]
pub fn enveloped(result: Result<Vec<u8>, String>) -> Vec<u8> {
    match result {
        Ok(result) => [br#"{"Ok":"#, result.as_slice(), b"}"].concat(),
        Err(message) => [br#"{"Err":"#, failure(&message).as_slice(), b"}"].concat(),
    }
}

fn failure(message: &str) -> Vec<u8> {
    let message = serde_json::to_vec(message).unwrap_or_else(|_| br#""""#.to_vec()); // a string can always be written
    [br#"{"error":"#, message.as_slice(), b"}"].concat()
}

#[cfg(test)]
mod tests;
