//! The guest's side of the ABIs: how bytes come into the guest and leave it.
//!
//! One ABI is chosen by target and features. Its module holds the functions, `__emit!` puts the symbols that the executor
//! looks for into the action's own crate: a symbol of a library would be dropped by the linker. What each symbol promises
//! is written in `actions/ABI.md`.
//!
//! `unsafe` is allowed here and nowhere else in this crate.
#![allow(unsafe_code)]

pub mod http;

#[cfg(all(target_family = "wasm", any(target_os = "unknown", target_os = "none")))]
mod globals;

#[cfg(any(test, all(target_family = "wasm", any(target_os = "unknown", target_os = "none"))))]
mod heap;

#[cfg(all(target_family = "wasm", any(target_os = "unknown", target_os = "none")))]
#[path = "lean.rs"]
pub mod emitted;

#[cfg(all(feature = "wow", target_os = "wasi"))]
#[path = "wow.rs"]
pub mod emitted;

#[cfg(not(any(
    all(target_family = "wasm", any(target_os = "unknown", target_os = "none")),
    all(feature = "wow", target_os = "wasi")
)))]
#[path = "command.rs"]
pub mod emitted;
