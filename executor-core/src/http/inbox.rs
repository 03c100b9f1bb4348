//! The worker's receive buffer.
//!
//! **Takes** bytes from a connection. **Gives** heads, and the bytes of bodies (see [`super::body`]).
//!
//! **Invariants.** `start <= end <= buffer.len()`. What lies in `start..end` has come and is not used yet: a part of a
//! request, or requests that the client sent ahead.

use core::fmt;

use embedded_io::{Error as _, ErrorKind, Read};

use crate::limits::HEAD_MAX_BYTES;

use super::{Head, HeadError, Status, StatusCode, parse_head};

/// A worker's receive buffer: it holds a head, and the bodies that fit. Its owner chooses its size; a head can be at most
/// that long, and not longer than [`crate::limits::HEAD_MAX_BYTES`].
#[derive(Debug)]
pub struct Inbox<'b> {
    pub(super) buffer: &'b mut [u8],
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Why no head came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiveError {
    /// The client closed the connection between two requests. A TCP health check does so at once.
    Closed,
    /// The client closed the connection within a head.
    Truncated,
    /// The client fell silent within a head.
    TimedOut,
    /// The connection failed, or fell silent between two requests.
    Connection(ErrorKind),
    /// The request line alone is longer than is taken.
    RequestLineTooLong,
    /// The head is longer than is taken.
    HeadTooLong,
    /// The head is malformed.
    Head(HeadError),
}

impl<'b> Inbox<'b> {
    /// An empty inbox.
    pub fn new(buffer: &'b mut [u8]) -> Self {
        Inbox {
            buffer,
            start: 0,
            end: 0,
        }
    }

    /// The longest body that can be read in place, in bytes.
    pub fn capacity(&self) -> usize {
        self.buffer.len()
    }

    /// Forget what has come: the next bytes are another connection's.
    pub fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// True if no byte lies here that a client has sent ahead. While there is one, the next request must be served without
    /// waiting for the connection to become readable.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Read the next request's head and hand it to `then`, while it lies here. Afterwards the body comes next.
    ///
    /// # Errors
    /// [`ReceiveError`]; the connection is of no more use.
    pub fn read_head<C: Read, T>(
        &mut self,
        connection: &mut C,
        then: impl FnOnce(&Head<'_>) -> T,
    ) -> Result<T, ReceiveError> {
        let head_max_bytes = self.buffer.len().min(HEAD_MAX_BYTES);
        loop {
            let filled = self.filled();
            // Never past the limit, so that the verdict does not depend on how much has come already.
            let limited = filled.get(..head_max_bytes).unwrap_or(filled);
            match parse_head(limited).map_err(ReceiveError::Head)? {
                Status::Complete(head) => {
                    let len = head.len;
                    let result = then(&head);
                    self.start += len;
                    return Ok(result);
                }
                Status::Partial if limited.len() == head_max_bytes => {
                    // An empty line may come before the request line.
                    let line = limited.strip_prefix(b"\r\n").unwrap_or(limited);
                    return Err(match memchr::memchr(b'\n', line) {
                        Some(_) => ReceiveError::HeadTooLong,
                        None => ReceiveError::RequestLineTooLong,
                    });
                }
                Status::Partial => {}
            }
            let has_begun = !self.is_empty();
            match self.fill(connection) {
                Ok(0) if has_begun => return Err(ReceiveError::Truncated),
                Ok(0) => return Err(ReceiveError::Closed),
                Ok(_) => {}
                Err(ErrorKind::TimedOut) if has_begun => return Err(ReceiveError::TimedOut),
                Err(kind) => return Err(ReceiveError::Connection(kind)),
            }
        }
    }

    /// What has come and is not used yet.
    pub(super) fn filled(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Receive more behind what has come. 0 means that the client sends no more.
    pub(super) fn fill<C: Read>(&mut self, connection: &mut C) -> Result<usize, ErrorKind> {
        if self.is_empty() {
            self.clear();
        }
        self.fill_behind(connection)
    }

    /// The same, and what has been used stays where it is if there is room behind it.
    pub(super) fn fill_behind<C: Read>(&mut self, connection: &mut C) -> Result<usize, ErrorKind> {
        if self.end == self.buffer.len() {
            self.move_to_front();
        }
        let free = self.buffer.get_mut(self.end..).unwrap_or_default();
        let count = receive(connection, free)?;
        self.end = self.buffer.len().min(self.end + count);
        Ok(count)
    }

    /// Move what has come to the front of the buffer.
    pub(super) fn move_to_front(&mut self) {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
    }

    /// The larger part of the buffer in which nothing lies that is still to be used.
    pub fn spare(&mut self) -> &mut [u8] {
        if self.is_empty() {
            self.clear();
        }
        let range = if self.start > self.buffer.len() - self.end {
            0..self.start
        } else {
            self.end..self.buffer.len()
        };
        self.buffer.get_mut(range).unwrap_or_default()
    }
}

/// One read, repeated if a signal interrupts it.
pub(super) fn receive<C: Read>(connection: &mut C, into: &mut [u8]) -> Result<usize, ErrorKind> {
    loop {
        match connection.read(into).map_err(|error| error.kind()) {
            Err(ErrorKind::Interrupted) => {}
            result => return result,
        }
    }
}

impl ReceiveError {
    /// The status that tells the client; `None` if there is nobody to tell.
    pub fn status(self) -> Option<StatusCode> {
        match self {
            ReceiveError::Closed | ReceiveError::Truncated | ReceiveError::Connection(_) => None,
            ReceiveError::TimedOut => Some(StatusCode::RequestTimeout),
            ReceiveError::RequestLineTooLong => Some(StatusCode::UriTooLong),
            ReceiveError::HeadTooLong => Some(StatusCode::RequestHeaderFieldsTooLarge),
            ReceiveError::Head(error) => Some(error.status()),
        }
    }
}

impl fmt::Display for ReceiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReceiveError::Closed => f.write_str("the client closed the connection"),
            ReceiveError::Truncated => f.write_str("the client closed the connection within a request's head"),
            ReceiveError::TimedOut => f.write_str("the rest of the request's head did not come in time"),
            ReceiveError::Connection(kind) => write!(f, "the connection failed: {kind:?}"),
            ReceiveError::RequestLineTooLong => write!(f, "the request line is longer than {HEAD_MAX_BYTES} bytes"),
            ReceiveError::HeadTooLong => write!(f, "the request's head is longer than {HEAD_MAX_BYTES} bytes"),
            ReceiveError::Head(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ReceiveError {}
