//! Runs cargo, as an action's author would.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What the examples are built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// ABI 1 with std's stubs about.
    Lean,
    /// ABI 1 without any std.
    LeanBare,
    /// ABI 2.
    Wow,
    /// ABI 3.
    Command,
}

impl Build {
    fn target(self) -> &'static str {
        match self {
            Build::Lean => "wasm32-unknown-unknown",
            Build::LeanBare => "wasm32v1-none",
            Build::Wow | Build::Command => "wasm32-wasip1",
        }
    }

    /// Build `packages`, and give the folder of their modules.
    ///
    /// # Panics
    /// If cargo fails: there is nothing to test then.
    pub fn packages(self, target_dir: &Path, packages: &[&str]) -> PathBuf {
        // Both ABIs on WASI have the same file names.
        let target_dir = if self == Build::Wow {
            target_dir.join("wow")
        } else {
            target_dir.to_owned()
        };
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "--locked", "--release", "--target", self.target()]);
        cargo
            .arg("--manifest-path")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml"));
        cargo.arg("--target-dir").arg(&target_dir);
        cargo.args(packages.iter().flat_map(|package| ["--package", package]));
        if self == Build::Wow {
            cargo.args(["--features", "wow"]);
        }
        let status = cargo.status().expect("cargo runs: it runs this test");
        assert!(status.success(), "{cargo:?}: {status}");
        target_dir.join(self.target()).join("release")
    }
}
