//! Building what the demo and the tests use: the executor, the tools, the actions and their bundles.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use boards::{Board, Build, Interpreter, Run};

use crate::project::Project;
use crate::shell::{Shell, ask};
use crate::toolchain::Toolchain;

/// The tools that make bundles.
pub struct Tools {
    pub bundle: PathBuf,
    pub wamrc: PathBuf,
}

/// What becomes a part of a board's program.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// Public keys.
    trust: Vec<String>,
    /// Bundles.
    bake: Vec<PathBuf>,
    /// What the program's name ends with, for one that is kept beside the board's usual one.
    extension: Option<&'static str>,
}

impl Image {
    /// Read the keys, and find the bundles.
    pub fn new(board: &Board, trust: &[String], bake: &[PathBuf]) -> Result<Self> {
        if board.bare.is_none() && !(trust.is_empty() && bake.is_empty()) {
            bail!(
                "--trust and --bake are for boards without an operating system: {} gets both when it runs",
                board.name
            );
        }
        let key = |value: &String| {
            if value.starts_with("ed25519-public:") {
                return Ok(value.clone());
            }
            let text =
                fs::read_to_string(value).with_context(|| format!("--trust {value}: neither a key nor a file"))?;
            Ok(text.trim().to_owned())
        };
        let bundle = |path: &PathBuf| {
            fs::canonicalize(path).with_context(|| format!("--bake {}: there is no such file", path.display()))
        };
        let bake: Vec<PathBuf> = bake.iter().map(bundle).collect::<Result<_>>()?;
        let mut names = HashSet::new();
        if let Some(path) = bake.iter().find(|path| !names.insert(path.file_stem())) {
            bail!(
                "--bake {}: another file has its name, and each container needs one of its own",
                path.display()
            );
        }
        Ok(Image {
            trust: trust.iter().map(key).collect::<Result<_>>()?,
            bake,
            extension: None,
        })
    }

    /// One that trusts no key and holds nothing, for the tests.
    pub fn untrusting() -> Self {
        Image::default().beside("untrusting")
    }

    /// Keep the program beside the board's usual one.
    pub fn beside(self, extension: &'static str) -> Self {
        Image {
            extension: Some(extension),
            ..self
        }
    }
}

/// Where a board's program is kept.
pub fn program(project: &Project, board: &Board) -> PathBuf {
    let folder = project.target.join("boards").join(&board.name);
    folder.join(&board.build.package)
}

/// The executor for a board. Boards of one target share what is built for it, but not the program. One without an operating
/// system trusts the key of the demo and the tests.
pub fn executor(project: &Project, shell: Shell, board: &Board, toolchain: &Toolchain) -> Result<PathBuf> {
    let image = if board.bare.is_some() {
        let (_, public) = key(project, shell, &tools(project, shell)?)?;
        Image::new(board, &[public.display().to_string()], &[])?
    } else {
        Image::default()
    };
    executor_with(project, shell, board, toolchain, &image, None)
}

/// `cargo build` or `cargo clippy` of a board's program, with its compilers and flags, and the folder that it builds in.
pub fn cargo_for(
    project: &Project,
    board: &Board,
    toolchain: &Toolchain,
    image: &Image,
    command: &str,
) -> (Command, PathBuf) {
    let Build {
        package,
        rust_target,
        rust_flags,
        c_compiler,
        c_flags,
        interpreter,
        ..
    } = &board.build;
    let workspace = if board.bare.is_some() {
        project.root.join("executor-arm/bare-metal")
    } else {
        project.root.clone()
    };
    let underscored = rust_target.replace('-', "_");
    let mut cargo = toolchain.cargo();
    cargo
        .current_dir(&workspace)
        .args([command, "--release", "--locked", "--package", package])
        .args(["--target", rust_target])
        // For the crate `cc`.
        .env(format!("CC_{underscored}"), c_compiler)
        .env(format!("CFLAGS_{underscored}"), c_flags.join(" "));
    let mut rust_flags = rust_flags.clone();
    let mut built = project.target.clone();
    if board.bare.is_some() {
        built.push("bare-metal");
        // GNU's `ar` knows the host's objects only.
        cargo
            .env(format!("AR_{underscored}"), "llvm-ar-19")
            .env("EXECUTOR_TRUST", image.trust.join("\n"))
            .env(
                "EXECUTOR_BAKE",
                image
                    .bake
                    .iter()
                    .map(|path| path.display().to_string())
                    .collect::<Vec<_>>()
                    .join("\n"),
            )
            .arg("--target-dir")
            .arg(&built);
        rust_flags.extend(shorter_paths(project));
    } else if board.run != Run::Native {
        // This machine's own linker is named in `.cargo/config.toml`.
        let linker = underscored.to_ascii_uppercase();
        cargo.env(format!("CARGO_TARGET_{linker}_LINKER"), c_compiler);
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", rust_flags.join("\u{1f}"));
    if *interpreter == Interpreter::Classic && board.bare.is_none() {
        cargo.arg("--no-default-features");
    }
    if *interpreter == Interpreter::Fast && board.bare.is_some() {
        cargo.args(["--features", "fast-interpreter"]);
    }
    (cargo, built)
}

/// The same with this in its image, or with one more feature, by whose name the program goes then.
pub fn executor_with(
    project: &Project,
    shell: Shell,
    board: &Board,
    toolchain: &Toolchain,
    image: &Image,
    feature: Option<&str>,
) -> Result<PathBuf> {
    let (package, rust_target) = (&board.build.package, &board.build.rust_target);
    let (mut cargo, built) = cargo_for(project, board, toolchain, image, "build");
    cargo.args(feature.iter().flat_map(|feature| ["--features", feature]));
    let with = feature.map(|feature| format!(" with {feature}")).unwrap_or_default();
    shell.run(&format!("{package} for {}{with}", board.name), &mut cargo)?;
    let built = built.join(rust_target).join("release").join(package);
    let mut kept = program(project, board);
    if let Some(feature) = feature {
        kept.set_file_name(format!("{package}-{feature}"));
    }
    if let Some(extension) = image.extension {
        kept.set_extension(extension);
    }
    fs::create_dir_all(kept.parent().context("it lies in a folder")?)?;
    // A program that still runs may be replaced, but not written to.
    let _ = fs::remove_file(&kept);
    fs::copy(&built, &kept).with_context(|| format!("cannot keep {}", built.display()))?;
    Ok(kept)
}

/// Panics name source files, in flash: without the folders of this machine.
fn shorter_paths(project: &Project) -> Vec<String> {
    let mut folders = vec![project.root.clone()];
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    let registries = home
        .map(|home| home.join("registry/src"))
        .and_then(|folder| fs::read_dir(folder).ok());
    folders.extend(
        registries
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path())),
    );
    folders
        .iter()
        .map(|folder| format!("--remap-path-prefix={}/=", folder.display()))
        .collect()
}

/// What runs a board's program on this machine.
pub fn command(project: &Project, board: &Board, program: &Path) -> Command {
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
        // This very program, which then is to be told what the tests tell an executor; or it says that nothing emulates the board.
        Run::QemuSystem { .. } | Run::HardwareOnly {} => {
            let mut command = Command::new(env::current_exe().unwrap_or_else(|_| "xtask".into()));
            command
                .args(["emulate", "--board", &board.name, "--cache"])
                .arg(&project.cache)
                .arg("--image")
                .arg(program);
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails so")]
    use super::*;

    #[test]
    fn baked_actions_have_names_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let path = folder.path().join(name);
            fs::write(&path, "").unwrap();
            path
        };
        let (board, files) = (
            Board::find("mps2-an500").unwrap(),
            ["add.zip", "echo.zip", "add.wasm"].map(file),
        );
        assert!(Image::new(&board, &[], &files[..2]).is_ok());
        let error = Image::new(&board, &[], &files).unwrap_err().to_string();
        assert!(error.contains("add.wasm: another file has its name"), "{error}");
        assert!(Image::new(&board, &[], &[folder.path().join("gone.zip")]).is_err());
        assert!(Image::new(&Board::find("rpi-4").unwrap(), &[], &files[..1]).is_err());
    }
}
