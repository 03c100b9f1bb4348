//! Counts the instructions of a board's executor while it serves requests.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use boards::{Board, Run};

use crate::build;
use crate::demo::Demonstration;
use crate::emulate::free_port;
use crate::http::Connection;
use crate::invoker::Invoker;
use crate::project::Project;
use crate::running::PATIENCE;
use crate::shell::Shell;

/// A board that waits executes between 4,000 and 9,000 instructions for each tick of its timer, and up to 20,000 for an
/// acknowledgement of TCP, which comes alone or not as it happens: neither is counted. A request takes more than 40,000.
const BUSY_MIN: u32 = 24_000;

/// A board that has not gone to sleep when the next request comes saves the waking: a client that pauses finds it asleep,
/// also where other programs keep this machine busy.
const PAUSE: Duration = Duration::from_millis(20);

/// Each instruction takes 32 ns of a whole board's time, about as on a Cortex-M7 at 25 MHz: so the timer does not tick more
/// often the busier this machine is.
const ICOUNT: &str = "shift=5";

/// Runs a board's executor so that its instructions are counted.
pub struct Counter<'a> {
    project: &'a Project,
    board: &'a Board,
    demonstration: &'a Demonstration,
    /// QEMU's plugin, for a board that is emulated.
    plugin: Option<PathBuf>,
    /// Where the number is written.
    out: PathBuf,
}

/// Instructions.
pub struct Counted {
    /// Until a board without an operating system has waited for the first time; else 0.
    pub ready: u64,
    /// What comes then.
    pub served: u64,
}

impl<'a> Counter<'a> {
    pub fn new(
        project: &'a Project,
        shell: Shell,
        board: &'a Board,
        demonstration: &'a Demonstration,
        folder: &Path,
    ) -> Result<Self> {
        let plugin = match board.run {
            Run::Native => None,
            Run::HardwareOnly {} => bail!("{}: nothing here runs its program", board.name),
            Run::QemuUser { .. } | Run::QemuSystem { .. } => {
                let plugin = folder.join("count_instructions.so");
                let source = project.boards().join("xtask/c/count_instructions.c");
                let mut compiler = Command::new("cc");
                compiler.args(["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]);
                shell.run("QEMU's plugin", compiler.arg(source).arg("-o").arg(&plugin))?;
                Some(plugin)
            }
        };
        Ok(Counter {
            project,
            board,
            demonstration,
            plugin,
            out: folder.join("count"),
        })
    }

    /// What one of `requests` takes.
    pub fn difference(
        &self,
        count: u64,
        begin: impl Fn(&mut Connection) -> Result<()>,
        requests: impl Fn(&mut Connection, u64) -> Result<()>,
    ) -> Result<u64> {
        let of = |count: u64| {
            self.count(&self.demonstration.executor, |connection| {
                begin(connection)?;
                (0..count).try_for_each(|number| {
                    if self.board.bare.is_some() {
                        thread::sleep(PAUSE);
                    }
                    requests(connection, number)
                })
            })
        };
        // What happens once for each process has happened after the first request.
        let (few, many) = (of(count)?.served, of(2 * count)?.served);
        Ok(many.saturating_sub(few) / count)
    }

    /// The instructions of a program that serves `work`, from its start to its end.
    pub fn count(&self, program: &Path, work: impl Fn(&mut Connection) -> Result<()>) -> Result<Counted> {
        let _ = fs::remove_file(&self.out);
        let control = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let invoker = Invoker::start_as(
            self.command(program, control),
            self.board,
            &self.demonstration.public_key,
            // See above: not with Valgrind.
            &["--sandbox=off"],
        )?;
        work(&mut Connection::open(invoker.address)?)?;
        if self.board.bare.is_some() {
            quit(control)?;
            invoker.wait()?;
        } else {
            invoker.end()?;
        }
        let text = fs::read_to_string(&self.out).with_context(|| {
            format!(
                "{} has left no count: does QEMU take plugins of version 1?",
                self.board.name
            )
        })?;
        let total = parse(&text, "summary:").context("the count cannot be understood")?;
        let ready = parse(&text, "ready:").unwrap_or(0);
        ensure!(
            (ready > 0) == self.board.bare.is_some() && total > ready,
            "a count that cannot be: {text}"
        );
        Ok(Counted {
            ready,
            served: total - ready,
        })
    }

    /// `control`: where an emulated board is told to end.
    fn command(&self, program: &Path, control: SocketAddr) -> Command {
        let plugin = |options: &str| {
            let plugin = self.plugin.as_deref().unwrap_or(Path::new("")).display();
            format!("{plugin},out={}{options}", self.out.display())
        };
        match &self.board.run {
            Run::Native => {
                let mut command = Command::new("valgrind");
                let out = format!("--callgrind-out-file={}", self.out.display());
                command.args(["--quiet", "--tool=callgrind", &out]).arg(program);
                command
            }
            Run::QemuUser {
                program: emulator,
                arguments,
                ..
            } => {
                let mut command = Command::new(emulator);
                command.args(arguments).args(["-plugin", &plugin("")]).arg(program);
                command
            }
            Run::QemuSystem { .. } | Run::HardwareOnly {} => {
                let mut command = build::command(self.project, self.board, program);
                for (option, value) in [
                    ("-plugin", plugin(&format!(",busy={BUSY_MIN}"))),
                    ("-icount", ICOUNT.to_owned()),
                    ("-qmp", format!("tcp:{control},server=on,wait=off")),
                ] {
                    command.arg(format!("--qemu={option}")).arg(format!("--qemu={value}"));
                }
                command
            }
        }
    }
}

/// Let QEMU end by itself, by its machine protocol: killed, it would leave no count.
fn quit(control: SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect(control).context("QEMU's machine protocol does not answer")?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"quit\"}\n")?;
    // It closes at its end, perhaps by a reset.
    let _ = stream.read_to_end(&mut Vec::new());
    Ok(())
}

/// Callgrind's file has a line `summary: N`, and so has the plugin's.
fn parse(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_found_by_their_names() {
        assert_eq!(
            parse("events: Ir\nsummary: 6833155\ntotals: 1\n", "summary:"),
            Some(6_833_155)
        );
        assert_eq!(parse("ready: 7\nsummary: 8\n", "ready:"), Some(7));
        assert_eq!(parse("events: Ir\n", "summary:"), None);
    }
}
