//! The compiler's output on the runtime that it is for: the engine's cases, with AOT code.
#![allow(clippy::unwrap_used)]

#[macro_use]
#[path = "../../../executor-core/tests/engine/mod.rs"]
mod cases;
mod common;

use action_bundle::Kind;

fn compile(wasm: &[u8]) -> (Kind, Vec<u8>) {
    (Kind::Aot, common::compile(wasm))
}

test_engine!(compile);
