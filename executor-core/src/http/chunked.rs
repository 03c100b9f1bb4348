//! A body that comes in chunks.
//!
//! **Takes** the bytes behind a head. **Gives** what the chunks hold, one behind the other: in the inbox as long as it fits
//! there ([`Inbox::read_chunks`]), else in memory of the caller's ([`Inbox::read_chunks_into`]).
//!
//! **What it costs.** In the inbox, the first chunk stays where it is; each later one is moved down over the few bytes
//! between them. Elsewhere a chunk is received where it is wanted, but for what came in one read with the line before it,
//! which is copied.
//!
//! **Invariants.** The grammar is read byte by byte, so that the pieces in which it comes make no difference, and nothing but
//! CR LF ends a line. The limit is checked when a chunk announces its size, before a byte of it is read. Extensions and
//! trailers are checked, bounded and thrown away: nothing in them reaches anything (RFC 9110 §6.5.1).
//!
//! **Source.** RFC 9112 §7.1.

use core::ops::Range;

use embedded_io::Read;

use super::head::is_token_byte;
use super::inbox::receive;
use super::{BodyError, Inbox};
use crate::limits::CHUNK_EXTRAS_MAX_BYTES;

/// How far the reading of a body in chunks has come.
#[derive(Debug)]
pub struct ChunkedBody {
    state: State,
    /// While a size is read, what it is so far; then what is still to come of the chunk.
    left: u64,
    /// What has come of the content.
    len: usize,
    max_bytes: usize,
    /// What extensions and trailers may still take.
    extras_left: usize,
    /// The content, if it lies in the inbox.
    place: Range<usize>,
}

/// Why reading has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Progress {
    /// The body is whole.
    Whole,
    /// There is more, and no room for it.
    Full,
}

/// ```abnf
/// chunked-body = *chunk last-chunk trailer-section CRLF
/// chunk        = chunk-size [ chunk-ext ] CRLF chunk-data CRLF
/// chunk-size   = 1*HEXDIG
/// last-chunk   = 1*("0") [ chunk-ext ] CRLF
/// chunk-ext    = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
/// trailer-section = *( field-line CRLF )
/// ```
///
/// Each state says what comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A digit of a size of which there are so many, or what follows it.
    Size(u8),
    /// White space between a size and a semicolon, or the semicolon.
    SizeSpace,
    /// An extension.
    Extension,
    SizeLineFeed,
    Data,
    DataReturn,
    DataLineFeed,
    /// A trailer field, or the empty line that ends them.
    Field,
    FieldName,
    FieldValue,
    FieldLineFeed,
    LastLineFeed,
    Ended,
}

/// As many digits as fit into a `u64`, so that a size cannot overflow. More are refused, even if they are zeros.
const SIZE_DIGITS_MAX: u8 = 16;

impl ChunkedBody {
    /// A body of which nothing has come. `max_bytes` is the longest that is taken.
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        ChunkedBody {
            state: State::Size(0),
            left: 0,
            len: 0,
            max_bytes,
            extras_left: CHUNK_EXTRAS_MAX_BYTES,
            place: 0..0,
        }
    }

    /// How much content has come, in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if none has come.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How much room it should be given, in bytes: for a chunk that is coming; and, if there is none yet, for half as much
    /// again as has come, so that a body of many small chunks is not moved at each. Not more than the limit. Less waste
    /// than by doubling, which may cost idle containers their place; more steps, which cost little where pages are moved and
    /// not bytes.
    #[must_use]
    pub fn room_wanted(&self) -> usize {
        let grown = match self.state {
            State::Ended => self.len,
            _ => self.len.saturating_add(self.len / 2),
        };
        grown.min(self.max_bytes).max(self.len_announced())
    }

    /// How much there will be at least: the chunk that is coming is counted. Not more than the limit.
    fn len_announced(&self) -> usize {
        let left = if self.state == State::Data { self.left } else { 0 };
        usize::try_from(left).map_or(self.max_bytes, |left| self.len.saturating_add(left).min(self.max_bytes))
    }

    /// Read what is between the chunks' contents, until content comes or the body has ended. Gives how much it was.
    fn skip_framing(&mut self, bytes: &[u8]) -> Result<usize, BodyError> {
        for (index, &byte) in bytes.iter().enumerate() {
            if matches!(self.state, State::Data | State::Ended) {
                return Ok(index);
            }
            self.step(byte)?;
        }
        Ok(bytes.len())
    }

    /// Take one byte that is not content.
    fn step(&mut self, byte: u8) -> Result<(), BodyError> {
        let is_of_text = byte == b'\t' || !byte.is_ascii_control();
        self.state = match (self.state, byte) {
            (State::Size(count), digit) if digit.is_ascii_hexdigit() && count < SIZE_DIGITS_MAX => {
                let value = char::from(digit).to_digit(16).unwrap_or_default();
                self.left = self.left << 4 | u64::from(value);
                State::Size(count + 1)
            }
            (State::Size(1..), b' ' | b'\t') | (State::SizeSpace, b' ' | b'\t') => self.extra(State::SizeSpace)?,
            (State::Size(1..) | State::SizeSpace, b';') => self.extra(State::Extension)?,
            (State::Size(1..) | State::Extension, b'\r') => State::SizeLineFeed,
            (State::Extension, _) if is_of_text => self.extra(State::Extension)?,
            (State::SizeLineFeed, b'\n') if self.left == 0 => State::Field,
            (State::SizeLineFeed, b'\n') => self.admit()?,
            (State::DataReturn, b'\r') => State::DataLineFeed,
            (State::DataLineFeed, b'\n') => State::Size(0),
            (State::Field, b'\r') => State::LastLineFeed,
            (State::Field, name) if is_token_byte(name) => self.extra(State::FieldName)?,
            (State::FieldName, b':') => self.extra(State::FieldValue)?,
            (State::FieldName, name) if is_token_byte(name) => self.extra(State::FieldName)?,
            (State::FieldValue, b'\r') => State::FieldLineFeed,
            (State::FieldValue, _) if is_of_text => self.extra(State::FieldValue)?,
            (State::FieldLineFeed, b'\n') => State::Field,
            (State::LastLineFeed, b'\n') => State::Ended,
            _ => return Err(BodyError::Chunk),
        };
        Ok(())
    }

    /// A byte of an extension or a trailer: is there one more?
    fn extra(&mut self, next: State) -> Result<State, BodyError> {
        self.extras_left = self.extras_left.checked_sub(1).ok_or(BodyError::ChunkExtras)?;
        Ok(next)
    }

    /// A chunk has announced its size: is it too much?
    fn admit(&self) -> Result<State, BodyError> {
        let len = self.left.saturating_add(self.len as u64);
        if len > self.max_bytes as u64 {
            return Err(BodyError::TooLong { announced_bytes: len });
        }
        Ok(State::Data)
    }

    /// Content has come, and lies where it is wanted.
    fn took(&mut self, count: usize) {
        self.len += count;
        self.left = self.left.saturating_sub(count as u64);
        if self.left == 0 {
            self.state = State::DataReturn;
        }
    }

    /// How much of so many bytes is content of this chunk.
    fn of_chunk(&self, len: usize) -> usize {
        usize::try_from(self.left).map_or(len, |left| left.min(len))
    }
}

impl Inbox<'_> {
    /// Read a body that begins here, and keep it here: [`Inbox::content`]. It stops when there is no room for more
    /// content; the caller then goes on with [`Inbox::move_content`] and [`Inbox::read_chunks_into`].
    ///
    /// # Errors
    /// [`BodyError`]; the connection is of no more use.
    pub fn read_chunks<C: Read>(&mut self, connection: &mut C, body: &mut ChunkedBody) -> Result<Progress, BodyError> {
        loop {
            match body.state {
                State::Ended => return Ok(Progress::Whole),
                // The rest is better received where there is room.
                State::Data if body.len_announced() > self.buffer.len() => return Ok(Progress::Full),
                State::Data if !self.is_empty() => {
                    let count = body.of_chunk(self.end - self.start);
                    if body.place.is_empty() {
                        body.place = self.start..self.start;
                    }
                    if body.place.end != self.start {
                        self.buffer.copy_within(self.start..self.start + count, body.place.end);
                    }
                    body.place.end += count;
                    self.start += count;
                    body.took(count);
                }
                _ if !self.is_empty() => self.start += body.skip_framing(self.filled())?,
                _ => {
                    if body.place.start > self.buffer.len() - body.place.end {
                        self.buffer.copy_within(body.place.clone(), 0);
                        body.place = 0..body.place.len();
                    }
                    if body.place.end == self.buffer.len() {
                        return Ok(Progress::Full);
                    }
                    // All that has come is used: what comes next may lie behind the content.
                    self.start = body.place.end;
                    self.end = body.place.end;
                    if self.fill_behind(connection).map_err(BodyError::from_kind)? == 0 {
                        return Err(BodyError::Truncated);
                    }
                }
            }
        }
    }

    /// The content that has been read here. It lies here until the inbox is used again.
    #[must_use]
    pub fn content(&mut self, body: &ChunkedBody) -> &mut [u8] {
        self.buffer.get_mut(body.place.clone()).unwrap_or_default()
    }

    /// Copy the content that has been read here to the front of `into`, which is at least as long.
    pub fn move_content(&mut self, body: &mut ChunkedBody, into: &mut [u8]) {
        let content = self.content(body);
        if let Some(into) = into.get_mut(..content.len()) {
            into.copy_from_slice(content);
        }
        body.place = 0..0;
    }

    /// Read on, into `into`, at whose front the content lies that has come. It stops when `into` is full and there is more
    /// content.
    ///
    /// # Errors
    /// [`BodyError`]; the connection is of no more use.
    pub fn read_chunks_into<C: Read>(
        &mut self,
        connection: &mut C,
        body: &mut ChunkedBody,
        into: &mut [u8],
    ) -> Result<Progress, BodyError> {
        loop {
            match body.state {
                State::Ended => return Ok(Progress::Whole),
                State::Data => {
                    let room = into.get_mut(body.len..).unwrap_or_default();
                    let wanted = body.of_chunk(room.len());
                    let Some(room) = room.get_mut(..wanted).filter(|room| !room.is_empty()) else {
                        return Ok(Progress::Full);
                    };
                    let filled = self.filled();
                    let count = if filled.is_empty() {
                        receive(connection, room).map_err(BodyError::from_kind)?
                    } else {
                        let count = filled.len().min(room.len());
                        let (copied, _) = room.split_at_mut(count);
                        copied.copy_from_slice(filled.get(..count).unwrap_or_default());
                        self.start += count;
                        count
                    };
                    if count == 0 {
                        return Err(BodyError::Truncated);
                    }
                    body.took(count);
                }
                _ if !self.is_empty() => self.start += body.skip_framing(self.filled())?,
                _ => {
                    if self.fill(connection).map_err(BodyError::from_kind)? == 0 {
                        return Err(BodyError::Truncated);
                    }
                }
            }
        }
    }
}
