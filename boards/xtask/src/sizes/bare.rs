//! What a board without an operating system takes, and how many warm containers it holds: it is filled until one has to go, or
//! is refused.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use boards::{Bare, Board, Run};
use object::{Object, ObjectSection};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{FILE_TOLERANCE_PERCENT, MEMORY_TOLERANCE_PERCENT, Row, row};
use crate::build;
use crate::http::{Connection, Reply};
use crate::invoker::{ANSWER, INPUT, init_body_of};
use crate::project::Project;
use crate::running::Running;
use crate::shell::Shell;
use crate::toolchain::Toolchains;

/// What an image takes, in bytes, and what the board holds then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BareSizes {
    /// In flash, or copied from there at the start.
    flash: u64,
    /// Static memory with stacks.
    ram: u64,
    /// Of a board whose program runs here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    interpreted: Option<Capacity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aot: Option<Capacity>,
}

/// Warm containers of `add` that a board holds at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Capacity {
    /// All of one content. The last place may be that of the container that an image has for its action port.
    same: u64,
    /// Bytes that one of those takes.
    same_bytes: u64,
    /// Each of another content.
    different: u64,
    /// Bytes that one of those takes.
    different_bytes: u64,
}

/// One more or less, as the allocators' pieces fall.
const COUNT_TOLERANCE: u64 = 1;
/// Of so many bytes, and as many percent: as among more or fewer containers.
const BYTES_TOLERANCE: u64 = 64;

impl BareSizes {
    pub fn rows(&self) -> Vec<Row> {
        let percent = |value, percent| value * percent / 100;
        let file = |what, value| row(what, value, percent(value, FILE_TOLERANCE_PERCENT));
        let bytes = |what, value| row(what, value, BYTES_TOLERANCE + percent(value, MEMORY_TOLERANCE_PERCENT));
        let count = |what, value| row(what, value, COUNT_TOLERANCE);
        let mut rows = vec![file("flash", self.flash), file("ram", self.ram)];
        if let Some(capacity) = &self.interpreted {
            rows.extend([
                count("interpreted.same", capacity.same),
                bytes("interpreted.same_bytes", capacity.same_bytes),
                count("interpreted.different", capacity.different),
                bytes("interpreted.different_bytes", capacity.different_bytes),
            ]);
        }
        if let Some(capacity) = &self.aot {
            rows.extend([
                count("aot.same", capacity.same),
                bytes("aot.same_bytes", capacity.same_bytes),
                count("aot.different", capacity.different),
                bytes("aot.different_bytes", capacity.different_bytes),
            ]);
        }
        rows
    }

    /// For people.
    pub fn describe(&self, board: &str) -> String {
        let kib = |bytes: u64| bytes as f64 / 1024.0;
        let capacity = |mode: &str, capacity: &Capacity| {
            format!(
                "{board:<12} {mode:>11}: {} warm containers of one action, {} bytes each, or {} of different ones, {:.1} KiB \
                 each\n",
                capacity.same,
                capacity.same_bytes,
                capacity.different,
                kib(capacity.different_bytes)
            )
        };
        let mut text = format!(
            "{board:<12} flash {:.1} KiB, static memory and stacks {:.1} KiB\n",
            kib(self.flash),
            kib(self.ram)
        );
        text.extend(self.interpreted.iter().map(|of| capacity("interpreted", of)));
        text.extend(self.aot.iter().map(|of| capacity("AOT", of)));
        text
    }
}

/// Measure a board, and hold its image against the budgets of its board.toml.
pub fn measure(
    project: &Project,
    shell: Shell,
    board: &Board,
    bare: &Bare,
    toolchains: &Toolchains,
) -> Result<BareSizes> {
    let program = build::executor(project, shell, board, &toolchains.board)?;
    let (flash, ram) = flash_and_ram(&program, bare)?;
    if flash > bare.flash_max_kib * 1024 || ram > bare.ram_max_kib * 1024 {
        bail!(
            "{}: {flash} bytes of flash and {ram} of RAM are beyond the budgets of its board.toml",
            board.name
        );
    }
    let mut sizes = BareSizes {
        flash,
        ram,
        interpreted: None,
        aot: None,
    };
    if matches!(board.run, Run::HardwareOnly {}) {
        return Ok(sizes);
    }
    let module = build::module(project, shell, &toolchains.guests, "add", "wasm32-unknown-unknown", "")?;
    let folder = tempfile::tempdir()?;
    let native = NativeCode::new(project, shell, board, &module, folder.path())?;
    let module = fs::read(module)?;

    shell.say(&format!("filling {}", board.name));
    let start = || {
        let mut command = build::command(project, board, &program);
        command.arg("invoker");
        Running::start(command)
    };
    let capacity = |code: &dyn Fn(u64) -> Result<Vec<u8>>| -> Result<Capacity> {
        let (same, different) = (fill(&start()?, &|_| code(0))?, fill(&start()?, code)?);
        Ok(Capacity {
            same: same.containers,
            same_bytes: same.each_bytes,
            different: different.containers,
            different_bytes: different.each_bytes,
        })
    };
    sizes.interpreted = Some(capacity(&|number| Ok(different_module(&module, number)))?);
    sizes.aot = Some(capacity(&|number| native.different(number))?);
    Ok(sizes)
}

/// The sections that lie in flash, or are copied from there at the start; and those that lie in RAM.
fn flash_and_ram(program: &Path, bare: &Bare) -> Result<(u64, u64)> {
    let bytes = fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
    let file = object::File::parse(&*bytes).with_context(|| format!("{} is not a program", program.display()))?;
    let within = |address: u64, area: boards::Area| (area.start..area.start + area.kib * 1024).contains(&address);
    let (mut flash, mut ram) = (0, (bare.stack_kib + bare.handler_stack_kib) * 1024);
    for section in file.sections().filter(|section| section.size() > 0) {
        let is_loaded = matches!(section.flags(), object::SectionFlags::Elf { sh_flags } if sh_flags & 2 != 0);
        if is_loaded && within(section.address(), bare.flash) {
            flash += section.size();
        } else if is_loaded && within(section.address(), bare.ram) {
            ram += section.size();
            if section.kind() == object::SectionKind::Data {
                flash += section.size();
            }
        }
    }
    Ok((flash, ram))
}

/// A board that takes no more.
struct Full {
    containers: u64,
    /// What one container has taken, beside the first.
    each_bytes: u64,
}

/// Start warm containers, each with the code of its number, until one has gone or is refused.
fn fill(running: &Running, code: &dyn Fn(u64) -> Result<Vec<u8>>) -> Result<Full> {
    let mut client = Connection::open(running.address)?;
    let (beside, _) = status(running)?;
    let mut first = None;
    let mut full = None;
    for number in 0.. {
        let init = init_body_of(&code(number)?);
        let replies = [
            client.post(&format!("/w{number}/init"), &init)?,
            client.post(&format!("/w{number}/run"), INPUT)?,
        ];
        let is_warm = replies.iter().all(|reply| reply.status == 200) && replies[1].body == ANSWER;
        let (containers, taken) = status(running)?;
        if !is_warm || containers < beside + number + 1 {
            let is_refusal = |reply: &Reply| [200, 403, 404, 429, 500, 502].contains(&reply.status);
            ensure!(replies.iter().all(is_refusal), "refused with {}", replies[0].status);
            break;
        }
        let first = *first.get_or_insert(taken);
        full = Some(Full {
            containers: number + 1,
            each_bytes: taken.saturating_sub(first) / number.max(1),
        });
    }
    full.context("not one container fits")
}

/// What a board tells of itself: how many containers it has, and how many bytes are taken.
fn status(running: &Running) -> Result<(u64, u64)> {
    let reply = Connection::open(running.address)?.get("/")?;
    let status: Value = serde_json::from_str(&reply.body)?;
    let number = |pointer: &str| {
        let number = status.pointer(pointer).and_then(Value::as_u64);
        number.with_context(|| format!("no {pointer} in {}", reply.body))
    };
    let taken = number("/memory/engine_bytes")? + number("/memory/bodies_bytes")?;
    Ok((number("/containers")?, taken))
}

/// A module that does the same as `module` and is not the same: it has a custom section of its own.
pub fn different_module(module: &[u8], number: u64) -> Vec<u8> {
    // Section 0; 5 bytes; a name of 4.
    let section = format!("\0\x05\x04{number:04}");
    [module, section.as_bytes()].concat()
}

/// A bundle of native code, and what it takes to make others that do the same.
struct NativeCode {
    bundle: Vec<u8>,
    /// The artifact in it.
    artifact: Range<usize>,
    /// Where the manifest has its hash.
    hash: usize,
    /// A text of the action's that is not its answer.
    text: usize,
    tool: PathBuf,
    key: PathBuf,
    file: PathBuf,
}

const TEXT: &[u8] = b"Expected param";

impl NativeCode {
    fn new(project: &Project, shell: Shell, board: &Board, module: &Path, folder: &Path) -> Result<Self> {
        let tools = build::tools(project, shell)?;
        let (key, _) = build::key(project, shell, &tools)?;
        let file = folder.join("native.zip");
        let mut command = Command::new(&tools.bundle);
        command
            .arg("build")
            .arg(module)
            .args(["--board", &board.name, "--no-wasm"]);
        command.arg("--wamrc").arg(&tools.wamrc).arg("--output").arg(&file);
        shell.run("bundle of native code", &mut command)?;
        let bundle = fs::read(&file)?;
        let find = |bytes: &[u8], what: &str| {
            let place = bundle.windows(bytes.len()).position(|window| window == bytes);
            place.with_context(|| format!("the bundle has no {what}"))
        };
        // The last entry, before the zip's directory.
        let artifact = find(b"\0aot", "artifact")?..find(b"PK\x01\x02", "directory")?;
        Ok(NativeCode {
            hash: find(hash(&bundle, &artifact)?.as_bytes(), "hash of its artifact")?,
            text: find(TEXT, "text")?,
            bundle,
            artifact,
            tool: tools.bundle,
            key,
            file,
        })
    }

    /// The bundle with another text in its native code, signed.
    fn different(&self, number: u64) -> Result<Vec<u8>> {
        let mut bundle = self.bundle.clone();
        overwrite(&mut bundle, self.text, format!("{number:04}").as_bytes())?;
        let hash = hash(&bundle, &self.artifact)?;
        overwrite(&mut bundle, self.hash, hash.as_bytes())?;
        fs::write(&self.file, &bundle)?;
        let mut command = Command::new(&self.tool);
        command.arg("sign").arg(&self.file).arg("--key").arg(&self.key);
        let output = command.output()?;
        ensure!(
            output.status.success(),
            "not signed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(fs::read(&self.file)?)
    }
}

fn hash(bundle: &[u8], range: &Range<usize>) -> Result<blake3::Hash> {
    bundle
        .get(range.clone())
        .map(blake3::hash)
        .context("the bundle is cut off")
}

fn overwrite(bundle: &mut [u8], at: usize, bytes: &[u8]) -> Result<()> {
    let place = bundle.get_mut(at..at + bytes.len()).context("the bundle is cut off")?;
    place.copy_from_slice(bytes);
    Ok(())
}
