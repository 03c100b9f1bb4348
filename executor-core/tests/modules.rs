//! What is loaded, counted: in a process of its own, where no other test loads anything.
#![cfg(feature = "wamr")]
#![allow(clippy::unwrap_used)]

#[path = "engine/mod.rs"]
mod cases;

use action_bundle::Kind;

#[test]
fn modules_are_unloaded() {
    cases::modules_are_unloaded(|wasm| (Kind::Wasm, wasm.to_vec()));
}
