//! `cargo xtask sizes`: what each board's executor takes, held against the committed table.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use boards::{Bare, Board};
use object::{Object, ObjectSection};
use serde::{Deserialize, Serialize};

use crate::demo::{self, Demonstration};
use crate::invoker::{Invoker, Then};
use crate::project::Project;
use crate::shell::Shell;
use crate::toolchain::{Toolchain, Toolchains};

/// Containers among which the memory of a warm one is counted. Memory comes in pages and arenas: among few, one of those
/// would show.
const CONTAINERS: usize = 400;
/// The same for containers of which each has another action.
const ACTIONS: usize = 100;

/// Compilers differ a little from version to version, and so does what they make.
const FILE_TOLERANCE_PERCENT: u64 = 5;
/// Pages and arenas are taken at another moment in each run.
const MEMORY_TOLERANCE_PERCENT: u64 = 15;
/// What never matters: a few pages.
const MEMORY_TOLERANCE_BYTES: u64 = 64 * 1024;
/// A page: 2 to 5 KiB were seen of one and the same program. What is not shared any more is twenty times as much.
const CONTAINER_TOLERANCE_BYTES: u64 = 4096;

/// What a board's executor takes, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sizes {
    /// The static, stripped program.
    binary: u64,
    /// Its section `.text`.
    text: u64,
    /// Resident memory of an invoker that waits.
    idle: u64,
    /// Resident memory that one more warm container of an action adds which has others, interpreted.
    interpreted_container: u64,
    /// The same, as native code.
    aot_container: u64,
    /// Resident memory that the first warm container of one more action adds, interpreted, with its linear memory of one page
    /// (64 KiB).
    interpreted_action: u64,
}

/// What the program of a board without an operating system takes, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BareSizes {
    /// Of the flash.
    flash: u64,
    /// Static memory with stacks.
    ram: u64,
}

/// What a board's executor takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Entry {
    Process(Sizes),
    Bare(BareSizes),
}

/// One number of an entry.
struct Quantity {
    name: &'static str,
    bytes: u64,
    /// What does not matter.
    tolerance: u64,
}

impl Entry {
    fn quantities(&self) -> Vec<Quantity> {
        let quantity = |name, bytes: u64, percent, least: u64| Quantity {
            name,
            bytes,
            tolerance: least.max(bytes * percent / 100),
        };
        let file = |name, bytes| quantity(name, bytes, FILE_TOLERANCE_PERCENT, 0);
        let memory = |name, bytes, least| quantity(name, bytes, MEMORY_TOLERANCE_PERCENT, least);
        match *self {
            Entry::Bare(BareSizes { flash, ram }) => vec![file("flash", flash), file("ram", ram)],
            Entry::Process(sizes) => vec![
                file("binary", sizes.binary),
                file("text", sizes.text),
                memory("idle", sizes.idle, MEMORY_TOLERANCE_BYTES),
                memory(
                    "interpreted_container",
                    sizes.interpreted_container,
                    CONTAINER_TOLERANCE_BYTES,
                ),
                memory("interpreted_action", sizes.interpreted_action, 0),
                memory("aot_container", sizes.aot_container, CONTAINER_TOLERANCE_BYTES),
            ],
        }
    }
}

type Table = BTreeMap<String, Entry>;

const HEAD: &str = "\
# What each board's executor takes, in bytes: `cargo xtask sizes` measures it, `cargo xtask sizes --write` writes this file.
#
# binary: the static, stripped program; text: its section .text; idle: resident memory of an invoker that waits;
# *_container: what one more warm container of `add` adds to it, beside others; interpreted_action: what the first container
# of another action of that size adds. Of emulated boards, the emulator's own memory is left out.
#
# Of boards without an operating system: flash without what is baked in; ram: static memory with stacks.
";

/// Measure the boards, print the table, and compare or write it.
pub fn sizes(project: &Project, shell: Shell, boards: &[Board], is_written: bool, is_agreed: bool) -> Result<ExitCode> {
    let mut measured = Table::new();
    for board in boards {
        let toolchains = crate::provide(project, shell, board, is_agreed)?;
        measured.insert(board.name.clone(), measure(project, shell, board, &toolchains)?);
    }
    print!("{}", table(&measured));
    if is_written {
        let mut all = committed(project).unwrap_or_default();
        all.extend(measured);
        let path = path(project);
        fs::write(&path, format!("{HEAD}\n{}", toml::to_string(&all)?))
            .with_context(|| format!("cannot write {}", path.display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    compare(&committed(project)?, &measured)?;
    Ok(ExitCode::SUCCESS)
}

/// What a board without an operating system has in flash, and its static memory with stacks, held against its budgets.
fn measure_bare(
    project: &Project,
    shell: Shell,
    board: &Board,
    bare: &Bare,
    toolchain: &Toolchain,
) -> Result<BareSizes> {
    let program = crate::build::executor(project, shell, board, toolchain)?;
    let (flash, ram) = flash_and_ram(&program, bare)?;
    let kib = |bytes: u64| bytes as f64 / 1024.0;
    println!(
        "{}: flash {:.1} KiB of {}, static memory and stacks {:.1} KiB of {}",
        board.name,
        kib(flash),
        bare.flash_max_kib,
        kib(ram),
        bare.ram_max_kib
    );
    if flash > bare.flash_max_kib * 1024 || ram > bare.ram_max_kib * 1024 {
        bail!("{} is beyond the budgets of its board.toml", board.name);
    }
    Ok(BareSizes { flash, ram })
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

/// Measure one board, and compare it with the committed table.
pub fn check(project: &Project, shell: Shell, board: &Board, toolchains: &Toolchains) -> Result<()> {
    let measured = Table::from([(board.name.clone(), measure(project, shell, board, toolchains)?)]);
    print!("{}", table(&measured));
    compare(&committed(project)?, &measured)
}

fn measure(project: &Project, shell: Shell, board: &Board, toolchains: &Toolchains) -> Result<Entry> {
    if let Some(bare) = &board.bare {
        return measure_bare(project, shell, board, bare, &toolchains.board).map(Entry::Bare);
    }
    let demonstration = demo::prepare(project, shell, board, toolchains)?;
    let start = |containers_max| {
        let Demonstration {
            executor, public_key, ..
        } = &demonstration;
        Invoker::start(project, board, executor, public_key, containers_max)
    };
    let (binary, text) = of_program(&demonstration.executor)?;
    let idle = start(None)?.resident_bytes()?;
    let mut containers = [0, 0];
    for ((_, bundle), container) in demonstration.bundles.iter().zip(&mut containers) {
        let invoker = start(Some(2 * CONTAINERS))?;
        let bundles = std::iter::repeat_n(bundle.as_path(), CONTAINERS);
        *container = of_each(&invoker, bundle, bundles)?;
    }
    let [interpreted_container, aot_container] = containers;

    let module = crate::build::module(project, shell, &toolchains.guests, "add", "wasm32-unknown-unknown", "")?;
    let folder = tempfile::tempdir()?;
    let actions = different_actions(&module, folder.path())?;
    let interpreted_action = of_each(
        &start(Some(2 * CONTAINERS))?,
        &module,
        actions.iter().map(PathBuf::as_path),
    )?;
    Ok(Entry::Process(Sizes {
        binary,
        text,
        idle,
        interpreted_container,
        aot_container,
        interpreted_action,
    }))
}

/// What the containers of `bundles` take each, when there is one of `first` already, which brings what all share.
fn of_each<'a>(invoker: &Invoker, first: &Path, bundles: impl ExactSizeIterator<Item = &'a Path>) -> Result<u64> {
    invoker.cold_starts(first, 1, Then::Keep)?;
    let count = bundles.len() as u64;
    let before = invoker.resident_bytes()?;
    for bundle in bundles {
        invoker.cold_starts(bundle, 1, Then::Keep)?;
    }
    Ok(invoker.resident_bytes()?.saturating_sub(before) / count)
}

/// Modules that do the same as `module` and are not the same: each has a custom section of its own.
fn different_actions(module: &Path, folder: &Path) -> Result<Vec<PathBuf>> {
    let module = fs::read(module).with_context(|| format!("cannot read {}", module.display()))?;
    (0..ACTIONS)
        .map(|number| {
            // Section 0; 5 bytes; a name of 4.
            let section = format!("\0\x05\x04{number:04}");
            let path = folder.join(format!("{number}.wasm"));
            fs::write(&path, [&module, section.as_bytes()].concat())?;
            Ok(path)
        })
        .collect()
}

fn of_program(path: &Path) -> Result<(u64, u64)> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let file = object::File::parse(&*bytes).with_context(|| format!("{} is not a program", path.display()))?;
    let text = file.section_by_name(".text").context("it has no section .text")?.size();
    Ok((bytes.len() as u64, text))
}

fn path(project: &Project) -> PathBuf {
    project.boards().join("sizes.toml")
}

fn committed(project: &Project) -> Result<Table> {
    let path = path(project);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{} is no table of sizes", path.display()))
}

/// Whether what was measured is what is committed.
fn compare(committed: &Table, measured: &Table) -> Result<()> {
    let mut differences = String::new();
    for (board, now) in measured {
        let Some(then) = committed.get(board) else {
            writeln!(differences, "  {board} is not in it")?;
            continue;
        };
        for (then, now) in then.quantities().iter().zip(now.quantities()) {
            if then.name != now.name {
                writeln!(differences, "  {board} was a board of another kind")?;
                break;
            }
            if then.bytes.abs_diff(now.bytes) > then.tolerance {
                writeln!(
                    differences,
                    "  {board}: {} was {}, is {}",
                    now.name, then.bytes, now.bytes
                )?;
            }
        }
    }
    if differences.is_empty() {
        return Ok(());
    }
    bail!("boards/sizes.toml says something else:\n{differences}if that is as it should be: cargo xtask sizes --write")
}

/// For people. Boards without an operating system have lines of their own by then.
fn table(sizes: &Table) -> String {
    let of_processes: Vec<_> = sizes
        .iter()
        .filter_map(|(board, entry)| match entry {
            Entry::Process(sizes) => Some((board, sizes)),
            Entry::Bare(_) => None,
        })
        .collect();
    if of_processes.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "{:<12} {:>11} {:>11} {:>11} {:>24} {:>16} {:>27}\n",
        "board",
        "binary",
        ".text",
        "idle",
        "+ container, interpreted",
        "+ container, AOT",
        "+ other action, interpreted"
    );
    let kib = |bytes: u64| format!("{:.1} KiB", bytes as f64 / 1024.0);
    for (board, sizes) in of_processes {
        text += &format!(
            "{board:<12} {:>11} {:>11} {:>11} {:>24} {:>16} {:>27}\n",
            kib(sizes.binary),
            kib(sizes.text),
            kib(sizes.idle),
            kib(sizes.interpreted_container),
            kib(sizes.aot_container),
            kib(sizes.interpreted_action)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails so")]
    use super::*;

    const THEN: Sizes = Sizes {
        binary: 1_000_000,
        text: 500_000,
        idle: 1_500_000,
        interpreted_container: 10_000,
        aot_container: 4_000,
        interpreted_action: 140_000,
    };

    fn table_of(sizes: Sizes) -> Table {
        Table::from([("rpi-9".to_owned(), Entry::Process(sizes))])
    }

    fn table_of_bare(flash: u64, ram: u64) -> Table {
        Table::from([("rpi-9".to_owned(), Entry::Bare(BareSizes { flash, ram }))])
    }

    #[test]
    fn a_board_without_a_system_has_two_sizes() {
        let then = table_of_bare(250_000, 200_000);
        compare(&then, &table_of_bare(260_000, 195_000)).unwrap();
        for (now, said) in [
            (table_of_bare(270_000, 200_000), "flash was 250000, is 270000"),
            (table_of_bare(250_000, 180_000), "ram was 200000, is 180000"),
            (table_of(THEN), "a board of another kind"),
        ] {
            let error = compare(&then, &now).unwrap_err().to_string();
            assert!(error.contains(said) && error.matches("rpi-9").count() == 1, "{error}");
        }
    }

    #[test]
    fn a_difference_is_told_and_noise_is_not() {
        let same = Sizes {
            binary: 1_040_000,
            idle: 1_400_000,
            aot_container: 4_900,
            ..THEN
        };
        compare(&table_of(THEN), &table_of(same)).unwrap();
        for (now, said) in [
            (
                Sizes {
                    binary: 1_060_000,
                    ..THEN
                },
                "binary was 1000000, is 1060000",
            ),
            (Sizes { text: 400_000, ..THEN }, "text was 500000"),
            (
                Sizes {
                    idle: 2_000_000,
                    ..THEN
                },
                "idle was 1500000",
            ),
            (
                Sizes {
                    interpreted_container: 15_000,
                    ..THEN
                },
                "interpreted_container was 10000",
            ),
            (
                Sizes {
                    aot_container: 9_000,
                    ..THEN
                },
                "aot_container was 4000",
            ),
        ] {
            let error = compare(&table_of(THEN), &table_of(now)).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
            assert_eq!(error.matches("rpi-9").count(), 1, "{error}");
        }
        assert!(
            compare(&Table::new(), &table_of(THEN))
                .unwrap_err()
                .to_string()
                .contains("not in it")
        );
    }

    #[test]
    fn the_table_is_read_as_it_is_written() {
        for table in [table_of(THEN), table_of_bare(1, 2)] {
            let text = format!("{HEAD}\n{}", toml::to_string(&table).unwrap());
            assert_eq!(toml::from_str::<Table>(&text).unwrap(), table);
        }
    }

    #[test]
    fn a_program_has_a_text() {
        let (binary, text) = of_program(&std::env::current_exe().unwrap()).unwrap();
        assert!(text > 10_000 && binary > text);
    }
}
