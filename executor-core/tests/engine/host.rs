//! What tests and fuzz targets give guests in place of a machine.

use std::thread;
use std::time::Duration;

use executor_wasi::{Errno, Host, Interrupted, NoFiles};

/// A machine with a clock that stands still. Guests do sleep: so they can be stopped in it.
pub struct StillHost;

impl Host for StillHost {
    type Directory = NoFiles;
    type File = NoFiles;

    fn realtime_ns(&self) -> Option<u64> {
        Some(1_000_000_007)
    }

    fn monotonic_ns(&self) -> u64 {
        7
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), Errno> {
        bytes.fill(9);
        Ok(())
    }

    fn sleep_ns(&self, duration_ns: u64) -> Result<(), Interrupted> {
        thread::sleep(Duration::from_nanos(duration_ns));
        Ok(())
    }
}
