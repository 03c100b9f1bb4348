//! What a board supplies to WASI guests: time, and random numbers if it has any. There are no files.

use executor_wasi::{Errno, Host, Interrupted, NoFiles};

use crate::{board, watch};

/// This machine, for all guests.
#[derive(Debug)]
pub struct BareHost;

impl Host for BareHost {
    type Directory = NoFiles;
    type File = NoFiles;

    fn realtime_ns(&self) -> Option<u64> {
        watch::epoch_ms().map(|milliseconds| milliseconds * 1_000_000)
    }

    fn monotonic_ns(&self) -> u64 {
        board::uptime_us() * 1000
    }

    fn clock_resolution_ns(&self) -> u64 {
        1000
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), Errno> {
        match board::get() {
            Some(board) if board.random(bytes) => Ok(()),
            _ => Err(Errno::Nosys),
        }
    }

    fn sleep_ns(&self, duration_ns: u64) -> Result<(), Interrupted> {
        let until = board::uptime_us().saturating_add(duration_ns / 1000);
        while board::uptime_us() < until {
            // The timer ticks: a long sleep is slept, and its end is noticed a tick late at most. (WASI sleeps in steps of 20
            // ms, and looks between them whether the run was stopped.)
            if let Some(board) = board::get().filter(|_| until - board::uptime_us().min(until) > 10_000) {
                board.wait_for_interrupt();
            }
        }
        Ok(())
    }
}
