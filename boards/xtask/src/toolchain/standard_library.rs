//! The standard library of a target, built from the compiler's own sources into its own folders. Once; then a plain
//! `cargo build --target T` finds it as it would find rustup's.
//!
//! Its dependencies come from the sources' `vendor` folder, so this needs no network. Source: cargo's `-Zbuild-std`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::debian::Compiler;
use super::{bounded, cargo_program};

/// Where a compiler has a folder for each target.
const TARGETS: &str = "usr/lib/rustlib";
/// A slow machine that does other things besides.
const BUILD_LIMIT: Duration = Duration::from_secs(3600);
/// What a WASI program is linked with, of Debian's `wasi-libc`.
const WASI_OBJECTS: [&str; 3] = ["crt1-command.o", "crt1-reactor.o", "libc.a"];

/// The manifest of an empty crate. Where programs may abort or unwind, the crate of aborting is built to abort itself: the
/// compiler links it only so. A target without it takes the setting for a mistake, and warns.
const MANIFEST: &str = r#"cargo-features = ["profile-rustflags"]

[package]
name = "empty"
version = "0.0.0"
edition = "2024"

[workspace]

[profile.release.package.panic_abort]
rustflags = ["-Cpanic=abort"]
"#;

/// Whether the compiler unpacked at `root` has the standard library of `target`.
pub fn is_ready(root: &Path, target: &str) -> bool {
    root.join(TARGETS).join(target).is_dir()
}

/// Make sure that `compiler` has the standard library of `target`.
///
/// # Errors
/// If it cannot be built.
pub fn provide(compiler: &Compiler, target: &str, progress: &mut dyn FnMut(&str)) -> Result<()> {
    if is_ready(&compiler.root, target) {
        return Ok(());
    }
    let partial = compiler.root.join("partial");
    if partial.exists() {
        fs::remove_dir_all(&partial)?;
    }
    let lib = partial.join("installed/lib");
    fs::create_dir_all(&lib)?;
    progress(&format!(
        "building Rust's standard library for {target} (once; one to three minutes)"
    ));
    let built = build(compiler, target, &partial).with_context(|| format!("cannot build the library of {target}"))?;
    let mut has_core = false;
    for entry in fs::read_dir(&built)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if name.ends_with(".rlib") && !name.starts_with("libempty") {
            has_core |= name.starts_with("libcore-");
            fs::rename(&path, lib.join(name))?;
        }
    }
    if !has_core {
        bail!("cargo built no core library for {target}");
    }
    if target.contains("-wasi") {
        copy_wasi_objects(&compiler.root.join("usr/lib/wasm32-wasi"), &lib.join("self-contained"))?;
    }
    fs::rename(partial.join("installed"), compiler.root.join(TARGETS).join(target))?;
    fs::remove_dir_all(&partial)?;
    Ok(())
}

/// Build an empty crate in `folder`, and the standard library with it. Returns where the libraries lie.
fn build(compiler: &Compiler, target: &str, folder: &Path) -> Result<PathBuf> {
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("src/lib.rs"), "#![no_std]\n")?;
    // A workspace of its own, whatever lies above the cache.
    fs::write(folder.join("Cargo.toml"), MANIFEST)?;
    let vendored = compiler.root.join("usr/lib/rustlib/src/rust/library/vendor");
    let mut cargo = Command::new(cargo_program());
    for (name, _) in env::vars_os() {
        // The flags and profiles of whoever runs this are for their own code.
        if name.to_str().is_some_and(is_build_setting) {
            cargo.env_remove(name);
        }
    }
    cargo
        .current_dir(folder)
        .env("RUSTC", compiler.programs.join("rustc"))
        .env("RUSTC_BOOTSTRAP", "1") // -Zbuild-std, and the library's own use of unstable features
        .env("CARGO_ENCODED_RUSTFLAGS", "-Cembed-bitcode=yes") // for those who link with LTO
        .args(["build", "--release", "--offline", "--target", target, "--target-dir"])
        .arg(folder.join("target"))
        .args(crates(target))
        .args(["--config", "source.crates-io.replace-with=\"vendored\"", "--config"])
        .arg(format!(
            "source.vendored.directory={:?}",
            vendored.to_str().context("the cache's path is not UTF-8")?
        ));
    bounded::run(&mut cargo, BUILD_LIMIT)?;
    Ok(folder.join("target").join(target).join("release/deps"))
}

/// Which parts of the standard library there are for a target.
fn crates(target: &str) -> &'static [&'static str] {
    if target.contains("-none") {
        // Nobody else brings memcpy there.
        &["-Zbuild-std=core,alloc", "-Zbuild-std-features=compiler-builtins-mem"]
    } else if target.contains("-linux-") {
        &[
            "-Zbuild-std=std,panic_abort",
            "-Zbuild-std-features=panic-unwind,backtrace",
        ]
    } else {
        &["-Zbuild-std=std,panic_abort"]
    }
}

/// Variables that change what cargo builds, or with what.
fn is_build_setting(name: &str) -> bool {
    let prefixes = [
        "CARGO_BUILD_",
        "CARGO_PROFILE_",
        "CARGO_TARGET_",
        "CARGO_UNSTABLE_",
        "RUSTC",
        "RUSTFLAGS",
    ];
    prefixes.iter().any(|prefix| name.starts_with(prefix))
}

fn copy_wasi_objects(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for name in WASI_OBJECTS {
        fs::copy(from.join(name), to.join(name)).with_context(|| format!("Debian's wasi-libc has no {name}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_targets_get_no_std() {
        for target in ["thumbv7em-none-eabihf", "aarch64-unknown-none", "wasm32v1-none"] {
            assert_eq!(crates(target).first(), Some(&"-Zbuild-std=core,alloc"), "{target}");
        }
        for target in [
            "wasm32-unknown-unknown",
            "wasm32-wasip1",
            "armv7-unknown-linux-gnueabihf",
        ] {
            assert_eq!(crates(target).first(), Some(&"-Zbuild-std=std,panic_abort"), "{target}");
        }
    }

    #[test]
    fn the_users_settings_stay_out() {
        for name in [
            "RUSTFLAGS",
            "RUSTC_WRAPPER",
            "CARGO_BUILD_TARGET",
            "CARGO_PROFILE_RELEASE_LTO",
            "CARGO_TARGET_DIR",
        ] {
            assert!(is_build_setting(name), "{name}");
        }
        for name in [
            "PATH",
            "CARGO",
            "CARGO_HOME",
            "RUSTUP_HOME",
            "RUSTUP_TOOLCHAIN",
            "CARGO_HTTP_PROXY",
        ] {
            assert!(!is_build_setting(name), "{name}");
        }
    }
}
