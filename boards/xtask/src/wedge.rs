//! What a board without an operating system does when it can do nothing more: it resets itself, and its next boot tells why.
//!
//! QEMU's debugger interface stops the emulated processor, and puts an instruction on which it hangs, or which is none, to where it
//! is. That is where it waits for an interrupt: an instruction of what writes the log would be met again by the last words. After
//! the reset the program is as it was.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use boards::Board;

use crate::build;
use crate::emulate::free_port;
use crate::http::Connection;
use crate::project::Project;
use crate::running::{PATIENCE, Running};

/// An instruction that is put where the processor is, and how the next boot has to name what came of it.
struct Wedge {
    what: &'static str,
    aarch64: [u8; 4],
    thumb: [u8; 2],
    told: &'static str,
}

/// What an idle board executes: WFI.
const WAIT_AARCH64: [u8; 4] = [0x7f, 0x20, 0x03, 0xd5];
const WAIT_THUMB: [u8; 2] = [0x30, 0xbf];

const WEDGES: [Wedge; 2] = [
    Wedge {
        what: "hangs",
        // A jump to itself: with interrupts masked, as an idle board sleeps; or without, which is seen later.
        aarch64: [0x00, 0x00, 0x00, 0x14],
        thumb: [0xfe, 0xe7],
        told: "ended with a reset: the watchdog",
    },
    Wedge {
        what: "faults",
        // Instructions that are permanently undefined.
        aarch64: [0x00, 0x00, 0x00, 0x00],
        thumb: [0x00, 0xde],
        told: "ended with a reset: fault",
    },
];

/// Wedge a board's program in each way.
pub fn check(project: &Project, board: &Board, program: &Path) -> Result<()> {
    for wedge in &WEDGES {
        one(project, board, program, wedge).with_context(|| format!("a board that {}", wedge.what))?;
    }
    Ok(())
}

fn one(project: &Project, board: &Board, program: &Path, wedge: &Wedge) -> Result<()> {
    let debugger = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
    let mut command = build::command(project, board, program);
    command.args(["--qemu=-gdb", &format!("--qemu=tcp:{debugger}"), "action"]);
    let mut running = Running::start(command)?;
    let (wait, instruction): (&[u8], &[u8]) = if board.build.rust_target.starts_with("aarch64") {
        (&WAIT_AARCH64, &wedge.aarch64)
    } else {
        (&WAIT_THUMB, &wedge.thumb)
    };
    let (mut stopped, place) = stop_behind(debugger, board, wait)?;
    stopped.write(place, instruction)?;
    stopped.detach()?;
    running.wait(wedge.told)?;
    // The board's own address.
    running.wait("listening on ")?;
    // No action is there: whatever is said to that, somebody answers.
    Connection::open(running.address)?.post("/run", "{}")?;
    Ok(())
}

/// Stop the processor where it waits for an interrupt: behind that instruction.
fn stop_behind(address: SocketAddr, board: &Board, wait: &[u8]) -> Result<(Debugger, u64)> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        let mut debugger = Debugger::attach(address)?;
        let place = debugger.program_counter(board)?;
        if debugger.read(place - wait.len() as u64, wait.len())? == wait {
            return Ok((debugger, place));
        }
        // It goes on meanwhile.
        debugger.detach()?;
    }
    bail!("it never waits for an interrupt")
}

/// As much of GDB's remote protocol as this needs: `$text#sum`, each acknowledged by `+`.
struct Debugger(TcpStream);

impl Debugger {
    /// The processor stands still from here on.
    fn attach(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).context("QEMU's debugger interface does not answer")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut debugger = Debugger(stream);
        debugger.ask("?")?;
        Ok(debugger)
    }

    fn ask(&mut self, command: &str) -> Result<String> {
        let sum = command.bytes().fold(0_u8, u8::wrapping_add);
        write!(self.0, "${command}#{sum:02x}")?;
        loop {
            let answer = self.packet()?;
            // QEMU also tells unasked that the processor has stopped.
            if !answer.starts_with('T') || command == "?" {
                return Ok(answer);
            }
        }
    }

    fn packet(&mut self) -> Result<String> {
        let mut text = Vec::new();
        let mut byte = [0];
        loop {
            self.0.read_exact(&mut byte)?;
            match byte {
                // What came before is an acknowledgement.
                [b'$'] => text.clear(),
                [b'#'] => break,
                [other] => text.push(other),
            }
        }
        self.0.read_exact(&mut [0; 2])?;
        self.0.write_all(b"+")?;
        Ok(String::from_utf8(text)?)
    }

    /// Of all registers, it lies behind x0 to x30 and sp, or behind r0 to r14. The lowest byte comes first.
    fn program_counter(&mut self, board: &Board) -> Result<u64> {
        let (bytes, before) = if board.build.rust_target.starts_with("aarch64") {
            (8, 32)
        } else {
            (4, 15)
        };
        let registers = self.ask("g")?;
        let digits = registers
            .get(2 * bytes * before..2 * bytes * (before + 1))
            .with_context(|| format!("no program counter in `{registers}`"))?;
        let value = u64::from_str_radix(digits, 16)?;
        Ok(value.swap_bytes() >> (64 - 8 * bytes))
    }

    fn read(&mut self, address: u64, len: usize) -> Result<Vec<u8>> {
        let answer = self.ask(&format!("m{address:x},{len:x}"))?;
        (0..len)
            .map(|at| {
                answer
                    .get(2 * at..2 * at + 2)
                    .map(|digits| u8::from_str_radix(digits, 16))
            })
            .map(|byte| byte.context("it is too short")?.context("it is no number"))
            .collect::<Result<_>>()
            .with_context(|| format!("memory at {address:#x} is not read: `{answer}`"))
    }

    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<()> {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match self.ask(&format!("M{address:x},{:x}:{digits}", bytes.len()))?.as_str() {
            "OK" => Ok(()),
            answer => bail!("memory at {address:#x} is not written: `{answer}`"),
        }
    }

    /// The processor goes on.
    fn detach(mut self) -> Result<()> {
        self.ask("D").map(drop)
    }
}
