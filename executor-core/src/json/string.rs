//! Strings: raw content, decoded byte by byte when asked.

use core::ops::Range;

use super::scan::{self, Encoding, Escaped};
use super::{Fault, SyntaxError};

/// The content of a checked JSON string: what is between the quotes, escapes and all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Str<'a> {
    raw: &'a [u8],
    offset: usize,
}

impl<'a> Str<'a> {
    /// Check the content of a string, without its quotes. Its span starts at 0.
    ///
    /// # Errors
    /// [`SyntaxError`] if it has a bad escape, a control character or a quote, or is not UTF-8.
    pub fn new(content: &'a [u8]) -> Result<Self, SyntaxError> {
        match scan::string_end(content, 0, &mut Encoding::default()) {
            Err(SyntaxError {
                fault: Fault::End,
                offset,
            }) if offset == content.len() => Ok(Str {
                raw: content,
                offset: 0,
            }),
            Err(error) => Err(error),
            Ok(end) => Err(SyntaxError {
                offset: end,
                fault: Fault::Trailing,
            }),
        }
    }

    /// Content that was checked as part of a document.
    pub(super) fn checked(raw: &'a [u8], offset: usize) -> Self {
        Str { raw, offset }
    }

    pub(super) fn shifted(self, by: usize) -> Self {
        Str {
            offset: self.offset + by,
            ..self
        }
    }

    /// The content as it is written, without the quotes: UTF-8.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Where the content is in the document, without the quotes.
    pub fn span(&self) -> Range<usize> {
        self.offset..self.offset + self.raw.len()
    }

    /// True if nothing is between the quotes.
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// True if the content means `text`.
    pub fn is(&self, text: &str) -> bool {
        match memchr::memchr(b'\\', self.raw) {
            None => self.raw == text.as_bytes(),
            Some(_) => self.bytes().eq(text.bytes()),
        }
    }

    /// What the content means, in UTF-8.
    pub fn bytes(&self) -> Bytes<'a> {
        Bytes {
            raw: self.raw,
            decoded: [0; 4],
            decoded_at: 0,
            decoded_end: 0,
        }
    }
}

/// The bytes that a string's content means, in UTF-8.
#[derive(Clone, Debug)]
pub struct Bytes<'a> {
    /// What is still to be read.
    raw: &'a [u8],
    /// The rest of a decoded escape.
    decoded: [u8; 4],
    decoded_at: u8,
    decoded_end: u8,
}

impl Iterator for Bytes<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        if self.decoded_at < self.decoded_end {
            let byte = self.decoded.get(usize::from(self.decoded_at)).copied();
            self.decoded_at += 1;
            return byte;
        }
        let (&first, rest) = self.raw.split_first()?;
        if first != b'\\' {
            self.raw = rest;
            return Some(first);
        }
        let Escaped { meaning, len } = scan::escape(rest).ok()?;
        self.raw = rest.get(len..)?;
        // At most four bytes, so the length fits.
        self.decoded_end = u8::try_from(meaning.encode_utf8(&mut self.decoded).len()).ok()?;
        self.decoded_at = 1;
        Some(self.decoded[0])
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.raw.len() / 6, Some(self.raw.len() + 4))
    }
}
