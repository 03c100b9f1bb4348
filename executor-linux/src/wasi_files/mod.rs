//! What Linux supplies to WASI guests: clocks, random numbers, sleep, and the directories that an operator grants.
//!
//! Nothing is granted unless the operator says so (`--allow-dir`). A granted directory is a capability of `cap-std`: the
//! kernel resolves a guest's paths beneath it (`openat2`, `RESOLVE_BENEATH`), so that no `..`, no absolute path and no
//! symbolic link leads out. What is neither a regular file nor a directory (a device, a pipe, a socket) cannot be opened.

mod errno;
mod file;
mod folder;

#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use executor_wasi::{Errno, Host, Interrupted, Preopened};
use rustix::rand::{GetRandomFlags, getrandom};
use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

pub use file::RegularFile;
pub use folder::Folder;

/// A directory that an operator lets guests use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The path by which guests know it.
    pub guest: String,
    /// The path of the directory on this machine.
    pub host: PathBuf,
    /// Guests may not change anything in it.
    pub read_only: bool,
}

/// This machine, for all guests.
#[derive(Debug, Default)]
pub struct Machine {
    preopened: Vec<Preopened<Folder>>,
}

impl Machine {
    /// Open the directories of these grants; guests see them in this order.
    ///
    /// # Errors
    /// The grant that could not be opened, and why.
    pub fn new(grants: &[Grant]) -> Result<Self, (Grant, io::Error)> {
        let open = |grant: &Grant| {
            let directory = Dir::open_ambient_dir(&grant.host, ambient_authority()).map_err(|e| (grant.clone(), e))?;
            Ok(Preopened {
                name: grant.guest.clone(),
                directory: Folder::new(directory),
                read_only: grant.read_only,
            })
        };
        Ok(Self {
            preopened: grants.iter().map(open).collect::<Result<_, _>>()?,
        })
    }
}

impl Host for Machine {
    type Directory = Folder;
    type File = RegularFile;

    fn realtime_ns(&self) -> Option<u64> {
        nanoseconds(clock_gettime(ClockId::Realtime))
    }

    fn monotonic_ns(&self) -> u64 {
        // A monotonic clock starts at 0; 584 years later it would not fit.
        nanoseconds(clock_gettime(ClockId::Monotonic)).unwrap_or(u64::MAX)
    }

    fn clock_resolution_ns(&self) -> u64 {
        nanoseconds(clock_getres(ClockId::Monotonic)).unwrap_or(1).max(1)
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), Errno> {
        let mut rest = bytes;
        while !rest.is_empty() {
            // The kernel gives at most 32 MiB at once, and may be interrupted.
            match getrandom(&mut *rest, GetRandomFlags::empty()) {
                Ok(filled) => rest = rest.get_mut(filled..).unwrap_or_default(),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(errno::from_kernel(error)),
            }
        }
        Ok(())
    }

    fn sleep_ns(&self, duration_ns: u64) -> Result<(), Interrupted> {
        std::thread::sleep(Duration::from_nanos(duration_ns));
        Ok(())
    }

    fn yield_now(&self) {
        std::thread::yield_now();
    }

    fn preopened(&self) -> &[Preopened<Folder>] {
        &self.preopened
    }
}

/// A time as WASI has it. `None` before 1970.
fn nanoseconds(time: Timespec) -> Option<u64> {
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let rest = u64::try_from(time.tv_nsec).ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(rest)
}
