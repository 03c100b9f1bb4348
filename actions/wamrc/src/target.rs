//! What a module is compiled for: instruction set, ABI, CPU. All three are always passed to WAMR's compiler, whose own
//! defaults come from the machine that it runs on.

use std::fmt;

use anyhow::{Result, bail};

use crate::symbols;

/// A target that this project's boards use, with its documented baseline: every machine of the kind runs the code.
struct Known {
    name: &'static str,
    abi: &'static str,
    /// The default, in LLVM's words.
    cpu: &'static str,
    /// The default, where the CPU's name leaves it open.
    features: &'static str,
    /// What `rustc`'s target of this kind takes for granted, as LLVM's CPU and features: features are counted from here.
    baseline: (&'static str, &'static str),
}

const KNOWN: [Known; 5] = [
    // The x86-64 psABI's second level: every x86-64 machine since 2009 (Nehalem, Jaguar). With it, rounding and counting
    // bits are instructions; with the first level they are calls.
    Known {
        name: "x86_64",
        abi: "gnu",
        cpu: "x86-64-v2",
        features: "",
        baseline: ("x86-64", ""),
    },
    // Armv8.0-A with floating point and Advanced SIMD: what AArch64 Linux asks for.
    Known {
        name: "aarch64v8",
        abi: "gnu",
        cpu: "generic",
        features: "",
        baseline: ("generic", ""),
    },
    // The smallest core of its generation: Armv7-A with division and VFPv4. Whether Armv7 includes NEON depends on who built
    // LLVM (Debian says no), so it is always said.
    Known {
        name: "armv7",
        abi: "gnueabihf",
        cpu: "cortex-a7",
        features: "-neon",
        baseline: ("generic", "+vfp3d16,-neon"),
    },
    // Armv6 with VFPv2, the one core of its kind that still runs Linux (the first Raspberry Pi, and Zero). Debian's ABI for
    // it passes floating-point numbers in integer registers.
    Known {
        name: "armv6",
        abi: "eabi",
        cpu: "arm1176jzf-s",
        features: "",
        baseline: ("generic", ""),
    },
    // Armv7E-M with single-precision floating point; a Cortex-M7 runs it too.
    Known {
        name: "thumbv7em",
        abi: "eabihf",
        cpu: "cortex-m4",
        features: "",
        baseline: ("generic", "-fpregs"),
    },
];

/// A target, complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The instruction set, in WAMR's words.
    pub name: String,
    /// The ABI, as the end of an LLVM triple.
    pub abi: String,
    /// The CPU, in LLVM's words.
    pub cpu: String,
    /// Features to add or to leave out, in LLVM's words: `+crc,-neon`. Empty: those of the CPU.
    pub features: String,
}

impl Target {
    /// Complete what the command line says.
    ///
    /// # Errors
    /// The target is a triple, or it is not one of the table and no CPU is given.
    pub fn new(name: &str, abi: Option<&str>, cpu: Option<&str>, features: Option<&str>) -> Result<Self> {
        if name.contains('-') {
            bail!(
                "`{name}` looks like a triple: pass the instruction set alone (x86_64, aarch64v8, armv7, armv6, thumbv7em) and the \
                 ABI with --target-abi"
            );
        }
        let known = KNOWN.iter().find(|known| known.name == name);
        let abi = match (abi, known) {
            (Some(abi), _) => abi,
            (None, Some(known)) => known.abi,
            (None, None) => default_abi(name),
        };
        let cpu = match (cpu, known) {
            (Some(cpu), _) => cpu,
            (None, Some(known)) => known.cpu,
            (None, None) => bail!(
                "there is no default CPU for the target `{name}`: pass one with --cpu (`llc-19 -march=… -mcpu=help` lists them)"
            ),
        };
        Ok(Target {
            name: name.to_owned(),
            abi: abi.to_owned(),
            cpu: cpu.to_owned(),
            features: features
                .or(known.map(|known| known.features))
                .unwrap_or_default()
                .to_owned(),
        })
    }

    /// LLVM's triple, as WAMR makes it: Thumb code is for bare metal, everything else for Linux.
    pub fn triple(&self) -> String {
        let system = if self.name.starts_with("thumb") {
            "unknown-none"
        } else {
            "pc-linux"
        };
        format!("{}-{system}-{}", self.name, self.abi)
    }

    /// The CPU and the features that need not be named, since every machine of the target has them.
    pub fn baseline(&self) -> (&'static str, &'static str) {
        KNOWN
            .iter()
            .find(|known| known.name == self.name)
            .map_or(("generic", ""), |known| known.baseline)
    }

    /// The builtin functions to call in place of instructions in code that runs from flash (`--xip`), where a constant or a
    /// library call would need a relocation. Empty: WAMR's own choice.
    pub fn xip_intrinsics(&self) -> &'static str {
        match (self.name.starts_with("thumb"), self.has_doubles()) {
            (false, _) => "",
            // What the processor has no instruction for.
            (true, true) => "i64.common,fpxint",
            (true, false) => "i64.common,i32.common,f64.common,f32.common,fpxint,f64_promote_f32,f32_demote_f64",
        }
    }

    /// Whether a Thumb CPU is known to have all instructions for floating-point numbers.
    fn has_doubles(&self) -> bool {
        self.cpu == "cortex-m7" && self.features.is_empty()
    }

    /// The functions that the runtime supplies to the code; `None` if this program does not know.
    pub fn runtime_symbols(&self) -> Option<&'static [&'static str]> {
        let processors = [
            ("x86_64", symbols::X86_64),
            ("aarch64", symbols::AARCH64),
            ("arm", symbols::ARM),
            ("thumb", symbols::THUMB),
            ("riscv", symbols::RISCV),
        ];
        processors
            .into_iter()
            .find(|(prefix, _)| self.name.starts_with(prefix))
            .map(|(_, symbols)| symbols)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.name, self.cpu, self.abi)
    }
}

/// WAMR's own defaults, for the targets that are not in the table.
fn default_abi(name: &str) -> &'static str {
    match name {
        "riscv64" => "lp64d",
        "riscv32" => "ilp32d",
        _ if name.starts_with("thumb") => "eabi",
        _ => "gnu",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_completed_or_refused() {
        for (name, expected) in [
            ("x86_64", "x86_64 (x86-64-v2, gnu)"),
            ("aarch64v8", "aarch64v8 (generic, gnu)"),
            ("armv7", "armv7 (cortex-a7, gnueabihf)"),
            ("armv6", "armv6 (arm1176jzf-s, eabi)"),
            ("thumbv7em", "thumbv7em (cortex-m4, eabihf)"),
        ] {
            let target = Target::new(name, None, None, None).map(|target| target.to_string());
            assert_eq!(target.expect("a known target"), expected);
        }
        let chosen = Target::new("riscv64", None, Some("sifive-u74"), Some("+zbb")).expect("a CPU is given");
        assert_eq!(chosen.to_string(), "riscv64 (sifive-u74, lp64d)");
        assert_eq!(chosen.triple(), "riscv64-pc-linux-lp64d");
        assert_eq!(chosen.features, "+zbb");
        for (name, expected) in [("riscv64", "--cpu"), ("x86_64-unknown-linux-gnu", "--target-abi")] {
            let error = Target::new(name, None, None, None).expect_err("incomplete").to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn thumb_code_is_for_bare_metal() {
        let target = Target::new("thumbv7em", None, Some("cortex-m7"), None).expect("a known target");
        assert_eq!(target.triple(), "thumbv7em-unknown-none-eabihf");
        assert!(
            target
                .runtime_symbols()
                .is_some_and(|symbols| symbols.contains(&"__aeabi_lmul"))
        );
    }

    #[test]
    fn neon_is_always_said() {
        let features = |cpu, features| Target::new("armv7", None, cpu, features).map(|target| target.features);
        assert_eq!(features(None, None).ok().as_deref(), Some("-neon"));
        assert_eq!(features(Some("cortex-a9"), None).ok().as_deref(), Some("-neon"));
        assert_eq!(features(None, Some("+neon")).ok().as_deref(), Some("+neon"));
    }

    #[test]
    fn the_runtime_supplies_what_its_source_lists() {
        let symbols = |name| {
            Target::new(name, None, None, None)
                .ok()
                .and_then(|target| target.runtime_symbols())
        };
        for name in ["x86_64", "aarch64v8", "armv7", "armv6", "thumbv7em"] {
            let symbols = symbols(name).expect("a known target");
            assert!(symbols.contains(&"aot_set_exception_with_id"), "{name}");
            assert!(symbols.contains(&"aot_table_grow"), "{name}: reference types are on");
            assert!(
                !symbols.contains(&"wasm_runtime_atomic_wait"),
                "{name}: shared memory is off"
            );
            assert!(!symbols.contains(&"__udivti3"), "{name}");
        }
    }
}
