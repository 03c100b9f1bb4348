//! What guests wrote, on the streams that OpenWhisk's log collection reads.
//!
//! After each activation a sentinel line goes to standard output and to standard error. The standalone controller keeps
//! what comes before the *first* sentinel of either stream (`DockerCliLogStore.scala`), so the text of both streams goes
//! out before either sentinel. Activations do not mix: one lock spans all writes of one.
//!
//! Nobody may read these streams any more (`EPIPE`, a full disk): then the text is lost, and nothing else. A reader that
//! hangs holds up the workers that have something to write, for [`PATIENCE`]. After that the text is lost as well, at once
//! for each activation, until the reader goes on.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use executor_core::runtime::Logs;
use log::warn;
use parking_lot::Mutex;

use crate::patient_write::{self, Lost};

/// Marks the end of one activation's log. The value is OpenWhisk's (`ActivationEntityLimit`, all runtimes).
const SENTINEL: &[u8] = b"XXX_THE_END_OF_A_WHISK_ACTIVATION_XXX\n";

/// How long a reader may read nothing before what it does not read is thrown away.
const PATIENCE: Duration = Duration::from_secs(1);

/// The two streams.
#[derive(Debug)]
pub struct ActivationLog {
    streams: Mutex<Streams>,
    sentinels: bool,
}

#[derive(Debug)]
struct Streams {
    stdout: Stream,
    stderr: Stream,
}

#[derive(Debug)]
struct Stream {
    name: &'static str,
    /// `None`: the process has none.
    file: Option<OwnedFd>,
    /// Its reader hangs: the last text was lost, maybe from the middle of a line on.
    is_stalled: bool,
}

impl ActivationLog {
    /// Write to this process's standard output and standard error, with or without sentinels.
    pub fn to_own_streams(sentinels: bool) -> Self {
        Self::new(
            std::io::stdout().as_fd().try_clone_to_owned().ok(),
            own_stderr(),
            sentinels,
        )
    }

    /// Write both streams' text to this process's standard error, where it does not mix with a result.
    pub fn to_stderr() -> Self {
        Self::new(own_stderr(), own_stderr(), false)
    }

    fn new(stdout: Option<OwnedFd>, stderr: Option<OwnedFd>, sentinels: bool) -> Self {
        ActivationLog {
            streams: Mutex::new(Streams {
                stdout: Stream::new("standard output", stdout),
                stderr: Stream::new("standard error", stderr),
            }),
            sentinels,
        }
    }

    /// One activation has ended.
    pub fn write(&self, logs: Logs<'_>) {
        if !self.sentinels && logs == Logs::default() {
            return;
        }
        let mut streams = self.streams.lock();
        let Streams { stdout, stderr } = &mut *streams;
        stderr.write(logs.stderr, b"");
        if self.sentinels {
            stdout.write(logs.stdout, SENTINEL);
            stderr.write(b"", SENTINEL);
        } else {
            stdout.write(logs.stdout, b"");
        }
    }
}

fn own_stderr() -> Option<OwnedFd> {
    std::io::stderr().as_fd().try_clone_to_owned().ok()
}

/// What is missing to a whole last line: the sentinel must be a line of its own.
fn line_end(text: &[u8]) -> &'static [u8] {
    if text.last().is_none_or(|&byte| byte == b'\n') {
        b""
    } else {
        b"\n"
    }
}

impl Stream {
    fn new(name: &'static str, file: Option<OwnedFd>) -> Self {
        Stream {
            name,
            file,
            is_stalled: false,
        }
    }

    /// Write the text as whole lines, and the sentinel, or as much of them as the stream takes.
    fn write(&mut self, text: &[u8], sentinel: &[u8]) {
        let Some(file) = &self.file else { return };
        let (torn_line_end, patience): (&[u8], _) = if self.is_stalled {
            (b"\n", Duration::ZERO)
        } else {
            (b"", PATIENCE)
        };
        if text.is_empty() && sentinel.is_empty() {
            return;
        }
        let parts = [torn_line_end, text, line_end(text), sentinel];
        let is_stalled = patient_write::write_all(file, parts, patience) == Err(Lost::Stalled);
        if is_stalled && !self.is_stalled {
            warn!(
                "nobody reads {}: what guests print is lost until somebody does",
                self.name
            );
        }
        self.is_stalled = is_stalled;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Read;

    fn pipes(sentinels: bool) -> (ActivationLog, File, File) {
        let (stdout_reader, stdout) = std::io::pipe().unwrap();
        let (stderr_reader, stderr) = std::io::pipe().unwrap();
        let log = ActivationLog::new(Some(stdout.into()), Some(stderr.into()), sentinels);
        (
            log,
            OwnedFd::from(stdout_reader).into(),
            OwnedFd::from(stderr_reader).into(),
        )
    }

    fn text(mut stream: File) -> String {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn each_activation_ends_with_a_sentinel_line_on_both_streams() {
        let (log, stdout, stderr) = pipes(true);
        log.write(Logs {
            stdout: b"one\ntwo",
            stderr: b"",
        });
        log.write(Logs {
            stdout: b"",
            stderr: b"three\n",
        });
        drop(log);
        let end = "XXX_THE_END_OF_A_WHISK_ACTIVATION_XXX\n";
        assert_eq!(text(stdout), format!("one\ntwo\n{end}{end}"));
        assert_eq!(text(stderr), format!("{end}three\n{end}"));
    }

    #[test]
    fn the_text_of_both_streams_precedes_either_sentinel() {
        let (reader, writer) = std::io::pipe().unwrap();
        let writer = OwnedFd::from(writer);
        let log = ActivationLog::new(Some(writer.try_clone().unwrap()), Some(writer), true);
        log.write(Logs {
            stdout: b"out",
            stderr: b"err",
        });
        drop(log);
        let end = "XXX_THE_END_OF_A_WHISK_ACTIVATION_XXX\n";
        assert_eq!(text(OwnedFd::from(reader).into()), format!("err\nout\n{end}{end}"));
    }

    #[test]
    fn without_sentinels_only_the_text_passes() {
        let (log, stdout, stderr) = pipes(false);
        log.write(Logs {
            stdout: b"out",
            stderr: b"",
        });
        log.write(Logs::default());
        drop(log);
        assert_eq!(text(stdout), "out\n");
        assert_eq!(text(stderr), "");
    }

    #[test]
    fn a_reader_that_has_gone_is_survived() {
        let (log, stdout, stderr) = pipes(true);
        drop(stdout);
        log.write(Logs {
            stdout: b"lost",
            stderr: b"kept",
        });
        drop(log);
        assert_eq!(text(stderr), "kept\nXXX_THE_END_OF_A_WHISK_ACTIVATION_XXX\n");
    }

    #[test]
    fn a_stream_that_does_not_block_is_waited_for() {
        let (log, stdout, stderr) = pipes(true);
        let long = vec![b'x'; 1 << 20];
        {
            let streams = log.streams.lock();
            rustix::io::ioctl_fionbio(streams.stdout.file.as_ref().unwrap(), true).unwrap();
        }
        let reader = std::thread::spawn(move || text(stdout));
        log.write(Logs {
            stdout: &long,
            stderr: b"",
        });
        drop(log);
        assert_eq!(reader.join().unwrap().len(), long.len() + 1 + SENTINEL.len());
        drop(stderr);
    }

    #[test]
    fn a_reader_that_hangs_loses_text_and_holds_up_nobody_for_long() {
        let (log, mut stdout, stderr) = pipes(true);
        let long = vec![b'x'; 1 << 20];
        let logs = Logs {
            stdout: &long,
            stderr: b"",
        };
        let before = std::time::Instant::now();
        log.write(logs);
        assert!(before.elapsed() >= PATIENCE, "a reader may be slow");
        for _ in 0..100 {
            log.write(logs);
        }
        assert!(before.elapsed() < PATIENCE * 50, "{:?}", before.elapsed());
        // It goes on: a sentinel is a line of its own all the same.
        let mut taken = vec![0; 1 << 20];
        let len = stdout.read(&mut taken).unwrap();
        assert!(taken[..len].iter().all(|&byte| byte == b'x'));
        log.write(Logs {
            stdout: b"after",
            stderr: b"",
        });
        drop(log);
        let end = "XXX_THE_END_OF_A_WHISK_ACTIVATION_XXX\n";
        let rest = text(stdout);
        assert!(rest.ends_with(&format!("\nafter\n{end}")), "{rest}");
        assert!(text(stderr).ends_with(end));
    }
}
