//! Writing to a stream that somebody else may have stopped reading.
//!
//! Standard output and standard error are often pipes or sockets, whose reader may hang: a plain write would hold its thread,
//! and whatever lock it has, for ever. The streams stay in their blocking mode, because they are shared with other processes.
//! So each write waits for room first, and is no longer than what the kernel promises to take then: `PIPE_BUF` bytes, for
//! which a pipe has room when `poll` says so (pipe(7)). If another process fills that room in between, the write waits for
//! the reader after all.

use std::io::IoSlice;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// What `poll` promises room for, on Linux.
const CHUNK_BYTES: usize = rustix::pipe::PIPE_BUF;

/// Why not all of it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Nobody has read for the whole time.
    Stalled,
    /// The stream takes nothing any more: its reader has gone, or a disk is full.
    Failed(Errno),
}

/// Write all of the parts, together if they are short. The reader may take its time, but not read nothing for `patience`.
///
/// # Errors
/// [`Lost`]: the rest was not written.
pub fn write_all<const N: usize>(stream: impl AsFd, mut parts: [&[u8]; N], patience: Duration) -> Result<(), Lost> {
    while parts.iter().any(|part| !part.is_empty()) {
        wait_for_room(&stream, patience)?;
        let mut room = CHUNK_BYTES;
        let chunk = parts.map(|part| {
            let (chunk, _) = part.split_at(part.len().min(room));
            room -= chunk.len();
            IoSlice::new(chunk)
        });
        match rustix::io::writev(&stream, &chunk) {
            Ok(0) => return Err(Lost::Failed(Errno::IO)),
            Ok(mut written) => {
                for part in &mut parts {
                    let of_part = written.min(part.len());
                    *part = part.get(of_part..).unwrap_or_default();
                    written -= of_part;
                }
            }
            // Somebody has made the stream non-blocking, and somebody else was faster.
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(error) => return Err(Lost::Failed(error)),
        }
    }
    Ok(())
}

fn wait_for_room(stream: impl AsFd, patience: Duration) -> Result<(), Lost> {
    let until = Instant::now().checked_add(patience);
    loop {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut [PollFd::new(&stream, PollFlags::OUT)], left.as_ref()) {
            Ok(0) => return Err(Lost::Stalled),
            // Room, or an error that the write will tell.
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(Lost::Failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_pipe_that_nobody_reads_does_not_hold_the_writer() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let before = Instant::now();
        let lost = write_all(&writer, [&[b'x'; 1 << 20]], Duration::from_millis(50));
        assert_eq!(lost, Err(Lost::Stalled));
        assert!(before.elapsed() >= Duration::from_millis(50));
        // With room again it goes on.
        let read = reader.read(&mut [0; 65536]).unwrap();
        assert!(read >= CHUNK_BYTES);
        assert_eq!(write_all(&writer, [b"more"], Duration::ZERO), Ok(()));
        drop(reader);
        assert_eq!(
            write_all(&writer, [b"more"], Duration::ZERO),
            Err(Lost::Failed(Errno::PIPE))
        );
    }

    #[test]
    fn a_slow_reader_gets_everything() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let taken = std::thread::spawn(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).unwrap();
            all.len()
        });
        write_all(&writer, [&[b'x'; 1 << 20], b"", b"y"], Duration::from_secs(60)).unwrap();
        drop(writer);
        assert_eq!(taken.join().unwrap(), (1 << 20) + 1);
    }

    #[test]
    fn a_socket_that_nobody_reads_does_not_hold_the_writer() {
        let (_reader, writer) = std::os::unix::net::UnixStream::pair().unwrap();
        let lost = write_all(&writer, [&[b'x'; 4 << 20]], Duration::from_millis(50));
        assert_eq!(lost, Err(Lost::Stalled));
    }
}
