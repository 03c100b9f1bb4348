//! What guests wrote, on the streams that OpenWhisk's log collection reads.
//!
//! After each activation a sentinel line goes to standard output and to standard error. The standalone controller keeps
//! what comes before the *first* sentinel of either stream (`DockerCliLogStore.scala`), so the text of both streams goes
//! out before either sentinel. Activations do not mix: one lock spans all writes of one.
//!
//! Nobody may read these streams any more (`EPIPE`, a full disk): then the text is lost, and nothing else.

use std::io::IoSlice;
use std::os::fd::{AsFd, OwnedFd};

use executor_core::runtime::Logs;
use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// Marks the end of one activation's log. The value is OpenWhisk's (`ActivationEntityLimit`, all runtimes).
const SENTINEL: &[u8] = b"XXX_THE_END_OF_A_WHISK_ACTIVATION_XXX\n";

/// The two streams.
#[derive(Debug)]
pub struct ActivationLog {
    streams: Mutex<Streams>,
    sentinels: bool,
}

#[derive(Debug)]
struct Streams {
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
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
            streams: Mutex::new(Streams { stdout, stderr }),
            sentinels,
        }
    }

    /// One activation has ended.
    pub fn write(&self, logs: Logs<'_>) {
        if !self.sentinels && logs == Logs::default() {
            return;
        }
        let streams = self.streams.lock();
        write_all(streams.stderr.as_ref(), [logs.stderr, line_end(logs.stderr), b""]);
        if self.sentinels {
            write_all(streams.stdout.as_ref(), [logs.stdout, line_end(logs.stdout), SENTINEL]);
            write_all(streams.stderr.as_ref(), [SENTINEL, b"", b""]);
        } else {
            write_all(streams.stdout.as_ref(), [logs.stdout, line_end(logs.stdout), b""]);
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

/// Write the parts as one, or as much of them as the stream takes.
fn write_all(stream: Option<&OwnedFd>, mut parts: [&[u8]; 3]) {
    let Some(stream) = stream else { return };
    while parts.iter().any(|part| !part.is_empty()) {
        match rustix::io::writev(stream, &parts.map(IoSlice::new)) {
            Ok(0) => return,
            Ok(mut written) => {
                for part in &mut parts {
                    let of_part = written.min(part.len());
                    *part = part.get(of_part..).unwrap_or_default();
                    written -= of_part;
                }
            }
            Err(Errno::INTR) => {}
            // Somebody has made the stream non-blocking: wait for its reader.
            Err(Errno::AGAIN) => {
                let _ = poll(&mut [PollFd::new(stream, PollFlags::OUT)], None);
            }
            Err(_) => return,
        }
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
            rustix::io::ioctl_fionbio(streams.stdout.as_ref().unwrap(), true).unwrap();
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
}
