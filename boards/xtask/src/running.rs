//! A board's program that runs here, and its log.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Longer than any watchdog waits, on a machine that is busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A board that runs, ended when it goes out of scope.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    /// What it has said, as far as it was waited for.
    pub log: String,
    pub address: SocketAddr,
}

impl Running {
    /// Start `command`, and wait until it tells where it listens.
    pub fn start(mut command: Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null()) // what guests print
            .stderr(Stdio::piped())
            .spawn()?;
        let log = child.stderr.take().context("standard error is piped")?;
        let (sender, lines) = mpsc::channel();
        // It ends with the board.
        thread::spawn(move || {
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut running = Running {
            child,
            lines,
            log: String::new(),
            address: ([0; 4], 0).into(),
        };
        let told = running.wait("listening on 127.0.0.1:")?;
        running.address = told
            .split_whitespace()
            .find_map(|word| word.parse().ok())
            .with_context(|| format!("no address in `{told}`"))?;
        Ok(running)
    }

    /// The next line of the log with this in it.
    pub fn wait(&mut self, text: &str) -> Result<String> {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                bail!("its log does not say `{text}`:\n{}", self.log)
            };
            self.log += &line;
            self.log += "\n";
            if line.contains(text) {
                return Ok(line);
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
