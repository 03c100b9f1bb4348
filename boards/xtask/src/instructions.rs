//! `cargo xtask instructions`: how many instructions an `/init` and a `/run` take, held against the committed numbers.
//!
//! Times differ from machine to machine and from moment to moment; these numbers hardly do. This machine's executor is counted by
//! Callgrind, other boards' by a plugin of QEMU (`c/count_instructions.c`). Each number is the difference of two runs of the
//! executor, one with twice as many requests as the other, so that start and end cancel out. What the kernel does is not in it.
//!
//! Two things are not as in service. The executor runs without its sandbox: Valgrind makes system calls of its own, which the
//! filter forbids. And Valgrind's processor has no SHA instructions: of an `/init` here, the hash is the greater part.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};
use boards::{Board, Run};
use serde::{Deserialize, Serialize};

use crate::demo::{self, Demonstration};
use crate::http::Connection;
use crate::invoker::{self, INPUT, Invoker};
use crate::project::Project;
use crate::shell::Shell;
use crate::toolchain::Toolchains;

/// Requests of the shorter of two runs.
const INITS: u64 = 16;
const RUNS: u64 = 200;

/// Compilers differ a little from version to version. One and the same program was seen to differ by less than 0.5 %.
const TOLERANCE_PERCENT: f64 = 3.0;

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
}

impl Counts {
    fn named(&self) -> [(&'static str, u64); 5] {
        [
            ("init", self.init),
            ("init_beside", self.init_beside),
            ("run", self.run),
            ("floor_init", self.floor_init),
            ("floor_run", self.floor_run),
        ]
    }
}

/// Of a board, by mode: `interpreted` and `aot`.
type OfBoard = BTreeMap<String, Counts>;
type Table = BTreeMap<String, OfBoard>;

const HEAD: &str = "\
# Instructions of the executor for one request to `add`: `cargo xtask instructions` counts them, with --write it writes this file.
#
# init: an /init that loads the module, and the destroy after it; init_beside: the same beside a container of the same content;
# run: a /run; floor_*: a refused request with the same body. What the kernel does is not in them. On linux-amd64 SHA-256 is
# computed without the processor's instructions for it, which Valgrind does not know.
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
        let of_mode = Counts {
            init: counter.difference(INITS, nothing, one_init)?,
            init_beside: counter.difference(INITS, begin, one_init)?,
            run: counter.difference(RUNS, begin, |connection, _| expect(connection, "/kept/run", INPUT, 200))?,
            floor_init: counter.difference(INITS, nothing, |connection, _| {
                expect(connection, "/nothing/run", init, 404)
            })?,
            floor_run: counter.difference(RUNS, nothing, |connection, _| {
                expect(connection, "/nothing/run", INPUT, 404)
            })?,
        };
        counts.insert(name.to_owned(), of_mode);
    }
    Ok(counts)
}

fn expect(connection: &mut Connection, path: &str, body: &str, status: u16) -> Result<()> {
    let reply = connection.post(path, body)?;
    ensure!(reply.status == status, "{path} gave {}: {}", reply.status, reply.body);
    Ok(())
}

/// Runs a board's executor so that its instructions are counted.
struct Counter<'a> {
    board: &'a Board,
    demonstration: &'a Demonstration,
    /// QEMU's plugin, for a board that is emulated.
    plugin: Option<PathBuf>,
    /// Where the number is written.
    out: PathBuf,
}

impl<'a> Counter<'a> {
    fn new(
        project: &Project,
        shell: Shell,
        board: &'a Board,
        demonstration: &'a Demonstration,
        folder: &Path,
    ) -> Result<Self> {
        let plugin = match board.run {
            Run::Native => None,
            Run::QemuSystem { .. } | Run::HardwareOnly {} => {
                bail!("{}: only the instructions of a process can be counted", board.name)
            }
            Run::QemuUser { .. } => {
                let plugin = folder.join("count_instructions.so");
                let source = project.boards().join("xtask/c/count_instructions.c");
                let mut compiler = Command::new("cc");
                compiler.args(["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]);
                shell.run("QEMU's plugin", compiler.arg(source).arg("-o").arg(&plugin))?;
                Some(plugin)
            }
        };
        Ok(Counter {
            board,
            demonstration,
            plugin,
            out: folder.join("count"),
        })
    }

    /// What one of `requests` takes.
    fn difference(
        &self,
        count: u64,
        begin: impl Fn(&mut Connection) -> Result<()>,
        requests: impl Fn(&mut Connection, u64) -> Result<()>,
    ) -> Result<u64> {
        let of = |count: u64| {
            self.total(|connection| {
                begin(connection)?;
                (0..count).try_for_each(|number| requests(connection, number))
            })
        };
        // What happens once for each process has happened after the first request.
        let (few, many) = (of(count)?, of(2 * count)?);
        Ok(many.saturating_sub(few) / count)
    }

    /// All instructions of a process that serves `work`, from its start to its end.
    fn total(&self, work: impl Fn(&mut Connection) -> Result<()>) -> Result<u64> {
        let _ = fs::remove_file(&self.out);
        let invoker = Invoker::start_as(
            self.command(),
            self.board,
            &self.demonstration.public_key,
            // See above: not with Valgrind.
            &["--sandbox=off"],
        )?;
        work(&mut Connection::open(invoker.address)?)?;
        invoker.end()?;
        let text = fs::read_to_string(&self.out).with_context(|| {
            format!(
                "{} has left no count: does QEMU take plugins of version 1?",
                self.board.name
            )
        })?;
        parse(&text).context("the count cannot be understood")
    }

    fn command(&self) -> Command {
        let executor = &self.demonstration.executor;
        match (&self.board.run, &self.plugin) {
            (
                Run::QemuUser {
                    program: emulator,
                    arguments,
                    ..
                },
                Some(plugin),
            ) => {
                let mut command = Command::new(emulator);
                let plugin = format!("{},out={}", plugin.display(), self.out.display());
                command.args(arguments).args(["-plugin", &plugin]).arg(executor);
                command
            }
            _ => {
                let mut command = Command::new("valgrind");
                let out = format!("--callgrind-out-file={}", self.out.display());
                command.args(["--quiet", "--tool=callgrind", &out]).arg(executor);
                command
            }
        }
    }
}

/// Callgrind's file has a line `summary: N`, and so has the plugin's.
fn parse(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("summary:"))?;
    line.trim().parse().ok()
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
            let Some(then) = committed.get(board).and_then(|modes| modes.get(mode)) else {
                writeln!(differences, "  {board}, {mode}: is not in it")?;
                continue;
            };
            for ((what, then), (_, now)) in then.named().into_iter().zip(now.named()) {
                let change = 100.0 * (now as f64 / then.max(1) as f64 - 1.0);
                if change.abs() > TOLERANCE_PERCENT {
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
            for (_, count) in counts.named() {
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
    }

    #[test]
    fn counts_are_read_as_they_are_written() {
        let table = table_of(THEN);
        let text = format!("{HEAD}\n{}", toml::to_string(&table).unwrap());
        assert_eq!(toml::from_str::<Table>(&text).unwrap(), table);
        assert_eq!(parse("events: Ir\nsummary: 6833155\ntotals: 1\n"), Some(6_833_155));
        assert_eq!(parse("events: Ir\n"), None);
    }
}
