//! The body of a request: in place in the inbox if it fits, else straight to where it is wanted.
//!
//! **Takes** the body's length, as the head told it. **Gives** exactly that many bytes, or an error: a body that is cut off
//! is never handed on. Bodies in chunks are read by [`super::chunked`].
//!
//! **Source.** RFC 9112 §6.2 (`Content-Length`), §8 (incomplete messages).

use core::fmt;

use embedded_io::{Error as _, ErrorKind, Read, Write};

use super::inbox::receive;
use super::{BodyLength, Framing, Inbox, StatusCode};
use crate::limits::CHUNK_EXTRAS_MAX_BYTES;

/// Why a body did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// The client closed the connection before the body's end.
    Truncated,
    /// The client fell silent within the body.
    TimedOut,
    /// What is between chunks is not what belongs there.
    Chunk,
    /// The extensions of chunks and the trailers are longer than is taken.
    ChunkExtras,
    /// The chunks hold more than is taken.
    TooLong {
        /// How much they have announced so far, in bytes.
        announced_bytes: u64,
    },
    /// The connection failed.
    Connection(ErrorKind),
}

impl Inbox<'_> {
    /// Answer `Expect: 100-continue`, if the client still waits for it.
    ///
    /// # Errors
    /// [`BodyError`]: the connection failed.
    pub fn send_continue<C: Write>(&self, connection: &mut C, framing: &Framing) -> Result<(), BodyError> {
        // RFC 9110 §10.1.1: a server may omit 100 if it has already received some of the body.
        if !framing.expects_continue || framing.body_length == BodyLength::Bytes(0) || !self.is_empty() {
            return Ok(());
        }
        connection
            .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
            .and_then(|()| connection.flush())
            .map_err(|error| BodyError::Connection(error.kind()))
    }

    /// Read a body of at most [`Inbox::capacity`] bytes; a longer one never comes to its end. It lies here until the inbox
    /// is used again.
    ///
    /// # Errors
    /// [`BodyError`]; the connection is of no more use.
    pub fn read_in_place<C: Read>(&mut self, connection: &mut C, len: usize) -> Result<&mut [u8], BodyError> {
        if len > self.buffer.len() - self.start {
            self.move_to_front();
        }
        while self.end - self.start < len {
            if self.fill(connection).map_err(BodyError::from_kind)? == 0 {
                return Err(BodyError::Truncated);
            }
        }
        let body = self.start..self.start + len;
        self.start = body.end;
        Ok(self.buffer.get_mut(body).unwrap_or_default())
    }

    /// Read a body of exactly the length of `into`. What came with the head is copied, the rest is received there directly.
    ///
    /// # Errors
    /// [`BodyError`]; the connection is of no more use.
    pub fn read_into<C: Read>(&mut self, connection: &mut C, into: &mut [u8]) -> Result<(), BodyError> {
        let filled = self.filled();
        let count = filled.len().min(into.len());
        let (copied, mut rest) = into.split_at_mut(count);
        copied.copy_from_slice(filled.get(..count).unwrap_or_default());
        self.start += count;
        while !rest.is_empty() {
            match receive(connection, rest).map_err(BodyError::from_kind)? {
                0 => return Err(BodyError::Truncated),
                count => rest = rest.get_mut(count..).unwrap_or_default(),
            }
        }
        Ok(())
    }
}

impl BodyError {
    pub(super) fn from_kind(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::TimedOut => BodyError::TimedOut,
            kind => BodyError::Connection(kind),
        }
    }

    /// The status that tells the client, which may still listen when it has stopped sending; `None` if there is nobody.
    pub fn status(self) -> Option<StatusCode> {
        match self {
            BodyError::Truncated | BodyError::Chunk => Some(StatusCode::BadRequest),
            BodyError::ChunkExtras => Some(StatusCode::RequestHeaderFieldsTooLarge),
            BodyError::TooLong { .. } => Some(StatusCode::ContentTooLarge),
            BodyError::TimedOut => Some(StatusCode::RequestTimeout),
            BodyError::Connection(_) => None,
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BodyError::Truncated => f.write_str("the connection ended within the request's body"),
            BodyError::Chunk => f.write_str("malformed chunk: a size in hexadecimal digits and CR LF, content, CR LF"),
            BodyError::ChunkExtras => write!(
                f,
                "the extensions of the request's chunks and its trailers are longer than {CHUNK_EXTRAS_MAX_BYTES} bytes"
            ),
            BodyError::TooLong { announced_bytes } => {
                write!(
                    f,
                    "the chunks of the request's body hold too much: {announced_bytes} bytes"
                )
            }
            BodyError::TimedOut => f.write_str("the rest of the request's body did not come in time"),
            BodyError::Connection(kind) => write!(f, "the connection failed: {kind:?}"),
        }
    }
}

impl core::error::Error for BodyError {}
