//! `bundle build`: source in, bundle out.

use std::path::{Path, PathBuf};

use action_bundle::manifest::{AotTarget, Capability, Form, Head};
use action_bundle::{Bundle, ENTRIES_MAX};
use anyhow::{Result, anyhow, ensure};

use crate::aot::{Compiler, Target};
use crate::arguments::Build;
use crate::pack::{self, Packed};
use crate::source::{self, Module};
use crate::{inspect, keys, show};

/// Manifest, signature, module: the rest may be native code.
const TARGETS_MAX: usize = ENTRIES_MAX - 3;

/// Make a bundle.
pub fn run(build: &Build) -> Result<()> {
    // What can fail at once fails before what takes long.
    let key = build.sign.as_deref().map(keys::read_secret).transpose()?;
    let targets = if build.no_aot {
        Vec::new()
    } else {
        Target::all(&build.targets, build.cpu.as_deref(), build.needs.as_deref())?
    };
    ensure!(
        targets.len() <= TARGETS_MAX,
        "a bundle holds native code for at most {TARGETS_MAX} targets"
    );
    let compiler = if build.no_aot {
        None
    } else {
        Some(Compiler::find(build.wamrc.as_deref())?)
    };

    let module = source::module(build)?;
    let name = build.name.clone().unwrap_or_else(|| module.name.clone());
    let inspection = inspect::inspect(&module.wasm)?;
    let capabilities = capabilities(build, &module);
    if !inspection.unknown_imports.is_empty() {
        eprintln!(
            "bundle: warning: the executor does not supply {}: a run that calls it fails",
            inspection.unknown_imports.join(", ")
        );
    }
    let asks_for_network = capabilities.iter().any(|(name, _)| *name == Capability::NETWORK);
    if inspection.uses_network && !asks_for_network {
        eprintln!("bundle: warning: the module imports http.get but does not ask for the network: add --net");
    }

    let mut natives = Vec::new();
    if let Some(compiler) = &compiler {
        for target in &targets {
            natives.push((
                target,
                format!("{}.{}.aot", file_name(&name), target_name(target)),
                compiler.compile(&module.wasm, target)?,
            ));
        }
    }
    let mut artifacts = Vec::new();
    if let Some(compiler) = &compiler {
        for (target, entry, native) in &natives {
            let form = Form::Aot(AotTarget {
                target: &target.name,
                cpu: &target.cpu,
                cpu_features: &target.cpu_features,
                bounds: native.bounds,
                wamr: compiler.wamr,
                aot_format: native.aot_format,
            });
            artifacts.push(Packed {
                entry,
                form,
                bytes: &native.bytes,
            });
        }
    }
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

/// A target as part of an entry's name: two may differ in the CPU only.
fn target_name(target: &Target) -> String {
    file_name(&format!("{}-{}", target.name, target.cpu))
}
