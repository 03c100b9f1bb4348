//! What native code takes of the machine's memory, counted: in a process of its own, where no other test loads anything.
#![allow(clippy::unwrap_used)]

#[path = "../../../executor-core/tests/engine/mod.rs"]
mod cases;
mod common;

use action_bundle::Kind;

/// One test, since all count.
#[test]
fn what_native_code_takes_is_counted_and_given_back() {
    let compile: cases::Compile = |wasm| (Kind::Aot, common::compile(wasm));
    cases::counted::modules_are_unloaded(compile);
    cases::counted::memory_is_counted(compile);
    cases::counted::names_are_not_kept(compile);
}
