//! What is loaded, counted: in a process of its own, where no other test loads anything.
#![cfg(feature = "wamr")]
#![allow(clippy::unwrap_used)]

#[path = "engine/mod.rs"]
mod cases;

use action_bundle::Kind;

/// One test, since both count.
#[test]
fn modules_are_unloaded_and_their_memory_is_given_back() {
    let interpret: cases::Compile = |wasm| (Kind::Wasm, wasm.to_vec());
    cases::counted::modules_are_unloaded(interpret);
    cases::counted::memory_is_counted(interpret);
}
