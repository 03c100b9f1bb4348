//! The engine with interpreted code. (With AOT code, the same cases run where the compiler is: `actions/wamrc`.)
#![cfg(feature = "wamr")]
#![allow(clippy::unwrap_used)]

#[macro_use]
#[path = "engine/mod.rs"]
mod cases;

use action_bundle::Kind;

fn interpret(wasm: &[u8]) -> (Kind, Vec<u8>) {
    (Kind::Wasm, wasm.to_vec())
}

test_engine!(interpret);
