//! `wamrc`: WebAssembly in, native code for this project's executor out.
//!
//! In: a module and what to compile it for. Out: a file in WAMR's AOT format, or one line that says what to do.
//!
//! | stage | takes | gives |
//! | --- | --- | --- |
//! | [`arguments`] | the command line | [`arguments::Arguments`] |
//! | [`target`] | names, or nothing | a [`target::Target`] with nothing left to WAMR's choice |
//! | [`compile`] | module, target | bytes that the runtime loads, checked by [`artifact`] |
//! | [`output`] | bytes | a whole file |
//!
//! **Invariants.** The bytes depend on the module, the options and the versions of WAMR and LLVM, never on the machine.
//! Memory accesses and the stack are always checked by the code. The features of WebAssembly are those of the runtime
//! (`executor-core/wamr-sys`): reference types and bulk memory, no SIMD, no threads, no garbage collection.

mod arguments;
mod artifact;
mod compile;
mod cpu;
mod ffi;
mod output;
mod symbols;
mod target;

use std::env;
use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use serde_json::json;

use arguments::Arguments;
use ffi::{Compiler, Options};
use target::Target;

/// WAMR would hand its work to these programs: the code would be theirs.
const FOREIGN_COMPILERS: [&str; 2] = ["WAMRC_LLC_COMPILER", "WAMRC_ASM_COMPILER"];

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // `#`: the whole chain on one line.
            eprintln!("wamrc: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let wamr = ffi::wamr_version();
    let wamr = format!("{}.{}.{}", wamr.0, wamr.1, wamr.2);
    if arguments.version {
        let (format, llvm) = (ffi::aot_format_version(), ffi::llvm_version());
        println!(
            "wamrc {} (WAMR {wamr}, AOT format {format}, LLVM {llvm})",
            env!("CARGO_PKG_VERSION")
        );
        return Ok(());
    }
    for variable in FOREIGN_COMPILERS {
        ensure!(
            env::var_os(variable).is_none(),
            "unset {variable}: it would make the code depend on this machine"
        );
    }
    let target = Target::new(
        arguments.target.as_deref().unwrap_or_default(),
        arguments.target_abi.as_deref(),
        arguments.cpu.as_deref(),
        arguments.cpu_features.as_deref(),
    )?;
    let options = Options {
        opt_level: arguments.opt_level,
        size_level: arguments.size_level,
        is_interruptible: arguments.interruptible,
        is_xip: arguments.xip,
    };
    let compiler = Compiler::start(arguments.verbose).context("WAMR's compiler does not start: out of memory")?;
    let (features, baseline) = compile::check_target(&compiler, &target)?;
    let mut description = json!({
        "wamrc": env!("CARGO_PKG_VERSION"),
        "wamr": wamr,
        "aot_format": ffi::aot_format_version(),
        "llvm": ffi::llvm_version(),
        "target": target.name,
        "target_abi": target.abi,
        "cpu": target.cpu,
        "cpu_features": cpu::needed_features(&features, &baseline),
        "bounds": arguments.bounds.name(),
        "interruptible": options.is_interruptible,
        "xip": options.is_xip,
        "opt_level": options.opt_level,
        "size_level": options.size_level,
    });

    if let Some(input) = &arguments.input {
        let wasm = fs::read(input).with_context(|| format!("cannot read {}", input.display()))?;
        let output = arguments
            .output
            .clone()
            .unwrap_or_else(|| compile::default_output(input));
        ensure!(
            &output != input,
            "{} is the module itself: name another file with -o",
            output.display()
        );
        let compiled = compile::compile(&compiler, &wasm, &target, options, !arguments.no_vectorize)
            .with_context(|| input.display().to_string())?;
        output::write_whole(&output, &compiled.bytes)?;
        description["vectorized"] = compiled.is_vectorized.into();
        description["output"] = output.to_string_lossy().into();
        description["bytes"] = compiled.bytes.len().into();
    }
    if arguments.describe {
        println!("{description}");
    }
    Ok(())
}
