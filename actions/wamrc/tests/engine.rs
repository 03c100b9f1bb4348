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

/// Code that could run where it lies, and here is loaded as all code is. (On x86-64 LLVM makes it of few modules.)
mod without_relocations {
    use super::{Kind, cases, common};

    fn compile(wasm: &[u8]) -> (Kind, Vec<u8>) {
        (Kind::Aot, common::compile_with(wasm, &["--xip"]))
    }

    test_engine!(@cases cases, compile: containers_share_a_module, echoes, every_run_is_fresh, faults_are_contained);
}
