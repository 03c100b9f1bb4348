//! `bundle build`: source in, bundle out.

use std::path::{Path, PathBuf};

use action_bundle::manifest::{Capability, Form, Head};
use action_bundle::{Bundle, ENTRIES_MAX, Kind};
use anyhow::{Context, Result, anyhow, ensure};

use crate::aot::{Compiler, Native, Target};
use crate::arguments::Build;
use crate::pack::{self, Packed};
use crate::source::{self, Module};
use crate::{engine, inspect, keys, show};

/// Manifest, signature, module: the rest may be native code.
const TARGETS_MAX: usize = ENTRIES_MAX - 3;

/// Make a bundle.
pub fn run(build: &Build) -> Result<()> {
    // What can fail at once fails before what takes long.
    let key = build.sign.as_deref().map(keys::read_secret).transpose()?;
    let targets = if build.no_aot {
        Vec::new()
    } else {
        Target::all(&build.boards, &build.targets, build.cpu.as_deref())?
    };
    ensure!(
        targets.len() <= TARGETS_MAX,
        "a bundle holds native code for at most {TARGETS_MAX} targets"
    );
    let compiler = Compiler::find(build.wamrc.as_deref(), &build.wamrc_options, !build.no_interrupts);
    for target in &targets {
        compiler.describe(target)?;
    }

    let module = source::module(build)?;
    let name = build.name.clone().unwrap_or_else(|| module.name.clone());
    let inspection = inspect::inspect(&module.wasm)?;
    let capabilities = capabilities(build, &module);
    let asks_for_network = capabilities.iter().any(|(name, _)| *name == Capability::NETWORK);
    if inspection.uses_network && !asks_for_network {
        eprintln!("bundle: warning: the module imports http.get but does not ask for the network: add --net");
    }

    engine::load(Kind::Wasm, &module.wasm)?;
    let natives: Vec<(String, Native)> = targets
        .iter()
        .map(|target| native(&compiler, &module, &name, target))
        .collect::<Result<_>>()?;

    let mut artifacts: Vec<Packed<'_>> = natives
        .iter()
        .map(|(entry, native)| Packed {
            entry,
            form: Form::Aot(native.description.target()),
            bytes: &native.bytes,
        })
        .collect();
    let wasm_entry = format!("{}.wasm", file_name(&name));
    if !build.no_wasm {
        artifacts.push(Packed {
            entry: &wasm_entry,
            form: Form::Wasm,
            bytes: &module.wasm,
        });
    }

    let head = Head {
        name: &name,
        abi: inspection.abi,
    };
    let capabilities: Vec<Capability<'_>> = capabilities
        .iter()
        .map(|(name, value)| Capability { name, value })
        .collect();
    let bytes = pack::pack(&head, &capabilities, &artifacts, key.as_ref())?;
    let output = output_path(build.output.as_deref(), &name);
    pack::write(&output, &bytes)?;

    if key.is_none() && !natives.is_empty() {
        eprintln!(
            "bundle: note: not signed, so nodes run the native code only with --trust-any-aot; sign with --sign KEYFILE"
        );
    }
    if build.no_interrupts {
        eprintln!("bundle: note: nodes run the native code only with --allow-uninterruptible-aot");
    }
    let bundle = Bundle::open(&bytes).map_err(|error| anyhow!("{error}"))?;
    let trusted: Vec<_> = key.as_ref().map(keys::public_key).transpose()?.into_iter().collect();
    println!("{}: {} bytes\n", output.display(), bytes.len());
    print!("{}", show::describe(&bundle, &trusted)?);
    Ok(())
}

/// What the command line and the package ask for, each once.
fn capabilities<'a>(build: &'a Build, module: &'a Module) -> Vec<(&'static str, &'a str)> {
    let mut capabilities: Vec<(&str, &str)> = Vec::new();
    for directory in module.directories.iter().chain(&build.directories) {
        if !capabilities.contains(&(Capability::DIRECTORY, directory)) {
            capabilities.push((Capability::DIRECTORY, directory));
        }
    }
    if module.network || build.network {
        capabilities.push((Capability::NETWORK, ""));
    }
    capabilities
}

fn output_path(given: Option<&Path>, name: &str) -> PathBuf {
    given.map_or_else(|| PathBuf::from(format!("{}.zip", file_name(name))), Path::to_owned)
}

/// An action's name as part of a file's.
fn file_name(name: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    name.chars()
        .map(|character| if plain(character) { character } else { '_' })
        .collect()
}

/// Native code for one target, and its entry's name. Two targets may differ in the CPU only.
fn native(compiler: &Compiler, module: &Module, name: &str, target: &Target) -> Result<(String, Native)> {
    let native = compiler.compile(&module.wasm, target)?;
    if native.description.is_host() {
        engine::load(Kind::Aot, &native.bytes).with_context(|| {
            format!(
                "the code for {} does not load: build with --no-aot, and report this",
                native.description.target
            )
        })?;
    }
    let entry = file_name(&format!(
        "{name}.{}-{}.aot",
        native.description.target, native.description.cpu
    ));
    Ok((entry, native))
}
