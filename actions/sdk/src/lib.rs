//! Actions for OpenWhisk, compiled to WebAssembly.
//!
//! An action is a function from JSON to JSON. This crate puts it behind one of the guest ABIs that the executor speaks
//! (`actions/ABI.md`), with one line:
//!
//! ```
//! # #![cfg_attr(any(target_os = "unknown", target_os = "none"), no_std, no_main)]
//! use openwhisk_action::{Value, json};
//!
//! openwhisk_action::main!(hello);
//!
//! fn hello(input: Value) -> Result<Value, &'static str> {
//!     let name = input["name"].as_str().ok_or("Expected name to be a string")?;
//!     Ok(json!({ "greeting": format!("Hello, {name}!") }))
//! }
//! ```
//!
//! The input may be any type that serde can read, the result any that it can write, the error any that can be displayed.
//! `Err(e)` becomes the answer `{"error": "e"}`: OpenWhisk records an application error and keeps the container warm. A
//! panic is a trap: OpenWhisk records a developer error.
//!
//! | target | ABI | crate attributes |
//! | --- | --- | --- |
//! | `wasm32-unknown-unknown`, `wasm32v1-none` | 1, lean | `#![no_std]`, `#![no_main]` |
//! | `wasm32-wasip1` | 3, WASI command | none |
//! | `wasm32-wasip1` with feature `wow` | 2, WOW's buffer | none |
//! | any other | as 3: an ordinary program, to try the action with | none |
//!
//! The attribute line of the example's source (`cfg_attr(…, no_std, no_main)`) makes one source fit all of them.
//!
//! **Architecture invariants.** `read` knows JSON and serde, `answer` knows no ABI, `abi` no JSON; `unsafe` stays in `abi`.
#![no_std]

#[doc(hidden)]
pub extern crate alloc;
#[cfg(any(test, not(any(target_os = "unknown", target_os = "none"))))]
extern crate std;

mod abi;
mod answer;
mod read;

pub use abi::http;
pub use serde_json::{Map, Number, Value, json};

#[doc(hidden)]
pub mod __private {
    pub use crate::abi::emitted::*;
    pub use crate::answer::{bytes, typed};
}

/// Make a function the action: `main!(function);`, once per crate.
///
/// The function is any `fn(I) -> Result<O, E>` with `I: DeserializeOwned`, `O: Serialize`, `E: Display`.
///
/// Functions named after it are further entry points: `main!(add, subtract);` makes `subtract` run if the OpenWhisk
/// action is created with `--main subtract`. Only the lean ABI can choose; under the others the first one runs.
#[macro_export]
macro_rules! main {
    ($action:path $(, $other:ident)* $(,)?) => {
        $crate::__emit!(typed $action $(, $other)*);
    };
}

/// As [`main!`], for an action that brings its own JSON: any `fn(&[u8]) -> Result<Vec<u8>, E>` with `E: Display`.
///
/// What it gets is the input's JSON text, what it gives must be the JSON text of an object or an array.
#[macro_export]
macro_rules! main_bytes {
    ($action:path $(, $other:ident)* $(,)?) => {
        $crate::__emit!(bytes $action $(, $other)*);
    };
}
