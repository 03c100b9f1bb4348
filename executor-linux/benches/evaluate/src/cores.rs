//! Which cores the client runs on, and with it whatever it starts meanwhile.

use anyhow::Result;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// This thread is held to some cores until this is dropped. Processes and threads that it starts stay there.
pub struct Cores(CpuSet);

impl Cores {
    /// The last so many of those that it may run on: the first one serves most interrupts.
    pub fn only(count: usize) -> Result<Self> {
        let all = sched_getaffinity(None)?;
        let mut some = CpuSet::new();
        (0..CpuSet::MAX_CPU)
            .rev()
            .filter(|cpu| all.is_set(*cpu))
            .take(count)
            .for_each(|cpu| some.set(cpu));
        sched_setaffinity(None, &some)?;
        Ok(Cores(all))
    }
}

impl Drop for Cores {
    fn drop(&mut self) {
        // It was there before.
        let _ = sched_setaffinity(None, &self.0);
    }
}
