//! Clocks.

use crate::context::Context;
use crate::errno::Errno;
use crate::host::Host;
use crate::memory::GuestMemory;

/// `clockid`: the clocks that there are. The two of CPU time (2 and 3) are not supported.
pub(super) const REALTIME: u32 = 0;
pub(super) const MONOTONIC: u32 = 1;

impl<H: Host> Context<'_, H> {
    pub(crate) fn clock_res_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        clock: u32,
        resolution: u32,
    ) -> Result<(), Errno> {
        self.clock_ns(clock)?;
        memory.write_u64(resolution, self.host.clock_resolution_ns())
    }

    pub(crate) fn clock_time_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        clock: u32,
        _precision: u64,
        time: u32,
    ) -> Result<(), Errno> {
        memory.write_u64(time, self.clock_ns(clock)?)
    }

    /// A clock's time. "For unsupported clocks, return `errno::inval`."
    fn clock_ns(&self, clock: u32) -> Result<u64, Errno> {
        match clock {
            REALTIME => self.host.realtime_ns().ok_or(Errno::Inval),
            MONOTONIC => Ok(self.host.monotonic_ns()),
            _ => Err(Errno::Inval),
        }
    }
}
