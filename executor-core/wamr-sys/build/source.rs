//! Finds WAMR's sources: in the package `wamrx-sys`, where Cargo has put it.
//!
//! The manifest names the package for a target that does not exist, so that it is locked, checksummed and fetched, and never
//! compiled. `cargo metadata` tells where it lies, be it a registry's cache, a vendored folder or a path.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

/// WAMR's `core` folder.
pub fn wamr_core() -> PathBuf {
    let cargo = env::var_os("CARGO").expect("Cargo sets CARGO for build scripts");
    let manifest_dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("Cargo sets CARGO_MANIFEST_DIR"));
    // The lock file must not change under a build. Cargo's cache holds all that is locked, except on a machine that has
    // never built for another system: only then is the network asked, which `--offline` forbids if the caller did.
    let ask = |offline: &[&str]| {
        Command::new(&cargo)
            .args(["metadata", "--format-version", "1", "--locked", "--manifest-path"])
            .arg(manifest_dir.join("Cargo.toml"))
            .args(offline)
            .current_dir(&manifest_dir)
            .output()
            .expect("cargo metadata can be run")
    };
    let mut output = ask(&["--offline"]);
    if !output.status.success() {
        output = ask(&[]);
    }
    assert!(
        output.status.success(),
        "cargo metadata failed, so WAMR's sources cannot be found; run `cargo fetch` first:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let manifest = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|package| package["name"] == "wamrx-sys")
        .and_then(|package| package["manifest_path"].as_str())
        .expect("the lock file holds wamrx-sys");
    let core = PathBuf::from(manifest)
        .with_file_name("wasm-micro-runtime")
        .join("core");
    assert!(core.is_dir(), "the package wamrx-sys has no wasm-micro-runtime/core");
    core
}
