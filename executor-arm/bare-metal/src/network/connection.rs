//! One client's connection as `embedded_io` sees it.
//!
//! | wait for | at most | plus, a second for |
//! | --- | --- | --- |
//! | the rest of a request | [`REQUEST_WAIT_US`] | each [`BYTES_PER_SECOND_MIN`] of it that has come |
//! | room for a reply | [`REPLY_WAIT_US`] | each [`REPLY_BYTES_PER_SECOND_MIN`] that has left |
//! | either, while another client waits with a request | [`PATIENCE_US`] without a byte | |
//!
//! There is one thread: a client that is slow keeps all others waiting, and so has less time when there are others.

use embedded_io::{ErrorKind, ErrorType, Read, Write};

use super::{Io, Sockets, with};
use crate::{board, watch};

/// A request must have come within this time, plus one second for each [`BYTES_PER_SECOND_MIN`] of it.
pub const REQUEST_WAIT_US: u64 = 10_000_000;
/// The slowest client that is served while nobody else waits.
pub const BYTES_PER_SECOND_MIN: u64 = 256 * 1024;
/// A reply must have left within this time, plus one second for each [`REPLY_BYTES_PER_SECOND_MIN`] of it.
pub const REPLY_WAIT_US: u64 = 10_000_000;
/// The slowest client that gets a long reply.
pub const REPLY_BYTES_PER_SECOND_MIN: u64 = 32 * 1024;
/// How long a client may stand still while others wait.
pub const PATIENCE_US: u64 = 1_000_000;

/// A connection in the thread's hands.
#[derive(Debug)]
pub struct Connection {
    index: usize,
    since_us: u64,
    received_bytes: u64,
    reply_since_us: Option<u64>,
    sent_bytes: u64,
}

/// Why a read or a write failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionError(ErrorKind);

impl core::fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Debug::fmt(&self.0, f)
    }
}

impl core::error::Error for ConnectionError {}

impl embedded_io::Error for ConnectionError {
    fn kind(&self) -> ErrorKind {
        self.0
    }
}

impl Connection {
    /// The connection of this socket, with a request that begins now.
    pub(crate) fn new(index: usize) -> Self {
        Connection {
            index,
            since_us: board::uptime_us(),
            received_bytes: 0,
            reply_since_us: None,
            sent_bytes: 0,
        }
    }

    /// Repeat `attempt` until it has an end, or its time is over.
    fn wait(&self, until_us: u64, mut attempt: impl FnMut(&mut Sockets) -> Io) -> Result<usize, ConnectionError> {
        let still_since_us = board::uptime_us();
        loop {
            let now_us = board::uptime_us();
            watch::note_progress();
            let (io, others_wait) = with(|network| {
                let mut io = attempt(network.sockets());
                if io == Io::WouldBlock {
                    network.poll(now_us);
                    io = attempt(network.sockets());
                }
                (io, io == Io::WouldBlock && network.sockets().others_wait(now_us))
            })
            .unwrap_or((Io::Broken, false));
            match io {
                Io::Done(len) => return Ok(len),
                Io::End => return Ok(0),
                Io::Broken => return Err(ConnectionError(ErrorKind::ConnectionReset)),
                Io::WouldBlock => {}
            }
            if now_us >= until_us || (others_wait && now_us.saturating_sub(still_since_us) > PATIENCE_US) {
                return Err(ConnectionError(ErrorKind::TimedOut));
            }
            if let Some(board) = board::get() {
                board.wait_for_interrupt();
            }
        }
    }
}

impl ErrorType for Connection {
    type Error = ConnectionError;
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ConnectionError> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let until_us = self.since_us + REQUEST_WAIT_US + self.received_bytes * 1_000_000 / BYTES_PER_SECOND_MIN;
        let index = self.index;
        let len = self.wait(until_us, |sockets| sockets.receive(index, buffer))?;
        self.received_bytes += len as u64;
        Ok(len)
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ConnectionError> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let since_us = *self.reply_since_us.get_or_insert_with(board::uptime_us);
        let until_us = since_us + REPLY_WAIT_US + self.sent_bytes * 1_000_000 / REPLY_BYTES_PER_SECOND_MIN;
        let index = self.index;
        let len = self.wait(until_us, |sockets| sockets.send(index, bytes))?;
        if len == 0 {
            return Err(ConnectionError(ErrorKind::BrokenPipe));
        }
        self.sent_bytes += len as u64;
        Ok(len)
    }

    fn flush(&mut self) -> Result<(), ConnectionError> {
        // What is in the socket's buffer leaves with the next poll.
        with(|network| network.poll(board::uptime_us()));
        Ok(())
    }
}
