//! The targets of the toolchain in use, added by rustup where it is installed and answers.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::bounded;

/// For questions about what is installed.
const ASK_LIMIT: Duration = Duration::from_secs(60);
/// For adding a target: some 30 MB.
const ADD_LIMIT: Duration = Duration::from_secs(120);
/// A download may fail once for no reason. One that hangs is not tried again.
const ADD_ATTEMPTS: u32 = 2;

/// Make sure that the toolchain in use has `targets`; add those that are missing. Returns its description.
///
/// # Errors
/// If a target is missing and rustup is not installed, or does not add it in time.
pub fn provide(targets: &[&str], progress: &mut dyn FnMut(&str)) -> Result<String> {
    let missing: Vec<&str> = targets.iter().copied().filter(|target| !is_installed(target)).collect();
    if !missing.is_empty() {
        add(&missing, progress)?;
        // What rustup added to one toolchain is of no use if cargo runs another one's compiler.
        if let Some(target) = missing.iter().find(|target| !is_installed(target)) {
            bail!("rustup added {target}, but `rustc` does not have it");
        }
    }
    let version = bounded::run(rustc().arg("-V"), ASK_LIMIT)?;
    Ok(match env::var("RUSTUP_TOOLCHAIN") {
        Ok(name) => format!("rustup's {name}, {}", version.trim()),
        Err(_) => version.trim().to_owned(),
    })
}

/// Whether the toolchain in use has all of `targets`.
pub fn has(targets: &[&str]) -> bool {
    targets.iter().all(|target| is_installed(target))
}

/// Whether the compiler that cargo would run has the target's core library. Its own word is not enough: it knows the
/// folder of each target, present or not.
fn is_installed(target: &str) -> bool {
    let folder = bounded::run(
        rustc().args(["--print", "target-libdir", "--target", target]),
        ASK_LIMIT,
    );
    folder.is_ok_and(|folder| has_core(Path::new(folder.trim())))
}

fn has_core(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        name.to_string_lossy().starts_with("libcore-")
    })
}

fn add(targets: &[&str], progress: &mut dyn FnMut(&str)) -> Result<()> {
    let names = targets.join(" ");
    let mut outcome = Ok(String::new());
    let start = Instant::now();
    for _ in 0..ADD_ATTEMPTS {
        progress(&format!("rustup target add {names}"));
        outcome = bounded::run(Command::new("rustup").args(["target", "add"]).args(targets), ADD_LIMIT);
        if outcome.is_ok() || start.elapsed() >= ADD_LIMIT {
            break;
        }
    }
    outcome.map(drop).with_context(|| format!("rustup cannot add {names}"))
}

fn rustc() -> Command {
    Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}
