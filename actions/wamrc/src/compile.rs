//! From a module to an artifact that the runtime will load.
//!
//! WAMR's compiler is content with code that its own runtime refuses: LLVM may call functions that are in no table of the
//! runtime (`__udivti3`, from the loop vectorizer on x86-64). So the artifact is read back, and compiled again without the
//! vectorizer if that happened. This holds for foreign processors too, where nobody can load the code for a try.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use tempfile::NamedTempFile;

use crate::artifact::Artifact;
use crate::ffi::{Compiler, Cpu, Options, aot_format_version};
use crate::target::Target;

/// Code that the runtime can load, as far as that can be told without running it.
pub struct Compiled {
    pub bytes: Vec<u8>,
    pub is_vectorized: bool,
}

/// The features of the target's CPU, and those of its baseline, in LLVM's words.
///
/// # Errors
/// LLVM does not know the target, the CPU or a feature. (By itself it would warn, and compile for another CPU.)
pub fn check_target(compiler: &Compiler, target: &Target) -> Result<(String, String)> {
    let triple = target.triple();
    for feature in target.features.split(',').filter(|feature| !feature.is_empty()) {
        let name = feature.strip_prefix(['+', '-']).with_context(|| {
            format!("the CPU feature `{feature}` needs a sign: `+{feature}` to add it, `-{feature}` to leave it out")
        })?;
        ensure!(
            compiler.has_feature(&triple, name)?,
            "LLVM has no CPU feature `{name}` for {}: `llc-19 -march=… -mcpu=help` lists them",
            target.name
        );
    }
    let features = |cpu: &str, features: &str| match compiler.cpu(&triple, cpu, features)? {
        Cpu::Known(features) => Ok(features),
        Cpu::Missing => {
            bail!(
                "LLVM has no CPU `{cpu}` for {}: `llc-19 -march=… -mcpu=help` lists them",
                target.name
            )
        }
        Cpu::NoTarget => bail!(
            "LLVM does not know the target `{}`: this project uses x86_64, aarch64v8, armv7 and thumbv7em",
            target.name
        ),
    };
    let (baseline_cpu, baseline_features) = target.baseline();
    Ok((
        features(&target.cpu, &target.features)?,
        features(baseline_cpu, baseline_features)?,
    ))
}

/// Compile a module.
///
/// # Errors
/// The module is refused, or the code would be.
pub fn compile(
    compiler: &Compiler,
    wasm: &[u8],
    target: &Target,
    options: Options,
    is_vectorized: bool,
) -> Result<Compiled> {
    check_kind(wasm)?;
    if !is_vectorized {
        compiler.disable_loop_vectorizer();
    }
    let bytes = compile_once(compiler, wasm, target, options)?;
    let missing = missing_symbols(&bytes, target, options)?;
    if missing.is_empty() {
        return Ok(Compiled { bytes, is_vectorized });
    }
    if is_vectorized {
        return compile(compiler, wasm, target, options, false);
    }
    bail!(
        "the code would call {}, which WAMR's runtime does not supply on {}: try --opt-level 1",
        missing.join(", "),
        target.name
    )
}

fn compile_once(compiler: &Compiler, wasm: &[u8], target: &Target, options: Options) -> Result<Vec<u8>> {
    let module = compiler
        .load(wasm)
        .map_err(|error| anyhow!("the module is refused: {}", explain(&error)))?;
    let stack_usage = NamedTempFile::with_prefix("wamrc-").context("cannot make a temporary file")?;
    module
        .compile(target, options, stack_usage.path())
        .map_err(|error| anyhow!("the module cannot be compiled for {target}: {}", explain(&error)))
}

/// Read the code back: it must be what was asked for. The functions that it calls and the runtime does not have.
fn missing_symbols(bytes: &[u8], target: &Target, options: Options) -> Result<Vec<String>> {
    let artifact = Artifact::parse(bytes)
        .context("the code cannot be read back (is the target big-endian? no node of this project is)")?;
    let is_as_asked = artifact.format == aot_format_version()
        && artifact.is_xip == options.is_xip
        && artifact.is_interruptible == options.is_interruptible
        && !artifact.has_simd;
    ensure!(
        is_as_asked,
        "WAMR's compiler has made other code than was asked for: report this ({artifact:?})"
    );
    let Artifact {
        relocated_imports,
        native_imports,
        ..
    } = artifact;
    if artifact.is_xip && artifact.has_text_relocations {
        let names: Vec<String> = relocated_imports.into_iter().collect();
        let names = if names.is_empty() {
            "addresses of constants".to_owned()
        } else {
            names.join(", ")
        };
        bail!("the code cannot run in place: the loader would have to write into it ({names}); leave --xip out");
    }
    let Some(supplied) = target.runtime_symbols() else {
        return Ok(Vec::new());
    };
    let imports = relocated_imports.into_iter().chain(native_imports);
    Ok(imports.filter(|name| !supplied.contains(&name.as_str())).collect())
}

/// Say what the file is, if it is no module: WAMR only says that it is not one.
fn check_kind(bytes: &[u8]) -> Result<()> {
    match bytes {
        [] => bail!("the file is empty: a WebAssembly module is needed"),
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => Ok(()),
        [b'\0', b'a', b's', b'm', _, _, 1, 0, ..] => {
            bail!("the file is a WebAssembly component: build a core module (wasm32-wasip1 or wasm32-unknown-unknown)")
        }
        [b'\0', b'a', b's', b'm', ..] => bail!("the file is a module of another version than 1, or it is cut off"),
        [b'\0', b'a', b'o', b't', ..] => bail!("the file is AOT code already: pass the module that it was made from"),
        [b'P', b'K', ..] => bail!("the file is a zip: pass the module in it"),
        [b'(' | b';', ..] => bail!("the file is WebAssembly text: turn it into a module with `wat2wasm` first"),
        _ => bail!("the file is not a WebAssembly module: it does not begin with `\\0asm`"),
    }
}

/// The loader's words, with what to do about the most common ones.
fn explain(error: &str) -> String {
    let error = error.trim_start_matches("WASM module load failed: ").trim();
    // The loader names an instruction that it does not have by its first byte.
    let missing = match error.strip_prefix("unsupported opcode ").and_then(|code| code.get(..2)) {
        Some("fd") => SIMD,
        Some("fe") => "threads: build it without (rustc: -C target-feature=-atomics, clang: -mno-atomics)",
        Some("12" | "13" | "14" | "15") => "tail calls: build it without (clang: -mno-tail-call)",
        Some("06" | "07" | "08" | "09" | "0a" | "18" | "19" | "1f") => {
            "exceptions: build it without (rustc: -C panic=abort, clang: -fno-exceptions)"
        }
        Some("fb") => "garbage collection: build it for WebAssembly's linear memory",
        _ if error == "unknown value type" => SIMD,
        _ if error == "invalid limits flags" => "64-bit or shared memories: build it for wasm32, without threads",
        _ if error.starts_with("Invalid target.") => {
            return "WAMR knows no target of this name: this project uses x86_64, aarch64v8, armv7 and thumbv7em"
                .to_owned();
        }
        _ if error.starts_with("Invalid target ABI.") => {
            return "WAMR knows no ABI of this name: gnu, gnueabihf, eabi, eabihf, lp64d, … are some".to_owned();
        }
        _ => return error.to_owned(),
    };
    format!("{error}: the runtime does not have {missing}")
}

const SIMD: &str = "SIMD: build it without (rustc: -C target-feature=-simd128, clang: -mno-simd128)";

/// The default name of the code: beside the module, with another extension.
pub fn default_output(input: &Path) -> std::path::PathBuf {
    input.with_extension("aot")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_kind_is_named() {
        for (bytes, expected) in [
            (&b""[..], "empty"),
            (b"\0asm\x0d\0\x01\0", "component"),
            (b"\0asm\x02\0\0\0", "version"),
            (b"\0asm", "cut off"),
            (b"\0aot\x06\0\0\0", "AOT code already"),
            (b"PK\x03\x04", "zip"),
            (b"(module)", "wat2wasm"),
            (b"\x7fELF", "does not begin"),
        ] {
            let error = check_kind(bytes).expect_err("no module").to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(check_kind(b"\0asm\x01\0\0\0").is_ok());
    }

    #[test]
    fn the_loaders_words_come_with_advice() {
        assert!(explain("WASM module load failed: unsupported opcode fd 0c").contains("-simd128"));
        assert_eq!(explain("WASM module load failed: type mismatch"), "type mismatch");
        assert_eq!(explain("unsupported opcode ff"), "unsupported opcode ff");
    }
}
