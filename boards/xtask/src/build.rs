//! Building what the demo and the tests use: the executor, the tools, the actions and their bundles.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::board::{Board, Interpreter};
use crate::project::Project;
use crate::shell::{Shell, ask};
use crate::toolchain::Toolchain;

/// The tools that make bundles.
pub struct Tools {
    pub bundle: PathBuf,
    pub wamrc: PathBuf,
}

/// The executor for a board.
pub fn executor(project: &Project, shell: Shell, board: &Board) -> Result<PathBuf> {
    let mut cargo = project.cargo();
    cargo
        .args([
            "build",
            "--release",
            "--package",
            "executor-linux",
            "--target",
            &board.rust_target,
        ])
        .env("CARGO_ENCODED_RUSTFLAGS", board.rust_flags.join("\u{1f}"));
    if board.interpreter == Interpreter::Classic {
        cargo.arg("--no-default-features");
    }
    shell.run("executor", &mut cargo)?;
    Ok(project.target.join(&board.rust_target).join("release/executor-linux"))
}

/// The bundler, and WAMR's compiler.
pub fn tools(project: &Project, shell: Shell) -> Result<Tools> {
    shell.run("bundler", project.cargo().args(["build", "--package", "bundler"]))?;
    Ok(Tools {
        bundle: project.target.join("debug/bundle"),
        wamrc: wamrc(project, shell)?,
    })
}

/// WAMR's compiler takes a minute to build and hardly ever changes: it is kept in the cache, under a hash of all that it is
/// made from.
fn wamrc(project: &Project, shell: Shell) -> Result<PathBuf> {
    let kept = project.cache.join(format!("wamrc-{}", wamrc_key(project)?));
    if ask(&kept, &["--version"]).is_some() {
        return Ok(kept);
    }
    shell.run(
        "WAMR's AOT compiler (once; about a minute)",
        project.cargo().args(["build", "--release", "--package", "wamrc"]),
    )?;
    fs::create_dir_all(&project.cache)?;
    // Another checkout may look at the same time: the name appears with the whole file behind it.
    let partial = kept.with_extension(format!("{}.partial", std::process::id()));
    fs::copy(project.target.join("release/wamrc"), &partial).context("cannot keep wamrc in the cache")?;
    fs::rename(&partial, &kept)?;
    Ok(kept)
}

fn wamrc_key(project: &Project) -> Result<String> {
    let mut hash = Sha256::new();
    let mut files = vec![project.root.join("Cargo.lock"), project.root.join("Cargo.toml")];
    for folder in ["actions/wamrc", "executor-core/wamr-sys"] {
        collect(&project.root.join(folder), &mut files)?;
    }
    files.sort();
    for file in files {
        hash.update(fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?);
    }
    for program in ["rustc", "llvm-config-19", "cc"] {
        hash.update(ask(program, &["--version"]).unwrap_or_default());
    }
    Ok(hash
        .finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// One bundle to be made.
pub struct Bundle<'a> {
    /// Its file name without `.zip`.
    pub name: &'a str,
    /// The package, source file or module: a path below the checkout, or a whole one.
    pub source: &'a Path,
    /// Leave the portable module out.
    pub is_native_only: bool,
}

/// An example as a module, for another Wasm target than its own: an ABI that it can also speak.
pub fn module(
    project: &Project,
    shell: Shell,
    toolchain: &Toolchain,
    package: &str,
    target: &str,
    features: &str,
) -> Result<PathBuf> {
    let built = project
        .target
        .join("guests")
        .join(if features.is_empty() { "plain" } else { features });
    let mut cargo = toolchain.cargo();
    cargo
        .args([
            "build",
            "--release",
            "--locked",
            "--package",
            package,
            "--target",
            target,
            "--features",
            features,
        ])
        .current_dir(project.root.join("actions/examples"))
        .arg("--target-dir")
        .arg(&built);
    shell.run(&format!("{package} for {target} {features}"), &mut cargo)?;
    Ok(built.join(target).join("release").join(format!("{package}.wasm")))
}

/// The key that the demo's and the tests' bundles are signed with: (secret, public).
pub fn key(project: &Project, shell: Shell, tools: &Tools) -> Result<(PathBuf, PathBuf)> {
    let stem = project.bundles().join("demo");
    let (secret, public) = (stem.with_extension("key"), stem.with_extension("pub"));
    if !secret.is_file() || !public.is_file() {
        fs::create_dir_all(project.bundles())?;
        for half in [&secret, &public] {
            let _ = fs::remove_file(half);
        }
        shell.run(
            "key pair",
            std::process::Command::new(&tools.bundle)
                .arg("keygen")
                .arg("-o")
                .arg(&stem),
        )?;
    }
    Ok((secret, public))
}

/// Build an action and bundle it, signed, with an AOT artifact for the board.
pub fn bundle(
    project: &Project,
    shell: Shell,
    board: &Board,
    tools: &Tools,
    toolchain: &Toolchain,
    bundle: &Bundle<'_>,
) -> Result<PathBuf> {
    let (secret, _) = key(project, shell, tools)?;
    let output = project.bundles().join(format!("{}.zip", bundle.name));
    let mut command = std::process::Command::new(&tools.bundle);
    command
        .arg("build")
        .arg(project.root.join(bundle.source))
        .arg("--output")
        .arg(&output)
        .arg("--target")
        .arg(format!("{}:{}", board.wamrc_target, board.wamrc_cpu))
        .arg("--wamrc")
        .arg(&tools.wamrc)
        .arg("--sign")
        .arg(&secret)
        .args(bundle.is_native_only.then_some("--no-wasm"))
        .env("CLANG", "clang-19")
        .envs(toolchain.environment());
    shell.run(&format!("bundle {}", bundle.name), &mut command)?;
    Ok(output)
}
