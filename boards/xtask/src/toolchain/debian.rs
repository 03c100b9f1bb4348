//! Debian's newest Rust compiler (`rustc-web`, which its browsers are built with) in the cache, with a standard library
//! for each target.
//!
//! The cache has a folder per version of the package, so that a security update never meets a standard library which an
//! older compiler built. A folder appears under its name only when it is complete, and one process at a time makes one.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::bounded;
use super::packages::{self, Archive};
use super::standard_library;

/// The compiler's own package.
const COMPILER: &str = "rustc-web";
/// The host's standard library (for build scripts), the sources, and the C library below Wasm's `std`.
const LIBRARIES: [&str; 3] = ["libstd-rust-web-dev", "rust-web-src", "wasi-libc"];
/// Of these packages: the compiler's own sources (three quarters of all), and documentation.
const UNUSED: [&str; 3] = ["./usr/src/*/src", "./usr/src/*/compiler", "./usr/share"];
/// The oldest version that builds the project, as (major, minor).
const OLDEST: &str = env!("CARGO_PKG_RUST_VERSION");
const ASK_LIMIT: Duration = Duration::from_secs(60);

/// `bin/rustc` and `bin/rustdoc`: the programs find their shared libraries beside them, wherever the cache lies. Only they
/// see these libraries, and not the linkers and tests that cargo runs.
const LAUNCHER: &str = r#"#!/bin/sh
usr=${0%/*}/../usr
for folder in "$usr"/lib/*-linux-gnu* "$usr"/../lib/*-linux-gnu*; do
    LD_LIBRARY_PATH=$folder${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
done
export LD_LIBRARY_PATH
exec "$usr/bin/${0##*/}" "$@"
"#;

/// A compiler in the cache.
pub struct Compiler {
    /// `rustc -V`.
    pub version: String,
    /// The folder of `rustc` and `rustdoc`.
    pub programs: PathBuf,
    /// Where Debian's packages are unpacked.
    pub root: PathBuf,
}

/// Whether the cache has all that [`provide`] would make, so that it is quick and needs no network.
pub fn is_ready(targets: &[&str], cache: &Path) -> bool {
    let cache = cache.join("debian-rust");
    [Archive::of_the_system(), Archive::kept(&cache.join("apt"))]
        .iter()
        .any(|archive| {
            let Ok(Some(version)) = archive.candidate(COMPILER) else {
                return false;
            };
            let root = cache.join(folder_name(&version));
            is_new_enough(&version) && targets.iter().all(|target| standard_library::is_ready(&root, target))
        })
}

/// A compiler that has the standard library of each of `targets`.
///
/// # Errors
/// If this is no Debian, its archive has no compiler that is new enough, or one does not build the libraries.
pub fn provide(targets: &[&str], cache: &Path, progress: &mut dyn FnMut(&str)) -> Result<Compiler> {
    let cache = cache.join("debian-rust");
    fs::create_dir_all(&cache).with_context(|| format!("cannot make the cache {}", cache.display()))?;
    let _held_until_return = lock(&cache.join("lock"), progress)?;
    packages::check_presence()?;
    let lists = cache.join("apt");
    // The system's lists may be absent or stale: the archive drops a package when its successor comes.
    let root = obtain(&Archive::of_the_system(), &cache, progress)
        .or_else(|_| obtain(&Archive::kept(&lists), &cache, progress))
        .or_else(|_| {
            progress("updating Debian's package lists");
            obtain(&Archive::fresh(&lists)?, &cache, progress)
        })?;
    let programs = root.join("bin");
    let version = bounded::run(Command::new(programs.join("rustc")).arg("-V"), ASK_LIMIT)?
        .trim()
        .to_owned();
    let compiler = Compiler {
        version,
        programs,
        root,
    };
    for target in targets {
        standard_library::provide(&compiler, target, progress)?;
    }
    Ok(compiler)
}

fn lock(path: &Path, progress: &mut dyn FnMut(&str)) -> Result<File> {
    let file = File::create(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            progress("waiting for another process that fills the cache");
            file.lock()?;
        }
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    Ok(file)
}

/// The folder of the newest compiler that an archive knows.
fn obtain(archive: &Archive, cache: &Path, progress: &mut dyn FnMut(&str)) -> Result<PathBuf> {
    let version = archive.candidate(COMPILER)?;
    let version = version.with_context(|| format!("apt knows no {COMPILER}: it is in Debian 12's security archive"))?;
    if !is_new_enough(&version) {
        bail!("Debian's {COMPILER} is {version}, {OLDEST} is needed: is `bookworm-security` among apt's sources?");
    }
    let root = cache.join(folder_name(&version));
    if !root.is_dir() {
        progress(&format!("downloading Debian's Rust compiler {version} (140 MB)"));
        let partial = cache.join("partial");
        download(archive, &partial)?;
        finish(&partial)?;
        fs::rename(&partial, &root)?;
    }
    Ok(root)
}

fn download(archive: &Archive, root: &Path) -> Result<()> {
    if root.exists() {
        fs::remove_dir_all(root)?;
    }
    fs::create_dir_all(root)?;
    archive.unpack(&needed(archive)?, &UNUSED, root)
}

/// The compiler's packages, with those of the shared libraries that the system lacks.
fn needed(archive: &Archive) -> Result<Vec<String>> {
    let closure = archive.closure("libstd-rust-web-dev")?;
    let llvm = closure.iter().find_map(|name| name.strip_prefix("libllvm"));
    let linker = format!("lld-{}", llvm.context("Debian's Rust no longer depends on libllvm")?);
    let installed = packages::installed(&closure)?;
    // These must fit each other, so the system's may not stand in for them.
    let is_ours = |name: &String| name.starts_with("libstd-rust-web") || name.starts_with("libllvm");
    let mut needed: Vec<String> = closure
        .into_iter()
        .filter(|name| is_ours(name) || !installed.contains(name))
        .collect();
    needed.extend([COMPILER, &linker].into_iter().chain(LIBRARIES).map(str::to_owned));
    needed.sort();
    needed.dedup();
    Ok(needed)
}

/// Make the unpacked packages work where they are.
fn finish(root: &Path) -> Result<()> {
    let usr = root.join("usr");
    let programs = root.join("bin");
    fs::create_dir_all(&programs)?;
    fs::write(programs.join("rustc"), LAUNCHER)?;
    fs::set_permissions(programs.join("rustc"), fs::Permissions::from_mode(0o755))?;
    symlink("rustc", programs.join("rustdoc"))?;
    // Where rustc looks for the linker of Wasm and bare-metal targets.
    let linkers = usr.join("lib/rustlib").join(host(&programs)?).join("bin");
    fs::create_dir_all(&linkers)?;
    let llvm = fs::read_dir(usr.join("lib"))?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    let llvm = llvm
        .into_iter()
        .find(|name| name.starts_with("llvm-"))
        .context("lld's package has no lib/llvm-*")?;
    symlink(format!("../../../{llvm}/bin/lld"), linkers.join("rust-lld"))?;
    Ok(())
}

/// The triple of the machine that `rustc` runs on.
fn host(programs: &Path) -> Result<String> {
    let version = bounded::run(Command::new(programs.join("rustc")).arg("-vV"), ASK_LIMIT)?;
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("`rustc -vV` names no host")?;
    Ok(host.to_owned())
}

/// A version as a file name: without what a shell or a variable of make would take for its own.
fn folder_name(version: &str) -> String {
    version
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '.' || c == '-' {
                c
            } else {
                '_'
            }
        })
        .collect()
}

fn is_new_enough(version: &str) -> bool {
    matches!((major_minor(version), major_minor(OLDEST)), (Some(version), Some(oldest)) if version >= oldest)
}

/// `1.96.0+dfsg1-1~deb12u2` and `1.95` to numbers.
fn major_minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split(['.', '+', '-', '~']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(major_minor("1.96.0+dfsg1-1~deb12u2"), Some((1, 96)));
        assert_eq!(major_minor("1.100"), Some((1, 100)));
        assert_eq!(major_minor("1"), None);
        assert_eq!(major_minor("(none)"), None);
        assert!(major_minor("1.100.0") > major_minor("1.96.0"));
        assert!(is_new_enough(OLDEST));
        assert!(!is_new_enough("1.85.0+dfsg3-1~deb12u3"));
        assert!(!is_new_enough(""));
    }

    #[test]
    fn a_folder_per_version() {
        assert_eq!(folder_name("1.96.0+dfsg1-1~deb12u2"), "1.96.0_dfsg1-1_deb12u2");
        assert_ne!(
            folder_name("1.96.0+dfsg1-1~deb12u2"),
            folder_name("1.96.0+dfsg1-1~deb12u3")
        );
        assert_eq!(folder_name("../x"), ".._x");
    }
}
