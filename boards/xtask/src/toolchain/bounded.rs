//! Programs that have only so much time, as they may wait for a network that never answers.

use std::io::{self, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// As much of a failed program's complaint as an error message carries.
const COMPLAINT_LINES: usize = 12;

/// Run a program to its end. Returns what it wrote to stdout.
///
/// # Errors
/// If it cannot be started, fails, or is still running after `limit`: it is killed then.
pub fn run(command: &mut Command, limit: Duration) -> Result<String> {
    let deadline = Instant::now() + limit;
    let name = command.get_program().display().to_string();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot run `{name}`"))?;
    let outcome = read(&mut child, deadline);
    if outcome.is_err() {
        // It may have ended meanwhile: there is nothing to kill then, and `wait` tells how it ended.
        let _ = child.kill();
    }
    let status = child.wait()?;
    let (stdout, stderr) = outcome.with_context(|| format!("`{name}` gave no answer within {} s", limit.as_secs()))?;
    if !status.success() {
        bail!("`{name}` failed ({status}): {}", last_lines(&stderr, COMPLAINT_LINES));
    }
    Ok(stdout)
}

/// All of stdout and of stderr, unless the deadline passes first. The threads end with the pipes.
fn read(child: &mut Child, deadline: Instant) -> Result<(String, String)> {
    let stdout = child.stdout.take().context("stdout is piped")?;
    let stderr = child.stderr.take().context("stderr is piped")?;
    let mut texts = [String::new(), String::new()];
    let (sender, receiver) = channel();
    spawn_reader(0, stdout, sender.clone());
    spawn_reader(1, stderr, sender);
    for _ in 0..2 {
        let (index, bytes) = receiver.recv_timeout(deadline.saturating_duration_since(Instant::now()))?;
        if let Some(text) = texts.get_mut(index) {
            *text = String::from_utf8_lossy(&bytes?).into_owned();
        }
    }
    Ok(texts.into())
}

fn spawn_reader(index: usize, mut pipe: impl Read + Send + 'static, sender: Sender<(usize, io::Result<Vec<u8>>)>) {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let outcome = pipe.read_to_end(&mut bytes).map(|_| bytes);
        // After the deadline nobody listens any more.
        let _ = sender.send((index, outcome));
    });
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.trim().lines().collect();
    lines
        .get(lines.len().saturating_sub(count)..)
        .unwrap_or_default()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn stdout_is_returned_and_a_failure_carries_stderr() {
        let limit = Duration::from_secs(60);
        assert_eq!(
            run(&mut shell("echo yes; echo no >&2"), limit).ok().as_deref(),
            Some("yes\n")
        );
        let error = format!(
            "{:#}",
            run(&mut shell("echo because >&2; exit 3"), limit).expect_err("it exits with 3")
        );
        assert!(error.contains("because") && error.contains('3'), "{error}");
        let error = format!(
            "{:#}",
            run(&mut Command::new("/no/such/program"), limit).expect_err("it does not exist")
        );
        assert!(error.contains("cannot run `/no/such/program`"), "{error}");
    }

    #[test]
    fn a_program_that_does_not_end_is_killed() {
        let error = run(Command::new("sleep").arg("1000"), Duration::from_millis(50)).expect_err("it takes too long");
        assert!(format!("{error:#}").contains("gave no answer within"), "{error:#}");
    }

    #[test]
    fn the_last_lines_are_kept() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("a\n", 2), "a");
        assert_eq!(last_lines("", 2), "");
    }
}
