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

type Table = BTreeMap<String, Sizes>;

const HEAD: &str = "\
# What each board's executor takes, in bytes: `cargo xtask sizes` measures it, `cargo xtask sizes --write` writes this file.
#
# binary: the static, stripped program; text: its section .text; idle: resident memory of an invoker that waits;
# *_container: what one more warm container of `add` adds to it, beside others; interpreted_action: what the first container
# of another action of that size adds. Of emulated boards, the emulator's own memory is left out.
";

/// Measure the boards, print the table, and compare or write it.
pub fn sizes(project: &Project, shell: Shell, boards: &[Board], is_written: bool, is_agreed: bool) -> Result<ExitCode> {
    let mut measured = Table::new();
    for board in boards {
        let toolchains = crate::provide(project, shell, board, is_agreed)?;
        if let Some(bare) = &board.bare {
            check_bare(project, shell, board, bare, &toolchains.board)?;
            continue;
        }
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
fn check_bare(project: &Project, shell: Shell, board: &Board, bare: &Bare, toolchain: &Toolchain) -> Result<()> {
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
    Ok(())
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
    if let Some(bare) = &board.bare {
        return check_bare(project, shell, board, bare, &toolchains.board);
    }
    let measured = Table::from([(board.name.clone(), measure(project, shell, board, toolchains)?)]);
    print!("{}", table(&measured));
    compare(&committed(project)?, &measured)
}

fn measure(project: &Project, shell: Shell, board: &Board, toolchains: &Toolchains) -> Result<Sizes> {
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
    Ok(Sizes {
        binary,
        text,
        idle,
        interpreted_container,
        aot_container,
        interpreted_action,
    })
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
        let percent = |value: u64, percent: u64| value * percent / 100;
        for (what, then, now, tolerance) in [
            (
                "binary",
                then.binary,
                now.binary,
                percent(then.binary, FILE_TOLERANCE_PERCENT),
            ),
            ("text", then.text, now.text, percent(then.text, FILE_TOLERANCE_PERCENT)),
            (
                "idle",
                then.idle,
                now.idle,
                percent(then.idle, MEMORY_TOLERANCE_PERCENT).max(MEMORY_TOLERANCE_BYTES),
            ),
            (
                "interpreted_container",
                then.interpreted_container,
                now.interpreted_container,
                percent(then.interpreted_container, MEMORY_TOLERANCE_PERCENT).max(CONTAINER_TOLERANCE_BYTES),
            ),
            (
                "interpreted_action",
                then.interpreted_action,
                now.interpreted_action,
                percent(then.interpreted_action, MEMORY_TOLERANCE_PERCENT),
            ),
            (
                "aot_container",
                then.aot_container,
                now.aot_container,
                percent(then.aot_container, MEMORY_TOLERANCE_PERCENT).max(CONTAINER_TOLERANCE_BYTES),
            ),
        ] {
            if then.abs_diff(now) > tolerance {
                writeln!(differences, "  {board}: {what} was {then}, is {now}")?;
            }
        }
    }
    if differences.is_empty() {
        return Ok(());
    }
    bail!("boards/sizes.toml says something else:\n{differences}if that is as it should be: cargo xtask sizes --write")
}

/// For people.
fn table(sizes: &Table) -> String {
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
    for (board, sizes) in sizes {
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
        Table::from([("rpi-9".to_owned(), sizes)])
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
        let table = table_of(THEN);
        let text = format!("{HEAD}\n{}", toml::to_string(&table).unwrap());
        assert_eq!(toml::from_str::<Table>(&text).unwrap(), table);
    }

    #[test]
    fn a_program_has_a_text() {
        let (binary, text) = of_program(&std::env::current_exe().unwrap()).unwrap();
        assert!(text > 10_000 && binary > text);
    }
}
