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

/// Written if even an error cannot be written, which needs a result whose `Serialize` fails for strings.
const UNWRITABLE: &[u8] = br#"{"error":"The action's result cannot be written as JSON."}"#;

/// The members of an answer that says what went wrong.
#[derive(Debug)]
pub struct Failure {
    error: String,
}

impl Failure {
    fn new(error: impl Display) -> Self {
        Self {
            error: error.to_string(),
        }
    }

    #[cfg(any(test, not(all(feature = "wow", target_os = "wasi"))))]
    fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_else(|_| UNWRITABLE.to_vec())
    }
}

// By hand: the derive macro would be the only reason to build its crates for every action.
impl Serialize for Failure {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("error", &self.error)?;
        map.end()
    }
}

/// Run `action` on `input`: the answer of ABIs 1 and 3.
#[cfg(any(test, not(all(feature = "wow", target_os = "wasi"))))]
pub fn answer<I, O, E>(action: impl FnOnce(I) -> Result<O, E>, input: &[u8]) -> Vec<u8>
where
    I: DeserializeOwned,
    O: Serialize,
    E: Display,
{
    run(action, input)
        .and_then(|result| serde_json::to_vec(&result).map_err(Failure::new))
        .unwrap_or_else(|failure| failure.to_json())
}

/// Run `action` on `input`: the answer of ABI 2, a Rust `Result` as serde writes it.
#[cfg(any(test, all(feature = "wow", target_os = "wasi")))]
pub fn answer_in_envelope<I, O, E>(action: impl FnOnce(I) -> Result<O, E>, input: &[u8]) -> Vec<u8>
where
    I: DeserializeOwned,
    O: Serialize,
    E: Display,
{
    envelope(&run(action, input)).unwrap_or_else(|failure| {
        envelope::<()>(&Err(failure)).unwrap_or_else(|_| [br#"{"Err":"#, UNWRITABLE, b"}"].concat())
    })
}

fn run<I, O, E>(action: impl FnOnce(I) -> Result<O, E>, input: &[u8]) -> Result<O, Failure>
where
    I: DeserializeOwned,
    E: Display,
{
    let input = serde_json::from_slice(input).map_err(Failure::new)?;
    action(input).map_err(Failure::new)
}

#[cfg(any(test, all(feature = "wow", target_os = "wasi")))]
fn envelope<O: Serialize>(result: &Result<O, Failure>) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(result).map_err(Failure::new)
}

#[cfg(test)]
mod tests;
