//! `cargo xtask instructions`: how many instructions an `/init` and a `/run` take, held against the committed numbers.
//!
//! Times differ from machine to machine and from moment to moment; these numbers hardly do. This machine's executor is counted by
//! Callgrind, other boards' by a plugin of QEMU (`c/count_instructions.c`). Each number is the difference of two runs of the
//! executor, one with twice as many requests as the other, so that start and end cancel out. What the kernel does is not in it.
//! Of a board without an operating system all is in it, drivers and TCP/IP, too, but for the time that it waits.
//!
//! Two things are not as in service. The executor runs without its sandbox: Valgrind makes system calls of its own, which the
//! filter forbids. And Valgrind's processor has no SHA instructions: of an `/init` here, the hash is the greater part.

mod counter;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use boards::Board;
use serde::{Deserialize, Serialize};

use self::counter::{Counted, Counter};
use crate::build::{self, Image};
use crate::demo;
use crate::http::Connection;
use crate::invoker::{self, INPUT};
use crate::project::Project;
use crate::shell::Shell;
use crate::toolchain::Toolchains;

/// Requests of the shorter of two runs.
const INITS: u64 = 16;
const RUNS: u64 = 200;
/// Of a board that rests between them.
const BOARD_RUNS: u64 = 64;

/// A board that boots may spin until a device answers, which is QEMU's: of so many boots, the one counts that has spun least.
const BOOTS: usize = 3;

/// Compilers differ a little from version to version. One and the same program was seen to differ by less than 0.5 %.
const TOLERANCE_PERCENT: f64 = 3.0;
/// TCP segments and acknowledgements come at other moments in each run: of a whole board, 4 % were seen on one machine, and one
/// waking more or less.
const BOARD_TOLERANCE_PERCENT: f64 = 12.0;
const BOARD_TOLERANCE: u64 = 10_000;

/// Instructions of the executor for one request to `add`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// An `/init`, and the `destroy` that makes the next one load the module again.
    init: u64,
    /// The same beside a container of the same content.
    init_beside: u64,
    /// A `/run`.
    run: u64,
    /// A refused request with the body of the `/init`: HTTP alone.
    floor_init: u64,
    /// A refused request with the body of the `/run`.
    floor_run: u64,
    /// From reset until a board without an operating system waits for clients, with `add` baked in.
    #[serde(default, skip_serializing_if = "is_none")]
    ready: u64,
    /// The same until the first `/run` has been answered.
    #[serde(default, skip_serializing_if = "is_none")]
    first_run: u64,
}

/// Only boards without an operating system have it.
fn is_none(count: &u64) -> bool {
    *count == 0
}

impl Counts {
    fn named(&self) -> [(&'static str, u64); 7] {
        [
            ("init", self.init),
            ("init_beside", self.init_beside),
            ("run", self.run),
            ("floor_init", self.floor_init),
            ("floor_run", self.floor_run),
            ("ready", self.ready),
            ("first_run", self.first_run),
        ]
    }

    /// By how much a number may differ from one of these.
    fn tolerance(&self, count: u64) -> f64 {
        let percent = |percent| count as f64 * percent / 100.0;
        if is_none(&self.ready) {
            percent(TOLERANCE_PERCENT)
        } else {
            percent(BOARD_TOLERANCE_PERCENT).max(BOARD_TOLERANCE as f64)
        }
    }
}

/// Of a board, by mode: `interpreted` and `aot`.
type OfBoard = BTreeMap<String, Counts>;
type Table = BTreeMap<String, OfBoard>;

const HEAD: &str = "\
# Instructions of the executor for one request to `add`: `cargo xtask instructions` counts them, with --write it writes this file.
#
# init: an /init that loads the module, and the destroy after it; init_beside: the same beside a container of the same content;
# run: a /run; floor_*: a refused request with the same body. What the kernel does is not in them. On linux-amd64 BLAKE3 is
# computed with AVX2, the widest instructions that Valgrind knows.
#
# Boards without an operating system: all that the processor executes, drivers and TCP/IP, too, but for the timer's ticks and
# acknowledgements that come alone; ready: from reset until it waits for clients, with `add` baked in; first_run: until it has
# answered the first /run.
";

/// Count the boards, print the table, and compare or write it.
pub fn instructions(
    project: &Project,
    shell: Shell,
    boards: &[Board],
    is_written: bool,
    is_agreed: bool,
) -> Result<ExitCode> {
    let mut counted = Table::new();
    for board in boards {
        crate::system::provide(shell, &crate::system::counting(board), is_agreed)?;
        let toolchains = crate::provide(project, shell, board, is_agreed)?;
        counted.insert(board.name.clone(), count(project, shell, board, &toolchains)?);
    }
    print!("{}", table(&counted));
    if is_written {
        let mut all = committed(project).unwrap_or_default();
        all.extend(counted);
        let path = path(project);
        fs::write(&path, format!("{HEAD}\n{}", toml::to_string(&all)?))
            .with_context(|| format!("cannot write {}", path.display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    compare(&committed(project)?, &counted)?;
    Ok(ExitCode::SUCCESS)
}

/// Count one board, and compare it with the committed numbers.
pub fn check(project: &Project, shell: Shell, board: &Board, toolchains: &Toolchains) -> Result<()> {
    let counted = Table::from([(board.name.clone(), count(project, shell, board, toolchains)?)]);
    print!("{}", table(&counted));
    compare(&committed(project)?, &counted)
}

fn count(project: &Project, shell: Shell, board: &Board, toolchains: &Toolchains) -> Result<OfBoard> {
    let demonstration = demo::prepare(project, shell, board, toolchains)?;
    let folder = tempfile::tempdir()?;
    let counter = Counter::new(project, shell, board, &demonstration, folder.path())?;
    let runs = if board.bare.is_some() { BOARD_RUNS } else { RUNS };
    let mut counts = OfBoard::new();
    for ((mode, bundle), name) in demonstration.bundles.iter().zip(["interpreted", "aot"]) {
        shell.say(&format!("counting {}, {mode}", board.name));
        let init = invoker::init_body(bundle)?;
        let init = init.as_str();
        let begin = |connection: &mut Connection| expect(connection, "/kept/init", init, 200);
        let one_init = |connection: &mut Connection, number: u64| {
            expect(connection, &format!("/c{number}/init"), init, 200)?;
            expect(connection, &format!("/c{number}/destroy"), "", 200)
        };
        let nothing = |_: &mut Connection| Ok(());
        let (ready, first_run) = if board.bare.is_some() {
            boot(project, shell, board, toolchains, &counter, bundle)?
        } else {
            (0, 0)
        };
        let floor_run = counter.difference(runs, nothing, |connection, _| {
            expect(connection, "/nothing/run", INPUT, 404)
        })?;
        let of_mode = Counts {
            init: counter.difference(INITS, nothing, one_init)?,
            init_beside: counter.difference(INITS, begin, one_init)?,
            run: counter.difference(runs, begin, |connection, _| expect(connection, "/kept/run", INPUT, 200))?,
            floor_init: counter.difference(INITS, nothing, |connection, _| {
                expect(connection, "/nothing/run", init, 404)
            })?,
            floor_run,
            ready,
            // What comes after the reply is not in it before there is another.
            first_run: first_run.saturating_sub(floor_run),
        };
        counts.insert(name.to_owned(), of_mode);
    }
    Ok(counts)
}

/// A board with this bundle in its image: until it waits for clients, and until it has answered a `/run` and refused another.
fn boot(
    project: &Project,
    shell: Shell,
    board: &Board,
    toolchains: &Toolchains,
    counter: &Counter<'_>,
    bundle: &Path,
) -> Result<(u64, u64)> {
    let (_, key) = build::key(project, shell, &build::tools(project, shell)?)?;
    let image = Image::new(board, &[key.display().to_string()], &[bundle.to_owned()])?.beside("counted");
    let image = build::executor_with(project, shell, board, &toolchains.board, &image, None)?;
    let name = bundle.file_stem().unwrap_or_default().to_string_lossy();
    let boot = || {
        counter.count(&image, |connection| {
            expect(connection, &format!("/{name}/run"), INPUT, 200)?;
            expect(connection, "/nothing/run", INPUT, 404)
        })
    };
    let boots = (0..BOOTS).map(|_| boot()).collect::<Result<Vec<_>>>()?;
    let least = |count: fn(&Counted) -> u64| boots.iter().map(count).min().unwrap_or(0);
    let ready = least(|boot| boot.ready);
    Ok((ready, ready + least(|boot| boot.served)))
}

fn expect(connection: &mut Connection, path: &str, body: &str, status: u16) -> Result<()> {
    let reply = connection.post(path, body)?;
    ensure!(reply.status == status, "{path} gave {}: {}", reply.status, reply.body);
    Ok(())
}

fn path(project: &Project) -> PathBuf {
    project.boards().join("instructions.toml")
}

fn committed(project: &Project) -> Result<Table> {
    let path = path(project);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{} is no table of counts", path.display()))
}

/// Whether what was counted is what is committed: neither more nor, unnoticed, less.
fn compare(committed: &Table, counted: &Table) -> Result<()> {
    let mut differences = String::new();
    for (board, modes) in counted {
        for (mode, now) in modes {
            let Some(before) = committed.get(board).and_then(|modes| modes.get(mode)) else {
                writeln!(differences, "  {board}, {mode}: is not in it")?;
                continue;
            };
            for ((what, then), (_, now)) in before.named().into_iter().zip(now.named()) {
                if then.abs_diff(now) as f64 > before.tolerance(then) {
                    let change = 100.0 * (now as f64 / then.max(1) as f64 - 1.0);
                    writeln!(
                        differences,
                        "  {board}, {mode}: {what} was {then}, is {now} ({change:+.1} %)"
                    )?;
                }
            }
        }
    }
    if differences.is_empty() {
        return Ok(());
    }
    bail!(
        "boards/instructions.toml says something else:\n{differences}if that is as it should be: cargo xtask instructions --write"
    )
}

/// For people.
fn table(counts: &Table) -> String {
    let mut text = format!("{:<28}", "instructions");
    for (name, _) in Counts::default().named() {
        text += &format!(" {name:>12}");
    }
    text += "\n";
    for (board, modes) in counts {
        for (mode, counts) in modes {
            text += &format!("{:<28}", format!("{board}, {mode}"));
            for (_, count) in counts.named().into_iter().filter(|(_, count)| !is_none(count)) {
                text += &format!(" {count:>12}");
            }
            text += "\n";
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails so")]
    use super::*;

    const THEN: Counts = Counts {
        init: 3_000_000,
        init_beside: 2_000_000,
        run: 10_000,
        floor_init: 100_000,
        floor_run: 5_000,
        ready: 0,
        first_run: 0,
    };

    fn table_of(counts: Counts) -> Table {
        Table::from([("rpi-9".to_owned(), OfBoard::from([("aot".to_owned(), counts)]))])
    }

    #[test]
    fn a_difference_is_told_and_noise_is_not() {
        let noise = Counts { run: 10_250, ..THEN };
        compare(&table_of(THEN), &table_of(noise)).unwrap();
        for now in [Counts { run: 10_400, ..THEN }, Counts { run: 9_600, ..THEN }] {
            let error = compare(&table_of(THEN), &table_of(now)).unwrap_err().to_string();
            assert!(error.contains("run was 10000, is"), "{error}");
            assert_eq!(error.matches("rpi-9").count(), 1, "{error}");
        }
        let error = compare(&Table::new(), &table_of(THEN)).unwrap_err().to_string();
        assert!(error.contains("not in it"), "{error}");
        let board = Counts {
            ready: 1_000_000,
            ..THEN
        };
        compare(&table_of(board), &table_of(Counts { run: 10_400, ..board })).unwrap();
        let slower = Counts {
            ready: 1_130_000,
            ..board
        };
        let error = compare(&table_of(board), &table_of(slower)).unwrap_err().to_string();
        assert!(error.contains("ready was 1000000, is 1130000"), "{error}");
    }

    #[test]
    fn counts_are_read_as_they_are_written() {
        let table = table_of(THEN);
        let text = format!("{HEAD}\n{}", toml::to_string(&table).unwrap());
        assert_eq!(toml::from_str::<Table>(&text).unwrap(), table);
    }
}
