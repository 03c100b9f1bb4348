//! From a module to native code.
//!
//! `wamrc` compiles, and says itself what its code needs: `wamrc --describe` prints one line of JSON. The file that it makes
//! does not say it: neither the CPU nor the bounds mode. That goes into the manifest.

use std::env::{self, consts::ARCH, consts::EXE_SUFFIX};
use std::path::{Path, PathBuf};
use std::process::Command;

use action_bundle::manifest::AotTarget;
use action_bundle::{Bounds, WamrVersion};
use anyhow::{Context, Result, bail, ensure};
use boards::Board;
use serde_json::Value;

use crate::tool::output_of;
use crate::{engine, progress};

const TO_INSTALL: &str = "build it with `cargo build -p wamrc` (it needs LLVM's development files), name it with --wamrc, \
                          or leave native code out with --no-aot";

/// What the command line asks to compile for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The instruction set, in the words of WAMR's compiler.
    name: String,
    /// The CPU, in LLVM's words. `None`: `wamrc` has a default, which does not depend on this machine.
    cpu: Option<String>,
    /// The ABI and the CPU's features, where a board says them. `None`: as for the CPU.
    abi: Option<String>,
    features: Option<String>,
    /// Code that can run where it lies, in flash.
    xip: bool,
}

impl Target {
    /// The targets of a command line: those of boards, each once, and `NAME` or `NAME:CPU`. None of either stands for this
    /// machine's instruction set.
    pub fn all(boards: &[String], targets: &[String], cpu: Option<&str>) -> Result<Vec<Self>> {
        let mut all = Vec::new();
        for board in boards {
            let target = Target::of_board(&Board::find(board)?);
            // Boards may have one CPU: what is compiled for one runs on the other.
            if !all.contains(&target) {
                all.push(target);
            }
        }
        if boards.is_empty() || !targets.is_empty() {
            all.extend(Target::named(targets, cpu)?);
        }
        Ok(all)
    }

    fn of_board(board: &Board) -> Self {
        Target {
            name: board.aot.target.clone(),
            cpu: Some(board.aot.cpu.clone()),
            abi: Some(board.aot.abi.clone()),
            features: Some(board.aot.features.clone()).filter(|features| !features.is_empty()),
            xip: board.aot.xip,
        }
    }

    fn named(targets: &[String], cpu: Option<&str>) -> Result<Vec<Self>> {
        if targets.is_empty() {
            let name = host().with_context(|| {
                format!(
                    "no native code for {ARCH}: name another machine's instruction set with --target, or use --no-aot"
                )
            })?;
            return Ok(vec![Target::plain(name, cpu)]);
        }
        ensure!(
            targets.len() == 1 || cpu.is_none(),
            "--cpu fits one target: with several, write --target TARGET:CPU"
        );
        let targets: Vec<Target> = targets
            .iter()
            .map(|text| Target::parse(text, cpu))
            .collect::<Result<_>>()?;
        for (index, target) in targets.iter().enumerate() {
            ensure!(
                !targets[..index].contains(target),
                "the target {} is given twice",
                target.name
            );
        }
        Ok(targets)
    }

    fn parse(text: &str, cpu: Option<&str>) -> Result<Self> {
        let (name, cpu) = match text.split_once(':') {
            Some(_) if cpu.is_some() => bail!("give the CPU once: with --cpu, or as in --target {text}"),
            Some((name, cpu)) => (name, Some(cpu)),
            None => (text, cpu),
        };
        Ok(Target::plain(name, cpu))
    }

    fn plain(name: &str, cpu: Option<&str>) -> Self {
        Target {
            name: name.to_owned(),
            cpu: cpu.map(str::to_owned),
            abi: None,
            features: None,
            xip: false,
        }
    }
}

/// This machine's instruction set, in the words of WAMR's compiler.
fn host() -> Option<&'static str> {
    match ARCH {
        "x86_64" => Some("x86_64"),
        "aarch64" => Some("aarch64v8"),
        "arm" => Some("armv7"),
        _ => None,
    }
}

/// What native code needs, as its compiler says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    pub target: String,
    pub cpu: String,
    cpu_features: String,
    bounds: Bounds,
    wamr: WamrVersion,
    aot_format: u32,
    interruptible: bool,
}

impl Description {
    /// Read `wamrc`'s line of JSON.
    fn parse(line: &[u8]) -> Option<Self> {
        let description: Value = serde_json::from_slice(line).ok()?;
        let text = |name: &str| description[name].as_str().map(str::to_owned);
        let features: Option<Vec<&str>> = description["cpu_features"]
            .as_array()?
            .iter()
            .map(Value::as_str)
            .collect();
        let mut wamr = description["wamr"]
            .as_str()?
            .split('.')
            .map(|number| number.parse().ok());
        let wamr = WamrVersion {
            major: wamr.next()??,
            minor: wamr.next()??,
            patch: wamr.next()??,
        };
        Some(Description {
            target: text("target")?,
            cpu: text("cpu")?,
            cpu_features: features?.join(","),
            bounds: match description["bounds"].as_str()? {
                "software" => Bounds::Software,
                "hardware" => Bounds::Hardware,
                _ => return None,
            },
            wamr,
            aot_format: description["aot_format"].as_u64()?.try_into().ok()?,
            interruptible: description["interruptible"].as_bool()?,
        })
    }

    /// The same, for a manifest.
    pub fn target(&self) -> AotTarget<'_> {
        AotTarget {
            target: &self.target,
            cpu: &self.cpu,
            cpu_features: &self.cpu_features,
            bounds: self.bounds,
            wamr: self.wamr,
            aot_format: self.aot_format,
            interruptible: self.interruptible,
        }
    }

    /// True if this machine's engine can load the code.
    pub fn is_host(&self) -> bool {
        host() == Some(&self.target)
    }
}

/// Native code.
pub struct Native {
    pub bytes: Vec<u8>,
    pub description: Description,
}

/// The ahead-of-time compiler.
pub struct Compiler<'a> {
    path: PathBuf,
    options: &'a [String],
    /// Compile code that can be stopped.
    interruptible: bool,
}

impl<'a> Compiler<'a> {
    /// The compiler that the command line names, else the one beside this program, else the one on the path.
    pub fn find(given: Option<&Path>, options: &'a [String], interruptible: bool) -> Self {
        let path = match given {
            Some(path) => path.to_owned(),
            None => beside_this_program().unwrap_or_else(|| PathBuf::from("wamrc")),
        };
        Compiler {
            path,
            options,
            interruptible,
        }
    }

    /// What code for a target would need.
    pub fn describe(&self, target: &Target) -> Result<Description> {
        let said = output_of(&mut self.command(target), TO_INSTALL)?;
        let description = Description::parse(&said).with_context(|| {
            format!(
                "{} is not this project's: it does not describe its code",
                self.path.display()
            )
        })?;
        let node = engine::node_target();
        ensure!(
            (description.bounds, description.wamr, description.aot_format) == (node.bounds, node.wamr, node.aot_format),
            "{} is of WAMR {} (AOT format {}, {} bounds checks), the executor of WAMR {} ({}, {}): build both again",
            self.path.display(),
            description.wamr,
            description.aot_format,
            description.bounds,
            node.wamr,
            node.aot_format,
            node.bounds
        );
        Ok(description)
    }

    /// Compile a module for a target.
    pub fn compile(&self, wasm: &[u8], target: &Target) -> Result<Native> {
        let description = self.describe(target)?;
        let folder = tempfile::tempdir()?;
        let (input, output) = (folder.path().join("module.wasm"), folder.path().join("module.aot"));
        std::fs::write(&input, wasm).with_context(|| format!("cannot write {}", input.display()))?;
        let step = progress::step(format!("compiling for {} ({})", description.target, description.cpu));
        output_of(self.command(target).arg("-o").arg(&output).arg(&input), TO_INSTALL)?;
        drop(step);
        let bytes = std::fs::read(&output).with_context(|| format!("{} wrote no file", self.path.display()))?;
        ensure!(
            aot_format(&bytes) == Some(description.aot_format),
            "{} wrote no AOT file of format {}",
            self.path.display(),
            description.aot_format
        );
        Ok(Native { bytes, description })
    }

    fn command(&self, target: &Target) -> Command {
        let mut command = Command::new(&self.path);
        command.args(["--describe", "--bounds", "software", "--target", &target.name]);
        command
            .args(target.cpu.iter().flat_map(|cpu| ["--cpu", cpu]))
            .args(target.abi.iter().flat_map(|abi| ["--target-abi", abi]))
            .args(target.features.iter().flat_map(|features| ["--cpu-features", features]))
            .args(target.xip.then_some("--xip"))
            .args(self.interruptible.then_some("--interruptible"))
            .args(self.options);
        command
    }
}

fn beside_this_program() -> Option<PathBuf> {
    let path = env::current_exe().ok()?.with_file_name(format!("wamrc{EXE_SUFFIX}"));
    path.is_file().then_some(path)
}

/// The format version in an AOT file's header.
fn aot_format(bytes: &[u8]) -> Option<u32> {
    let format = bytes.strip_prefix(b"\0aot")?.first_chunk()?;
    Some(u32::from_le_bytes(*format))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(targets: &[&str], cpu: Option<&str>) -> Result<Vec<Target>, String> {
        let targets: Vec<String> = targets.iter().map(|&target| target.to_owned()).collect();
        Target::all(&[], &targets, cpu).map_err(|error| error.to_string())
    }

    fn target(name: &str, cpu: Option<&str>) -> Target {
        Target::plain(name, cpu)
    }

    #[test]
    fn boards_name_targets_each_once() {
        let of = |boards: &[&str], targets: &[&str]| {
            let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
            Target::all(&owned(boards), &owned(targets), None)
        };
        let names = |targets: Vec<Target>| -> Vec<String> {
            targets
                .into_iter()
                .map(|target| format!("{}:{}", target.name, target.cpu.unwrap_or_default()))
                .collect()
        };
        let fleet = of(&["rpi-4", "rpi-3", "rpi-zero-2w", "rpi-2", "linux-amd64"], &[]).unwrap();
        let expected = [
            "aarch64v8:cortex-a72",
            "aarch64v8:cortex-a53",
            "armv7:cortex-a7",
            "x86_64:x86-64-v2",
        ];
        assert_eq!(names(fleet), expected);
        assert_eq!(
            names(of(&["rpi-2"], &["x86_64"]).unwrap()),
            ["armv7:cortex-a7", "x86_64:"]
        );
        let rpi_2 = of(&["rpi-2"], &[]).unwrap().remove(0);
        assert_eq!(
            (rpi_2.abi.as_deref(), rpi_2.features.as_deref()),
            (Some("gnueabihf"), Some("-neon"))
        );
        assert!(
            of(&["rpi-9"], &[])
                .unwrap_err()
                .to_string()
                .contains("no board `rpi-9`")
        );
    }

    #[test]
    fn targets_are_told_apart() {
        assert_eq!(targets(&["x86_64"], None), Ok(vec![target("x86_64", None)]));
        assert_eq!(
            targets(&["x86_64"], Some("x86-64")),
            Ok(vec![target("x86_64", Some("x86-64"))])
        );
        assert_eq!(
            targets(&["x86_64:x86-64-v3", "aarch64v8:cortex-a72", "x86_64"], None),
            Ok(vec![
                target("x86_64", Some("x86-64-v3")),
                target("aarch64v8", Some("cortex-a72")),
                target("x86_64", None)
            ])
        );
        assert_eq!(targets(&[], None).map(|targets| targets.len()), Ok(1));
        for (names, cpu, text) in [
            (&["x86_64:x86-64"][..], Some("x86-64"), "once"),
            (&["x86_64", "armv7"], Some("x86-64"), "TARGET:CPU"),
            (&["x86_64", "x86_64"], None, "twice"),
        ] {
            let error = targets(names, cpu).unwrap_err();
            assert!(error.contains(text), "{names:?}: {error}");
        }
    }

    #[test]
    fn the_compiler_describes_its_code() {
        let line = r#"{"aot_format":6,"bounds":"software","cpu":"x86-64-v2","cpu_features":["popcnt","sse4.2"],
            "interruptible":true,"target":"x86_64","wamr":"2.4.5","wamrc":"0.1.0"}"#;
        let description = Description::parse(line.as_bytes()).unwrap();
        let expected = AotTarget {
            target: "x86_64",
            cpu: "x86-64-v2",
            cpu_features: "popcnt,sse4.2",
            bounds: Bounds::Software,
            wamr: WamrVersion {
                major: 2,
                minor: 4,
                patch: 5,
            },
            aot_format: 6,
            interruptible: true,
        };
        assert_eq!(description.target(), expected);
        for (from, to) in [
            ("\"aot_format\":6,", ""),
            ("6", "-6"),
            ("true", "1"),
            ("software", "none"),
            ("\"sse4.2\"", "42"),
            ("2.4.5", "2.4"),
            ("2.4.5", "2.x.5"),
            ("{", ""),
        ] {
            assert_eq!(
                Description::parse(line.replacen(from, to, 1).as_bytes()),
                None,
                "{from} -> {to}"
            );
        }
    }

    #[test]
    fn an_aot_file_says_its_format() {
        assert_eq!(aot_format(b"\0aot\x06\0\0\0rest"), Some(6));
        assert_eq!(aot_format(b"\0aot\x06\0\0"), None);
        assert_eq!(aot_format(b"\0asm\x01\0\0\0"), None);
    }
}
