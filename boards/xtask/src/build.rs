//! Building what the demo and the tests use: the executor, the tools, the actions and their bundles.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use boards::{Board, Build, Interpreter, Run};

use crate::project::Project;
use crate::shell::{Shell, ask};
use crate::toolchain::Toolchain;

/// The tools that make bundles.
pub struct Tools {
    pub bundle: PathBuf,
    pub wamrc: PathBuf,
}

/// The executor for a board. Boards of one target share what is built for it, but not the program.
pub fn executor(project: &Project, shell: Shell, board: &Board, toolchain: &Toolchain) -> Result<PathBuf> {
    executor_with(project, shell, board, toolchain, None)
}

/// The same with one more feature, by whose name the program goes then.
pub fn executor_with(
    project: &Project,
    shell: Shell,
    board: &Board,
    toolchain: &Toolchain,
    feature: Option<&str>,
) -> Result<PathBuf> {
    let Build {
        package,
        rust_target,
        rust_flags,
        c_compiler,
        c_flags,
        interpreter,
        ..
    } = &board.build;
    let mut cargo = toolchain.cargo();
    cargo
        .current_dir(&project.root)
        .args(["build", "--release", "--locked", "--package", package])
        .args(["--target", rust_target])
        .env("CARGO_ENCODED_RUSTFLAGS", rust_flags.join("\u{1f}"))
        // For the crate `cc`.
        .env(format!("CC_{}", rust_target.replace('-', "_")), c_compiler)
        .env(format!("CFLAGS_{}", rust_target.replace('-', "_")), c_flags.join(" "));
    if board.run != Run::Native {
        // This machine's own linker is named in `.cargo/config.toml`.
        let linker = rust_target.replace('-', "_").to_ascii_uppercase();
        cargo.env(format!("CARGO_TARGET_{linker}_LINKER"), c_compiler);
    }
    if *interpreter == Interpreter::Classic {
        cargo.arg("--no-default-features");
    }
    cargo.args(feature.iter().flat_map(|feature| ["--features", feature]));
    let with = feature.map(|feature| format!(" with {feature}")).unwrap_or_default();
    shell.run(&format!("{package} for {}{with}", board.name), &mut cargo)?;
    let built = project.target.join(rust_target).join("release").join(package);
    let folder = project.target.join("boards").join(&board.name);
    fs::create_dir_all(&folder)?;
    let kept = match feature {
        None => folder.join(package),
        Some(feature) => folder.join(format!("{package}-{feature}")),
    };
    // A program that still runs may be replaced, but not written to.
    let _ = fs::remove_file(&kept);
    fs::copy(&built, &kept).with_context(|| format!("cannot keep {}", built.display()))?;
    Ok(kept)
}

/// What runs a board's program on this machine.
pub fn command(board: &Board, program: &Path) -> Command {
    match &board.run {
        Run::Native => Command::new(program),
        Run::QemuUser {
            program: emulator,
            arguments,
            ..
        } => {
            let mut command = Command::new(emulator);
            command.args(arguments).arg(program);
            command
        }
    }
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
    let mut hash = blake3::Hasher::new();
    let mut files = vec![project.root.join("Cargo.lock"), project.root.join("Cargo.toml")];
    for folder in ["actions/wamrc", "executor-core/wamr-sys"] {
        collect(&project.root.join(folder), &mut files)?;
    }
    files.sort();
    for file in files {
        hash.update(&fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?);
    }
    for program in ["rustc", "llvm-config-19", "cc"] {
        hash.update(ask(program, &["--version"]).unwrap_or_default().as_bytes());
    }
    Ok(hash
        .finalize()
        .as_bytes()
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
            Command::new(&tools.bundle).arg("keygen").arg("-o").arg(&stem),
        )?;
    }
    Ok((secret, public))
}

/// Build an action and bundle it, signed, with AOT code for each of the boards.
pub fn bundle(
    project: &Project,
    shell: Shell,
    boards: &[Board],
    tools: &Tools,
    toolchain: &Toolchain,
    bundle: &Bundle<'_>,
) -> Result<PathBuf> {
    let (secret, _) = key(project, shell, tools)?;
    let output = project.bundles().join(format!("{}.zip", bundle.name));
    let mut command = Command::new(&tools.bundle);
    command
        .arg("build")
        .arg(project.root.join(bundle.source))
        .arg("--output")
        .arg(&output)
        .args(boards.iter().flat_map(|board| ["--board", &board.name]))
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
