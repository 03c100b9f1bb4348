//! Keeping the processor awake: one process for each core, which runs only where nothing else wants to.

use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

/// Ends with its value.
pub struct Busy(Child);

/// Start them. `chrt --idle` (util-linux) gives them the scheduling policy SCHED_IDLE.
pub fn keep() -> Result<Vec<Busy>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (0..cores)
        .map(|_| {
            let mut command = Command::new("chrt");
            command.args(["--idle", "0", "sh", "-c", "while :; do :; done"]);
            let child = command.stdin(Stdio::null()).spawn();
            child.map(Busy).context("cannot run chrt, of util-linux")
        })
        .collect()
}

impl Drop for Busy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
