//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Compile a WebAssembly module to native code for this project's executor (WAMR's AOT format).
///
/// The code checks its memory accesses and its stack itself, uses no SIMD of WebAssembly, and depends on the module and the
/// options alone: never on the machine that compiles, so the same input gives the same bytes everywhere.
#[derive(Parser, Debug)]
#[command(name = "wamrc", version, disable_version_flag = true, after_help = EXAMPLES)]
pub struct Arguments {
    /// The module
    #[arg(value_name = "IN.wasm", required_unless_present_any = ["describe", "version"])]
    pub input: Option<PathBuf>,
    /// Where to write the code [default: beside the module, with the extension .aot]
    #[arg(short, long, value_name = "OUT.aot")]
    pub output: Option<PathBuf>,
    /// The instruction set: x86_64, aarch64v8, armv7, armv6, thumbv7em, or another of WAMR's
    #[arg(long, required_unless_present = "version")]
    pub target: Option<String>,
    /// The ABI: gnu, gnueabihf, eabi, eabihf, lp64d, … [default: gnu; armv7: gnueabihf; thumbv7em: eabihf]
    #[arg(long, value_name = "ABI")]
    pub target_abi: Option<String>,
    /// The CPU, in LLVM's words: older ones do not run the code
    /// [default: x86_64: x86-64-v2; aarch64v8: generic; armv7: cortex-a7; armv6: arm1176jzf-s; thumbv7em: cortex-m4]
    #[arg(long)]
    pub cpu: Option<String>,
    /// Features to add or leave out, in LLVM's words: +crc,-neon [default: armv7: -neon]
    #[arg(long, value_name = "FEATURES", allow_hyphen_values = true)]
    pub cpu_features: Option<String>,
    /// How memory accesses are kept in bounds; the runtime must be built for the same
    #[arg(long, value_enum, default_value_t = Bounds::Software)]
    pub bounds: Bounds,
    /// How hard LLVM tries for speed
    #[arg(long, value_name = "0..3", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=3))]
    pub opt_level: u32,
    /// LLVM's code model, from 0 (large) to 3 (small): the code's reach. The runtime puts code where 3 fits
    #[arg(long, value_name = "0..3", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=3))]
    pub size_level: u32,
    /// Code without relocations, which runs in place from flash
    #[arg(long)]
    pub xip: bool,
    /// Poll in loops and around calls whether the guest was told to stop. Slower by 3 % where loops do much, by a fourth in a
    /// sieve, by half where a loop only adds. Without it nothing stops the code: nodes run it only if their operator allows that
    #[arg(long)]
    pub interruptible: bool,
    /// Leave LLVM's loop vectorizer out. Without this flag it is left out by itself if the code would not load otherwise
    #[arg(long)]
    pub no_vectorize: bool,
    /// Print what the code is for as one line of JSON; without a module, what it would be for
    #[arg(long, visible_alias = "print-json")]
    pub describe: bool,
    /// Show on standard error what WAMR prints
    #[arg(short, long)]
    pub verbose: bool,
    /// Print the versions of wamrc, WAMR, its AOT format and LLVM
    #[arg(short = 'V', long)]
    pub version: bool,
}

/// Ways to keep memory accesses in bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Bounds {
    /// Every access is checked by instructions of the code
    Software,
}

impl Bounds {
    pub fn name(self) -> &'static str {
        match self {
            Bounds::Software => "software",
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  wamrc --target x86_64 add.wasm                       write add.aot for any x86-64 machine since 2009
  wamrc --target x86_64 --cpu x86-64-v3 -o fast.aot add.wasm
                                                       use AVX2; machines without it cannot run the code
  wamrc --target aarch64v8 --cpu cortex-a53 add.wasm   for a Raspberry Pi 3, 64 bits
  wamrc --target armv7 add.wasm                        for a Raspberry Pi 2, 32 bits
  wamrc --target thumbv7em --cpu cortex-m7 --xip add.wasm
                                                       for a microcontroller, to run from flash
  wamrc --target x86_64 --describe                     which CPU features a node must have, as JSON

CPUs and features of a target, in LLVM's words: llc-19 -march=x86-64 -mcpu=help (aarch64, arm, thumb).
Code in the AOT format is trusted like a native program: sign what you deploy (`bundle build --sign`).";
