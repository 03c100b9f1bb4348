//! What the tests that run the compiler's output share.

use std::fs;
use std::process::Command;

/// Native code for the runtime of these tests, by the program under test.
pub fn compile(wasm: &[u8]) -> Vec<u8> {
    compile_with(wasm, &[])
}

/// The same, with more options.
pub fn compile_with(wasm: &[u8], options: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("guest.wasm"), folder.path().join("guest.aot"));
    fs::write(&input, wasm).unwrap();
    let target = executor_core::wamr::node_target(&[]).target;
    let compiled = Command::new(env!("CARGO_BIN_EXE_wamrc"))
        .args(["--target", target, "--interruptible"])
        .args(options)
        .arg("-o")
        .args([&output, &input])
        .output()
        .unwrap();
    assert!(
        compiled.status.success(),
        "{}",
        String::from_utf8_lossy(&compiled.stderr)
    );
    fs::read(&output).unwrap()
}
