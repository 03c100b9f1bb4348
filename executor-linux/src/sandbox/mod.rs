//! The wall around this process: what it does not need is taken from it before the first guest runs.
//!
//! Guests are confined by WebAssembly and by WAMR. This wall stands behind that one, for the day on which a guest finds an
//! error in WAMR, or a trusted key signs native code that it should not have signed: such code then has the rights of this
//! process, and those are few.
//!
//! | wall | what it leaves |
//! | --- | --- |
//! | no new privileges | no program that is run, if one could be, gains any |
//! | [`paths`]: Landlock | the directories of `--allow-dir`, read or written as granted; an invoker may bind ports; nobody connects |
//! | [`filter`]: seccomp | the system calls of [`calls`], by what a thread does |
//!
//! **Order.** [`Sandbox::raise`] comes after everything has been opened and read (sockets, keys, `/proc`), and before the
//! first thread: threads inherit what the main thread has. Then the watchdog starts and has its role ([`Sandbox::enter`]), then the main
//! thread has its own, which all threads that it starts from then on inherit. Filters add up: a thread can only lose by them.
//!
//! **What guests lose.** The times of a file cannot be set if it may be opened neither for reading nor for writing: that goes by
//! way of `/proc`. On Linux before 5.19, files cannot be moved or linked from one directory to another.
//!
//! Workers are not a role of their own: any thread that may start one must be allowed what it is, and the main thread may.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub mod calls;
mod filter;
mod paths;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod program;

use std::fmt;
use std::io;
use std::sync::OnceLock;

use log::info;
use rustix::time::{ClockId, clock_gettime};

use crate::wasi_files::Grant;
use filter::Filters;
use paths::Confined;

/// `--sandbox`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// All of it, or the program does not start.
    On,
    /// None of it.
    Off,
    /// As much of it as the kernel has.
    #[default]
    Auto,
}

/// What a process cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs<'a> {
    /// Directories that guests may use.
    pub grants: &'a [Grant],
    /// Ports are opened while it runs: each of an invoker's containers has one.
    pub ports: bool,
}

/// What a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Serves requests, or starts those that do: workers, and the main thread.
    Server,
    /// Runs one guest and prints its result.
    Run,
    /// Looks after the guests of others: sleeps, looks whether clients are still there.
    Watchdog,
}

/// Why there is no sandbox.
#[derive(Debug)]
pub enum SandboxError {
    /// The kernel does not let go of privileges.
    NoNewPrivileges(io::Error),
    /// The kernel has no Landlock, or it is switched off.
    NoLandlock,
    /// The kernel does not take what Landlock is told.
    Landlock(landlock::RulesetError),
    /// A directory of `--allow-dir`.
    Directory(landlock::PathFdError),
    /// Filters cannot be made for this processor.
    NoFilters,
    /// The kernel does not take a filter.
    Filter(String),
}

impl fmt::Display for SandboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SandboxError::NoNewPrivileges(error) => write!(f, "no_new_privs: {error}"),
            SandboxError::NoLandlock => f.write_str("this kernel has no Landlock"),
            SandboxError::Landlock(error) => write!(f, "Landlock: {error}"),
            SandboxError::Directory(error) => write!(f, "Landlock: {error}"),
            SandboxError::NoFilters => write!(f, "no seccomp filters for {}", std::env::consts::ARCH),
            SandboxError::Filter(error) => write!(f, "seccomp: {error}"),
        }
    }
}

impl std::error::Error for SandboxError {}

/// What stands around this process.
#[derive(Debug)]
pub struct Sandbox {
    mode: Mode,
    /// `None`: it is off.
    walls: Option<Walls>,
}

#[derive(Debug)]
struct Walls {
    paths: Result<Confined, SandboxError>,
    filters: Result<Filters, SandboxError>,
    /// Why a filter is not in force.
    refusal: OnceLock<String>,
}

impl Sandbox {
    /// Confine the calling thread and all that it starts, but for system calls: [`Sandbox::enter`] does that.
    ///
    /// # Errors
    /// A directory cannot be opened; and with [`Mode::On`], what the kernel lacks.
    pub fn raise(mode: Mode, needs: Needs<'_>) -> Result<Sandbox, SandboxError> {
        if mode == Mode::Off {
            return Ok(Sandbox { mode, walls: None });
        }
        // The first look finds the vDSO, by way of `/proc` before Linux 6.4; later ones find what was found.
        let _ = clock_gettime(ClockId::Monotonic);
        let paths = rustix::thread::set_no_new_privs(true)
            .map_err(|error| SandboxError::NoNewPrivileges(error.into()))
            .and_then(|()| paths::confine(needs));
        let walls = Walls {
            paths,
            filters: Filters::new(needs),
            refusal: OnceLock::new(),
        };
        match walls {
            Walls {
                paths: Err(error @ SandboxError::Directory(_)),
                ..
            } => Err(error),
            Walls { paths: Err(error), .. }
            | Walls {
                filters: Err(error), ..
            } if mode == Mode::On => Err(error),
            walls => Ok(Sandbox {
                mode,
                walls: Some(walls),
            }),
        }
    }

    /// From now on the calling thread, and all that it starts, may only do what `role` does.
    ///
    /// # Errors
    /// With [`Mode::On`], what the kernel says.
    pub fn enter(&self, role: Role) -> Result<(), SandboxError> {
        let Some(Walls {
            filters: Ok(filters),
            refusal,
            ..
        }) = &self.walls
        else {
            return Ok(());
        };
        match filters.enter(role) {
            Err(error) if self.mode == Mode::On => Err(error),
            Err(error) => {
                let _ = refusal.set(error.to_string());
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// A line of the log: what is in force for a thread of this role.
    pub fn tell(&self, role: Role) {
        info!("sandbox: {}", self.state(role));
    }

    fn state(&self, role: Role) -> String {
        let Some(walls) = &self.walls else {
            return "off".to_owned();
        };
        let paths = match &walls.paths {
            Ok(confined) => format!("no new privileges; {confined}"),
            Err(error) => format!("files and ports are not confined: {error}"),
        };
        let calls = match (&walls.filters, walls.refusal.get()) {
            (Err(error), _) => format!("system calls are not confined: {error}"),
            (_, Some(error)) => format!("system calls are not confined: {error}"),
            (Ok(filters), None) => format!("seccomp: {} system calls", filters.count(role)),
        };
        format!("{paths}; {calls}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn off_takes_nothing() {
        let needs = Needs {
            grants: &[],
            ports: false,
        };
        let sandbox = Sandbox::raise(Mode::Off, needs).unwrap();
        sandbox.enter(Role::Watchdog).unwrap();
        assert_eq!(sandbox.state(Role::Watchdog), "off");
        assert!(std::fs::read("/proc/self/stat").is_ok());
    }
}
