//! From what the developer has to a WebAssembly module.
//!
//! In: a path. Out: the module's bytes, a name for the action, and the capabilities that a Cargo package asks for. Each
//! language's own compiler does the work; if it is missing, the error says what to install.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::arguments::Build;
use crate::progress;
use crate::tool::output_of;

const DEFAULT_TARGET: &str = "wasm32-unknown-unknown";

/// A module and what its source says about it.
#[derive(Default)]
pub struct Module {
    pub wasm: Vec<u8>,
    pub name: String,
    /// Directories that the package's metadata asks for.
    pub directories: Vec<String>,
    /// The package's metadata asks for the network.
    pub network: bool,
}

/// Build, or read, the module.
pub fn module(build: &Build) -> Result<Module> {
    let input = &build.input;
    if !input.exists() {
        bail!("there is no {}", input.display());
    }
    let extension = input.extension().and_then(|extension| extension.to_str());
    if input.is_dir() {
        if input.join("Cargo.toml").exists() {
            return from_cargo(build, input);
        }
        if input.join("asconfig.json").exists() {
            return from_npm_package(input);
        }
        bail!(
            "{} has neither a Cargo.toml nor an asconfig.json (AssemblyScript)",
            input.display()
        );
    }
    match extension {
        _ if input.file_name().is_some_and(|name| name == "Cargo.toml") => {
            from_cargo(build, input.parent().unwrap_or(Path::new(".")))
        }
        Some("wasm") => Ok(Module {
            wasm: read(input)?,
            name: stem(input),
            ..Module::default()
        }),
        Some("c") => from_c(input),
        Some("ts") => from_assemblyscript(input),
        Some("zip") => bail!(
            "{} is a zip: `bundle sign` signs a bundle, `bundle show` prints one",
            input.display()
        ),
        _ => bail!(
            "`bundle` cannot build {}: give it a .wasm, .c or .ts file, or the directory of a Cargo or npm package",
            input.display()
        ),
    }
}

/// Build a Cargo package for the Wasm target that it names.
fn from_cargo(build: &Build, directory: &Path) -> Result<Module> {
    let manifest_path = directory.join("Cargo.toml");
    let metadata = output_of(
        cargo(build)
            .args(["metadata", "--no-deps", "--format-version=1", "--manifest-path"])
            .arg(&manifest_path),
        "install Rust from https://rustup.rs",
    )?;
    let metadata: Value = serde_json::from_slice(&metadata).context("`cargo metadata` is not JSON")?;
    let package = package(&metadata, &manifest_path)?;
    let name = package["name"].as_str().unwrap_or_default().to_owned();
    let action = &package["metadata"]["action"];
    let target = action["target"].as_str().unwrap_or(DEFAULT_TARGET);
    let directories = action["directories"].as_array().into_iter().flatten();
    let directories = directories
        .filter_map(|path| path.as_str().map(str::to_owned))
        .collect();
    let network = action["network"].as_bool().unwrap_or(false);

    let step = progress::step(format!("building {name} for {target}"));
    let mut command = cargo(build);
    command
        .args([
            "build",
            "--release",
            "--message-format=json-render-diagnostics",
            "--target",
            target,
            "--manifest-path",
        ])
        .arg(&manifest_path)
        .args(build.features.iter().flat_map(|features| ["--features", features]))
        // The guest is built for another machine: flags for this one are not meant for it.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET");
    let messages = output_of(&mut command, "install Rust from https://rustup.rs").map_err(|error| {
        let text = error.to_string();
        let is_target_missing = text.contains("target may not be installed") || text.contains("can't find crate for `core`");
        let hint = match &build.toolchain {
            _ if !is_target_missing => return error,
            None => format!("Rust cannot build for {target} yet: run `rustup target add {target}`"),
            Some(name) => {
                format!("the toolchain {name} cannot build for {target} yet: run `rustup target add {target} --toolchain {name}`")
            }
        };
        error.context(hint)
    })?;
    drop(step);
    let path = wasm_artifact(&messages, package["id"].as_str().unwrap_or_default())
        .with_context(|| format!("{name} builds no .wasm: it needs a `main.rs`, or `crate-type = [\"cdylib\"]`"))?;
    Ok(Module {
        wasm: read(&path)?,
        name,
        directories,
        network,
    })
}

/// Cargo: of the toolchain that was asked for, else the one that runs us, else the one on the path.
fn cargo(build: &Build) -> Command {
    match &build.toolchain {
        Some(toolchain) => {
            // Rustup's proxy looks at this variable.
            let mut command = Command::new("cargo");
            command.env("RUSTUP_TOOLCHAIN", toolchain);
            // Those of an outer Cargo belong to its own toolchain.
            command.env_remove("RUSTC").env_remove("RUSTDOC");
            command
        }
        None => Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into())),
    }
}

/// The package of this manifest, in the output of `cargo metadata`.
fn package<'m>(metadata: &'m Value, manifest_path: &Path) -> Result<&'m Value> {
    let wanted = manifest_path
        .canonicalize()
        .with_context(|| format!("cannot read {}", manifest_path.display()))?;
    metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|package| {
            package["manifest_path"]
                .as_str()
                .is_some_and(|path| Path::new(path).canonicalize().is_ok_and(|path| path == wanted))
        })
        .with_context(|| {
            format!(
                "{} is a workspace: give the directory of one of its packages",
                manifest_path.display()
            )
        })
}

/// The .wasm file of a package, in Cargo's messages. The last one: a binary comes after its library.
fn wasm_artifact(messages: &[u8], package_id: &str) -> Option<PathBuf> {
    let lines = messages.split(|&byte| byte == b'\n');
    lines
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact" && message["package_id"] == package_id)
        .filter_map(|message| {
            let files = message["filenames"].as_array()?;
            files
                .iter()
                .filter_map(Value::as_str)
                .find(|file| file.ends_with(".wasm"))
                .map(PathBuf::from)
        })
        .next_back()
}

/// Compile one C file with clang.
fn from_c(input: &Path) -> Result<Module> {
    let source = String::from_utf8_lossy(&read(input)?).into_owned();
    let folder = tempfile::tempdir()?;
    let output = folder.path().join("module.wasm");
    // WASI's SDK brings its own clang and C library; a distribution's clang finds its `wasi-libc` by itself.
    let clang = match env::var_os("WASI_SDK_PATH") {
        Some(sdk) => Path::new(&sdk).join("bin/clang").into_os_string(),
        None => env::var_os("CLANG").unwrap_or_else(|| OsString::from("clang")),
    };
    let mut command = Command::new(clang);
    command
        .args(["-O2", "-Wall", "-Wl,--strip-all", "-o"])
        .arg(&output)
        .arg(input);
    if source.contains("ow_run") {
        // The lean ABI: no C library, no entry point, a stack that leaves the memory at one page.
        command.args([
            "--target=wasm32",
            "-ffreestanding",
            "-nostdlib",
            "-Wl,--no-entry",
            "-Wl,-z,stack-size=16384",
        ]);
        command.args([
            "-Wl,--export=ow_allocate",
            "-Wl,--export=ow_run",
            "-Wl,--export-if-defined=_initialize",
        ]);
    } else {
        command.args(["--target=wasm32-wasi", "-Wl,-z,stack-size=65536"]);
    }
    let _step = progress::step(format!("compiling {}", input.display()));
    output_of(
        &mut command,
        "install clang, lld and wasi-libc (Debian: `apt-get install clang lld wasi-libc libclang-rt-dev-wasm32`), \
         or set WASI_SDK_PATH",
    )?;
    Ok(Module {
        wasm: read(&output)?,
        name: stem(input),
        ..Module::default()
    })
}

/// Compile one AssemblyScript file with the `asc` of the npm package around it.
fn from_assemblyscript(input: &Path) -> Result<Module> {
    let input_path = input.canonicalize()?;
    let package = input_path
        .ancestors()
        .find(|folder| folder.join("package.json").exists());
    let package = package.or(input_path.parent()).unwrap_or(Path::new("/"));
    let wasm = asc(package, &[input_path.as_os_str().to_owned(), "--optimize".into()])?;
    Ok(Module {
        wasm,
        name: stem(input),
        ..Module::default()
    })
}

/// Compile an npm package with an asconfig.json.
fn from_npm_package(directory: &Path) -> Result<Module> {
    let directory = directory.canonicalize()?;
    let config: Value = serde_json::from_slice(&read(&directory.join("asconfig.json"))?)
        .with_context(|| format!("{}/asconfig.json is not JSON", directory.display()))?;
    let mut arguments: Vec<OsString> = Vec::new();
    if config["entries"].is_null() {
        arguments.push("assembly/index.ts".into());
    }
    if !config["targets"]["release"].is_null() {
        arguments.extend(["--target".into(), "release".into()]);
    }
    let wasm = asc(&directory, &arguments)?;
    Ok(Module {
        wasm,
        name: stem(&directory),
        ..Module::default()
    })
}

/// Run AssemblyScript's compiler in an npm package.
fn asc(package: &Path, arguments: &[OsString]) -> Result<Vec<u8>> {
    let folder = tempfile::tempdir()?;
    let output = folder.path().join("module.wasm");
    let mut command = Command::new("npx");
    // `--no`: never install what is not there.
    command
        .current_dir(package)
        .args(["--no", "asc", "--"])
        .args(arguments)
        .arg("--outFile")
        .arg(&output);
    let _step = progress::step(format!("compiling {}", package.display()));
    let to_install = format!(
        "install Node.js, then run `npm install assemblyscript` in {}",
        package.display()
    );
    output_of(&mut command, &to_install).with_context(|| {
        format!(
            "AssemblyScript's compiler failed; if it is missing, run `npm install assemblyscript` in {}",
            package.display()
        )
    })?;
    read(&output)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// A path's file name without its extension.
fn stem(path: &Path) -> String {
    let absolute = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    absolute
        .file_stem()
        .map_or_else(|| "action".to_owned(), |stem| stem.to_string_lossy().into_owned())
}
