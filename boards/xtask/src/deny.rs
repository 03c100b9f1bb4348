//! What the dependencies may be: `cargo deny` with the rules of `deny.toml`, on each workspace.
//!
//! `cargo-deny` is taken from the path, else built once into the cache. Its advisories come from a repository on the network:
//! where that has no answer, the step says so, and the rules that need no network still hold.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::project::Project;
use crate::shell::{Shell, ask};

/// How `cargo deny` says that it has no database of advisories, which is not a verdict about a dependency.
const NO_DATABASE: &str = "failed to fetch advisory database";

/// Check `folders`, the workspaces.
pub fn check(project: &Project, shell: Shell, folders: &[&str]) -> Result<()> {
    let program = program(project, shell)?;
    let deny = |folder: &str, rules: &[&str]| {
        let mut command = Command::new(&program);
        command
            .args(["--log-level", "error", "--config"])
            .arg(project.root.join("deny.toml"))
            .arg("check")
            .args(rules)
            .current_dir(project.root.join(folder));
        command
    };
    for folder in folders {
        let what = format!("licences, bans and sources of {}", name(folder));
        shell.run(&what, &mut deny(folder, &["licenses", "bans", "sources"]))?;
    }
    // One question for the database before it can be asked about anybody.
    let fetch = Command::new(&program)
        .args(["fetch", "db"])
        .current_dir(&project.root)
        .output()?;
    if !fetch.status.success() && String::from_utf8_lossy(&fetch.stderr).contains(NO_DATABASE) {
        shell.say("the database of advisories cannot be fetched: advisories were not checked");
        return Ok(());
    }
    for folder in folders {
        shell.run(
            &format!("advisories of {}", name(folder)),
            &mut deny(folder, &["advisories"]),
        )?;
    }
    Ok(())
}

fn name(folder: &str) -> &str {
    if folder.is_empty() { "the root" } else { folder }
}

fn program(project: &Project, shell: Shell) -> Result<PathBuf> {
    if ask("cargo-deny", &["--version"]).is_some() {
        return Ok(PathBuf::from("cargo-deny"));
    }
    let root = project.cache.join("tools");
    let kept = root.join("bin/cargo-deny");
    if ask(&kept, &["--version"]).is_none() {
        let mut cargo = project.cargo();
        // Unoptimised: it runs for a second, and builds in half the time.
        cargo
            .args(["install", "cargo-deny", "--locked", "--debug", "--root"])
            .arg(&root);
        cargo.arg("--target-dir").arg(project.target.join("cargo-deny"));
        shell
            .run("cargo-deny (once; some minutes)", &mut cargo)
            .context("by hand: cargo install cargo-deny --locked")?;
    }
    Ok(kept)
}
