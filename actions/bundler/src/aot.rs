//! From a module to native code.
//!
//! `wamrc` compiles; this decides for what. Target, CPU and bounds mode are always passed: WAMR's compiler would take the
//! build machine's CPU, and the file that it makes does not say which bounds mode it has.

use std::env::{self, consts::ARCH, consts::EXE_SUFFIX};
use std::path::{Path, PathBuf};
use std::process::Command;

use action_bundle::{Bounds, WamrVersion};
use anyhow::{Context, Result, bail, ensure};

use crate::progress;
use crate::tool::output_of;

const TO_INSTALL: &str = "build it with `cargo build -p wamrc` (it needs LLVM's development files), name it with --wamrc, \
                          or leave native code out with --no-aot";

/// What to compile for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The instruction set, in the words of WAMR's compiler.
    pub name: String,
    /// The CPU, in LLVM's words.
    pub cpu: String,
    /// What the CPU has beyond the target's baseline, by `rustc`'s names, with commas.
    pub cpu_features: String,
}

/// A target's CPU, and the features that LLVM may use for it beyond the baseline of the target. The first CPU of a target is
/// its default.
///
/// Sources: the x86-64 psABI's micro-architecture levels (without LAHF and SAHF, which every CPU with SSE4.2 has), LLVM's
/// `AArch64Processors.td` and `ARMProcessors.td`.
const CPUS: [(&str, &str, &str); 14] = [
    ("x86_64", "x86-64-v2", "cmpxchg16b,popcnt,sse3,ssse3,sse4.1,sse4.2"),
    ("x86_64", "x86-64", ""),
    (
        "x86_64",
        "x86-64-v3",
        "avx,avx2,bmi1,bmi2,cmpxchg16b,f16c,fma,lzcnt,movbe,popcnt,sse3,ssse3,sse4.1,sse4.2",
    ),
    ("aarch64v8", "generic", ""),
    ("aarch64v8", "cortex-a53", "crc"),
    ("aarch64v8", "cortex-a57", "crc"),
    ("aarch64v8", "cortex-a72", "crc"),
    ("aarch64v8", "cortex-a73", "crc"),
    ("armv7", "cortex-a7", "neon,vfp4"),
    ("armv7", "cortex-a8", "neon"),
    ("armv7", "cortex-a9", "neon"),
    ("armv7", "cortex-a15", "neon,vfp4"),
    ("thumbv7em", "cortex-m4", "vfp4d16sp"),
    ("thumbv7em", "cortex-m7", "fp-armv8d16"),
];

impl Target {
    /// The targets of a command line: `NAME` or `NAME:CPU` each; none stands for this machine.
    pub fn all(targets: &[String], cpu: Option<&str>, needs: Option<&str>) -> Result<Vec<Self>> {
        let host = host()?.to_owned();
        let targets = if targets.is_empty() {
            std::slice::from_ref(&host)
        } else {
            targets
        };
        if targets.len() > 1 {
            ensure!(
                cpu.is_none(),
                "--cpu fits one target: with several, write --target TARGET:CPU"
            );
            ensure!(needs.is_none(), "--needs fits one target: build the others without it");
        }
        let targets: Vec<Target> = targets
            .iter()
            .map(|text| Target::parse(text, cpu, needs))
            .collect::<Result<_>>()?;
        for (index, target) in targets.iter().enumerate() {
            ensure!(
                !targets[..index].contains(target),
                "the target {}:{} is given twice",
                target.name,
                target.cpu
            );
        }
        Ok(targets)
    }

    fn parse(text: &str, cpu: Option<&str>, needs: Option<&str>) -> Result<Self> {
        let (name, cpu) = match text.split_once(':') {
            Some((_, _)) if cpu.is_some() => bail!("give the CPU once: with --cpu, or as in --target {text}"),
            Some((name, cpu)) => (name, Some(cpu)),
            None => (text, cpu),
        };
        let default = CPUS.iter().find(|(target, ..)| *target == name);
        if needs.is_none() && default.is_none() {
            let mut known: Vec<&str> = CPUS.iter().map(|(target, ..)| *target).collect();
            known.dedup();
            bail!(
                "unknown target {name}: the known ones are {}; for another, give --cpu and --needs",
                known.join(", ")
            );
        }
        let cpu = match (cpu, default) {
            (Some(cpu), _) => cpu,
            (None, Some((_, cpu, _))) => cpu,
            (None, None) => bail!("give the CPU of the target {name} with --cpu"),
        };
        let known = CPUS.iter().find(|(target, other, _)| *target == name && *other == cpu);
        let cpu_features = match (needs, known) {
            (Some(needs), _) => needs,
            (None, Some((.., features))) => features,
            (None, None) => bail!(
                "`bundle` does not know what the CPU {cpu} has: say what the code needs with --needs, \
                 so that only nodes which have it run the code"
            ),
        };
        Ok(Target {
            name: name.to_owned(),
            cpu: cpu.to_owned(),
            cpu_features: cpu_features.to_owned(),
        })
    }

    /// True if code for this target runs on this machine, by its instruction set.
    pub fn is_host(&self) -> bool {
        host().is_ok_and(|host| host == self.name)
    }
}

/// This machine's instruction set, in the words of WAMR's compiler.
fn host() -> Result<&'static str> {
    match ARCH {
        "x86_64" => Ok("x86_64"),
        "aarch64" => Ok("aarch64v8"),
        "arm" => Ok("armv7"),
        other => bail!("no native code for {other}: name another machine's target with --target, or use --no-aot"),
    }
}

/// Native code, compiled and looked at.
pub struct Native {
    pub bytes: Vec<u8>,
    pub bounds: Bounds,
    pub aot_format: u32,
}

/// The ahead-of-time compiler, found.
pub struct Compiler {
    path: PathBuf,
    pub wamr: WamrVersion,
}

impl Compiler {
    /// Find the compiler: where the command line says, else beside this program, else on the path.
    pub fn find(given: Option<&Path>) -> Result<Self> {
        let path = match given {
            Some(path) => path.to_owned(),
            None => beside_this_program().unwrap_or_else(|| PathBuf::from("wamrc")),
        };
        let said = output_of(Command::new(&path).arg("--version"), TO_INSTALL)?;
        let said = String::from_utf8_lossy(&said);
        let wamr = wamr_version(&said)
            .with_context(|| format!("{} does not say which WAMR it is of: `{}`", path.display(), said.trim()))?;
        Ok(Compiler { path, wamr })
    }

    /// Compile a module for a target.
    pub fn compile(&self, wasm: &[u8], target: &Target) -> Result<Native> {
        let folder = tempfile::tempdir()?;
        let (input, output) = (folder.path().join("module.wasm"), folder.path().join("module.aot"));
        std::fs::write(&input, wasm).with_context(|| format!("cannot write {}", input.display()))?;
        let bounds = Bounds::Software;
        let mut command = Command::new(&self.path);
        command
            .args([
                "--target",
                &target.name,
                "--cpu",
                &target.cpu,
                "--bounds",
                "software",
                "-o",
            ])
            .arg(&output)
            .arg(&input);
        let step = progress::step(format!("compiling for {} ({})", target.name, target.cpu));
        output_of(&mut command, TO_INSTALL)?;
        drop(step);
        let bytes = std::fs::read(&output).with_context(|| format!("{} wrote no file", self.path.display()))?;
        let aot_format = aot_format(&bytes).with_context(|| format!("{} wrote no AOT file", self.path.display()))?;
        if target.is_host() {
            load_once(&bytes).with_context(|| {
                format!(
                    "the engine does not load the code for {}: report this, and use --no-aot meanwhile",
                    target.name
                )
            })?;
        }
        Ok(Native {
            bytes,
            bounds,
            aot_format,
        })
    }
}

/// Load native code for this machine into the engine, and forget it: some modules compile to code that does not load.
fn load_once(_aot: &[u8]) -> Result<()> {
    Ok(())
}

fn beside_this_program() -> Option<PathBuf> {
    let path = env::current_exe().ok()?.with_file_name(format!("wamrc{EXE_SUFFIX}"));
    path.is_file().then_some(path)
}

/// The version behind the word `WAMR`.
fn wamr_version(said: &str) -> Option<WamrVersion> {
    let words = said.split(|character: char| character.is_whitespace() || "(),".contains(character));
    let mut after = words.skip_while(|word| *word != "WAMR").skip(1);
    let mut numbers = after.next()?.split('.').map(|number| number.parse().ok());
    let version = WamrVersion {
        major: numbers.next()??,
        minor: numbers.next()??,
        patch: numbers.next()??,
    };
    numbers.next().is_none().then_some(version)
}

/// The format version in an AOT file's header.
fn aot_format(bytes: &[u8]) -> Option<u32> {
    let format = bytes.strip_prefix(b"\0aot")?.first_chunk()?;
    Some(u32::from_le_bytes(*format))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(targets: &[&str], cpu: Option<&str>, needs: Option<&str>) -> Result<Vec<Target>, String> {
        let targets: Vec<String> = targets.iter().map(|&target| target.to_owned()).collect();
        Target::all(&targets, cpu, needs).map_err(|error| error.to_string())
    }

    fn target(name: &str, cpu: &str, cpu_features: &str) -> Target {
        Target {
            name: name.to_owned(),
            cpu: cpu.to_owned(),
            cpu_features: cpu_features.to_owned(),
        }
    }

    #[test]
    fn targets_are_complete_or_refused() {
        let v2 = "cmpxchg16b,popcnt,sse3,ssse3,sse4.1,sse4.2";
        assert_eq!(
            targets(&["x86_64"], None, None),
            Ok(vec![target("x86_64", "x86-64-v2", v2)])
        );
        assert_eq!(
            targets(&["x86_64"], Some("x86-64"), None),
            Ok(vec![target("x86_64", "x86-64", "")])
        );
        assert_eq!(
            targets(&["x86_64:x86-64", "aarch64v8:cortex-a72", "x86_64"], None, None),
            Ok(vec![
                target("x86_64", "x86-64", ""),
                target("aarch64v8", "cortex-a72", "crc"),
                target("x86_64", "x86-64-v2", v2)
            ])
        );
        assert_eq!(
            targets(&["x86_64"], Some("znver4"), Some("avx")),
            Ok(vec![target("x86_64", "znver4", "avx")])
        );
        assert_eq!(
            targets(&["riscv64:sifive-u74"], None, Some("")),
            Ok(vec![target("riscv64", "sifive-u74", "")])
        );
        for (names, cpu, needs, text) in [
            (&["x86_64"][..], Some("znver4"), None, "--needs"),
            (&["mips"], None, None, "x86_64, aarch64v8, armv7, thumbv7em"),
            (&["riscv64"], None, Some(""), "--cpu"),
            (&["x86_64:x86-64"], Some("x86-64"), None, "once"),
            (&["x86_64", "armv7"], Some("x86-64"), None, "TARGET:CPU"),
            (&["x86_64", "x86_64:x86-64-v2"], None, None, "twice"),
        ] {
            let error = targets(names, cpu, needs).unwrap_err();
            assert!(error.contains(text), "{names:?}: {error}");
        }
    }

    #[test]
    fn the_compiler_says_its_version() {
        let version = |major, minor, patch| Some(WamrVersion { major, minor, patch });
        for (said, expected) in [
            ("wamrc 0.1.0 (WAMR 2.4.5)\n", version(2, 4, 5)),
            ("wamrc 0.1.0, WAMR 2.4.5, AOT format 6", version(2, 4, 5)),
            ("wamrc 2.4.5", None),
            ("WAMR 2.4", None),
            ("WAMR 2.4.5.6", None),
            ("WAMR", None),
        ] {
            assert_eq!(wamr_version(said), expected, "{said:?}");
        }
    }

    #[test]
    fn an_aot_file_says_its_format() {
        assert_eq!(aot_format(b"\0aot\x06\0\0\0rest"), Some(6));
        assert_eq!(aot_format(b"\0aot\x06\0\0"), None);
        assert_eq!(aot_format(b"\0asm\x01\0\0\0"), None);
    }
}
