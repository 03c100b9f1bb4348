//! `cargo xtask sizes`: what each board's executor takes, held against the committed table.

mod bare;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use boards::Board;
use object::{Object, ObjectSection};
use serde::{Deserialize, Serialize};

use self::bare::BareSizes;
use crate::demo::{self, Demonstration};
use crate::invoker::{Invoker, Then};
use crate::project::Project;
use crate::shell::Shell;
use crate::toolchain::Toolchains;

/// Containers among which the memory of a warm one is counted. Memory comes in pages and arenas: among few, one of those
/// would show.
const CONTAINERS: usize = 400;
/// The same for containers of which each has another action.
const ACTIONS: u64 = 100;

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

/// What a board takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum OfBoard {
    /// As a process.
    Process(Sizes),
    /// Without an operating system.
    Bare(BareSizes),
}

type Table = BTreeMap<String, OfBoard>;

/// One number, and how much another may differ from it.
struct Row {
    what: &'static str,
    value: u64,
    tolerance: u64,
}

fn row(what: &'static str, value: u64, tolerance: u64) -> Row {
    Row { what, value, tolerance }
}

impl Sizes {
    fn rows(&self) -> Vec<Row> {
        let percent = |value, percent| value * percent / 100;
        let file = |what, value| row(what, value, percent(value, FILE_TOLERANCE_PERCENT));
        let memory = |what, value, least| row(what, value, percent(value, MEMORY_TOLERANCE_PERCENT).max(least));
        vec![
            file("binary", self.binary),
            file("text", self.text),
            memory("idle", self.idle, MEMORY_TOLERANCE_BYTES),
            memory(
                "interpreted_container",
                self.interpreted_container,
                CONTAINER_TOLERANCE_BYTES,
            ),
            memory("interpreted_action", self.interpreted_action, 0),
            memory("aot_container", self.aot_container, CONTAINER_TOLERANCE_BYTES),
        ]
    }
}

impl OfBoard {
    fn rows(&self) -> Vec<Row> {
        match self {
            OfBoard::Process(sizes) => sizes.rows(),
            OfBoard::Bare(sizes) => sizes.rows(),
        }
    }
}

const HEAD: &str = "\
# What each board's executor takes, in bytes: `cargo xtask sizes` measures it, `cargo xtask sizes --write` writes this file.
#
# binary: the static, stripped program; text: its section .text; idle: resident memory of an invoker that waits;
# *_container: what one more warm container of `add` adds to it, beside others; interpreted_action: what the first container
# of another action of that size adds. Of emulated boards, the emulator's own memory is left out.
#
# Without an operating system: flash, and ram with the stacks; and how many warm containers of `add` fit beside each other, all
# of one content (same) or each of another (different), with what one takes.
";

/// Measure the boards, print the table, and compare or write it.
pub fn sizes(project: &Project, shell: Shell, boards: &[Board], is_written: bool, is_agreed: bool) -> Result<ExitCode> {
    let mut measured = Table::new();
    for board in boards {
        let toolchains = crate::provide(project, shell, board, is_agreed)?;
        measured.insert(board.name.clone(), of_board(project, shell, board, &toolchains)?);
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

/// Measure one board, and compare it with the committed table.
pub fn check(project: &Project, shell: Shell, board: &Board, toolchains: &Toolchains) -> Result<()> {
    let measured = Table::from([(board.name.clone(), of_board(project, shell, board, toolchains)?)]);
    print!("{}", table(&measured));
    compare(&committed(project)?, &measured)
}

fn of_board(project: &Project, shell: Shell, board: &Board, toolchains: &Toolchains) -> Result<OfBoard> {
    match &board.bare {
        Some(bare) => bare::measure(project, shell, board, bare, toolchains).map(OfBoard::Bare),
        None => measure(project, shell, board, toolchains).map(OfBoard::Process),
    }
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
            let path = folder.join(format!("{number}.wasm"));
            fs::write(&path, bare::different_module(&module, number))?;
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
        for (then, now) in then.rows().into_iter().zip(now.rows()) {
            if then.what != now.what || then.value.abs_diff(now.value) > then.tolerance {
                writeln!(
                    differences,
                    "  {board}: {} was {}, is {}",
                    then.what, then.value, now.value
                )?;
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
    let mut text = String::new();
    let mut others = String::new();
    let kib = |bytes: u64| format!("{:.1} KiB", bytes as f64 / 1024.0);
    for (board, sizes) in sizes {
        let sizes = match sizes {
            OfBoard::Process(sizes) => sizes,
            OfBoard::Bare(sizes) => {
                others += &sizes.describe(board);
                continue;
            }
        };
        if text.is_empty() {
            text += &format!(
                "{:<12} {:>11} {:>11} {:>11} {:>24} {:>16} {:>27}\n",
                "board",
                "binary",
                ".text",
                "idle",
                "+ container, interpreted",
                "+ container, AOT",
                "+ other action, interpreted"
            );
        }
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
    text + &others
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
        Table::from([("rpi-9".to_owned(), OfBoard::Process(sizes))])
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
        let mut table = table_of(THEN);
        table.insert("bare".to_owned(), OfBoard::Bare(BareSizes::default()));
        let text = format!("{HEAD}\n{}", toml::to_string(&table).unwrap());
        assert_eq!(toml::from_str::<Table>(&text).unwrap(), table);
    }

    #[test]
    fn a_program_has_a_text() {
        let (binary, text) = of_program(&std::env::current_exe().unwrap()).unwrap();
        assert!(text > 10_000 && binary > text);
    }
}
