//! The compiler's output on the runtime that it is for: the engine's cases, with AOT code.
#![allow(clippy::unwrap_used)]

#[macro_use]
#[path = "../../../executor-core/tests/engine/mod.rs"]
mod cases;

use std::fs;
use std::process::Command;

use action_bundle::Kind;

fn compile(wasm: &[u8]) -> (Kind, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("guest.wasm"), folder.path().join("guest.aot"));
    fs::write(&input, wasm).unwrap();
    let target = executor_core::wamr::node_target(&[]).target;
    let compiled = Command::new(env!("CARGO_BIN_EXE_wamrc"))
        .args(["--target", target, "--interruptible", "-o"])
        .args([&output, &input])
        .output()
        .unwrap();
    assert!(
        compiled.status.success(),
        "{}",
        String::from_utf8_lossy(&compiled.stderr)
    );
    (Kind::Aot, fs::read(&output).unwrap())
}

test_engine!(compile);
