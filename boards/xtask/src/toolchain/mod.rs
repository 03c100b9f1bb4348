//! Rust for other targets: rustup's where it answers, Debian's compiler in a private folder where it does not.
//!
//! Enters: target triples. Leaves: a [`Toolchain`], whose `cargo build --target T` works for each of them.
//!
//! Rustup's way adds the targets to the toolchain in use. Debian's way changes nothing outside the cache: it unpacks the
//! packages of a compiler, builds the standard library from that compiler's sources, and points `RUSTC` to the result.

pub mod bounded;
mod debian;
pub mod packages;
mod rustup;
mod standard_library;

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// A cargo that can build for the targets it was provided for.
#[derive(Clone, Debug)]
pub struct Toolchain {
    description: String,
    /// The folder of `rustc` and `rustdoc`, if they are not those that cargo finds by itself.
    programs: Option<PathBuf>,
}

impl Toolchain {
    /// `cargo`, set up so that `cargo build --target T` works.
    pub fn cargo(&self) -> Command {
        let mut cargo = Command::new(cargo_program());
        cargo.envs(self.environment());
        cargo
    }

    /// For the log: which compiler it is, and whose.
    pub fn describe(&self) -> String {
        self.description.clone()
    }

    /// Whether `cargo clippy` knows the targets, too: Debian's compiler comes without.
    pub fn has_clippy(&self) -> bool {
        self.programs.is_none()
    }

    /// What another program needs in its environment so that the cargo it runs is set up in the same way.
    pub fn environment(&self) -> Vec<(String, OsString)> {
        let variables = [("RUSTC", "rustc"), ("RUSTDOC", "rustdoc")];
        let programs = self.programs.iter();
        programs
            .flat_map(|folder| variables.map(|(name, file)| (name.to_owned(), folder.join(file).into())))
            .collect()
    }
}

/// For the two sides of the sandbox.
pub struct Toolchains {
    /// Builds guests: Wasm.
    pub guests: Toolchain,
    /// Builds a board's executor.
    pub board: Toolchain,
}

/// Which way to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Rustup's targets; if it has no answer, Debian's compiler.
    RustupThenDebian,
    /// Debian's compiler, as if rustup had no answer.
    DebianOnly,
}

/// Make `targets` available. `cache` keeps what is slow to make; `progress` gets a line before each long step.
///
/// # Errors
/// Where no way works. The message says what each way lacks.
pub fn provide(targets: &[&str], source: Source, cache: &Path, progress: &mut dyn FnMut(&str)) -> Result<Toolchain> {
    let from_debian = |progress: &mut dyn FnMut(&str)| {
        let compiler = debian::provide(targets, cache, progress)?;
        Ok(Toolchain {
            description: format!("Debian's {}", compiler.version),
            programs: Some(compiler.programs),
        })
    };
    // Where rustup had no answer before, it is not waited for again.
    if source == Source::DebianOnly || !rustup::has(targets) && debian::is_ready(targets, cache) {
        return from_debian(progress);
    }
    match rustup::provide(targets, progress) {
        Ok(description) => Ok(Toolchain {
            description,
            programs: None,
        }),
        Err(error) => {
            progress(&format!("{error:#}: taking Debian's compiler instead"));
            let names = targets.join(" ");
            from_debian(progress).with_context(|| {
                format!("{error:#}; Debian's compiler cannot be used instead: run `rustup target add {names}` yourself")
            })
        }
    }
}

/// The cargo that runs this program, or the one in the path.
fn cargo_program() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_compiler_of_our_own_is_pointed_to() {
        let rustup = Toolchain {
            description: String::new(),
            programs: None,
        };
        assert_eq!(rustup.environment(), []);
        assert!(rustup.has_clippy());
        let debian = Toolchain {
            description: String::new(),
            programs: Some("/cache/bin".into()),
        };
        assert_eq!(
            debian.environment(),
            [
                ("RUSTC".to_owned(), "/cache/bin/rustc".into()),
                ("RUSTDOC".to_owned(), "/cache/bin/rustdoc".into())
            ]
        );
        assert!(!debian.has_clippy());
        let cargo = debian.cargo();
        assert!(
            cargo
                .get_envs()
                .any(|(name, value)| name == "RUSTC" && value == Some("/cache/bin/rustc".as_ref()))
        );
    }
}
