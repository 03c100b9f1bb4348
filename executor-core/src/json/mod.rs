//! JSON text, checked once and read where it lies.
//!
//! **Takes** the bytes of one document. **Gives** a [`Value`] that borrows them: raw text with its offset in the document,
//! so that a caller can name a part of the body as a range and hand the body on.
//!
//! **Invariants.** Nothing is allocated, nothing recurses: nesting is one bit a level, at most
//! [`crate::limits::JSON_MAX_DEPTH`] levels. What is wrong is found by [`parse`]; reading a checked document cannot fail.
//! Where an object has a key twice, the last one counts, as in the JSON parsers of OpenWhisk.
//!
//! **Not here.** Encoding: replies are written with `serde-json-core`. That crate does not serve for reading: it has no raw
//! values (`value` must reach the guest as the bytes that came), and it cannot borrow a string that has escapes.
//!
//! **Source.** RFC 8259. Its grammar allows escapes of lone surrogates (`\ud800`): they pass the check, and decode to U+FFFD.

mod scan;
mod string;
#[cfg(test)]
mod tests;

use core::fmt;
use core::ops::Range;

use scan::Longest;
pub use string::{Bytes, Str};

/// Check one whole JSON document; whitespace may surround it. The value's spans are offsets in `document`.
///
/// # Errors
/// [`SyntaxError`] says what is wrong, and where.
pub fn parse(document: &[u8]) -> Result<Value<'_>, SyntaxError> {
    let longest = scan::check(document)?;
    let start = scan::whitespace_end(document, 0);
    Ok(Value::between(
        document,
        start,
        document.trim_ascii_end().len(),
        longest,
    ))
}

/// A checked JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number's text.
    Number(&'a str),
    /// A string.
    String(Str<'a>),
    /// An array.
    Array(Array<'a>),
    /// An object.
    Object(Object<'a>),
}

impl<'a> Value<'a> {
    /// The value that starts at `start` of a checked document, and where it ends.
    fn at(text: &'a [u8], start: usize, longest: Longest) -> (Self, usize) {
        let end = scan::value_end(text, start, longest);
        (Value::between(text, start, end, longest), end)
    }

    /// The value from `start` to `end`.
    fn between(text: &'a [u8], start: usize, end: usize, longest: Longest) -> Self {
        let raw = text.get(start..end).unwrap_or_default();
        match raw.first() {
            Some(b'{') => Value::Object(Object {
                raw,
                offset: start,
                longest,
            }),
            Some(b'[') => Value::Array(Array { raw, offset: start }),
            Some(b'"') => Value::String(Str::checked(
                text.get(start + 1..end - 1).unwrap_or_default(),
                start + 1,
            )),
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'-' | b'0'..=b'9') => Value::Number(core::str::from_utf8(raw).unwrap_or_default()),
            _ => Value::Null,
        }
    }
}

/// A checked JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object<'a> {
    raw: &'a [u8],
    offset: usize,
    /// Of the document that `offset` is in.
    longest: Longest,
}

impl<'a> Object<'a> {
    /// The object without members.
    pub const EMPTY: Object<'static> = Object {
        raw: b"{}",
        offset: 0,
        longest: Longest::NONE,
    };

    /// Its text, with its braces: UTF-8.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Where its text is in the document.
    pub fn span(&self) -> Range<usize> {
        self.offset..self.offset + self.raw.len()
    }

    /// Its members, in the order of the text; a key that is there twice comes twice.
    pub fn members(&self) -> Members<'a> {
        Members {
            raw: self.raw,
            offset: self.offset,
            longest: self.longest.seen_from(self.offset),
            at: 1,
        }
    }

    /// The value of the last member with this key.
    pub fn get(&self, key: &str) -> Option<Value<'a>> {
        self.members()
            .filter(|(name, _)| name.is(key))
            .last()
            .map(|(_, value)| value)
    }
}

/// A checked JSON array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Array<'a> {
    raw: &'a [u8],
    offset: usize,
}

impl<'a> Array<'a> {
    /// Its text, with its brackets: UTF-8.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Where its text is in the document.
    pub fn span(&self) -> Range<usize> {
        self.offset..self.offset + self.raw.len()
    }
}

/// The members of an object.
#[derive(Clone, Debug)]
pub struct Members<'a> {
    raw: &'a [u8],
    offset: usize,
    /// Of `raw`.
    longest: Longest,
    at: usize,
}

impl<'a> Iterator for Members<'a> {
    type Item = (Str<'a>, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (key_start, key_end, value_start) = scan::next_member(self.raw, self.at, self.longest)?;
        let (value, end) = Value::at(self.raw, value_start, self.longest);
        self.at = end;
        let key = Str::checked(self.raw.get(key_start..key_end)?, key_start);
        Some((key.shifted(self.offset), value.shifted(self.offset)))
    }
}

impl Value<'_> {
    /// The same value, of a document in which the text at hand starts at `by`.
    fn shifted(self, by: usize) -> Self {
        match self {
            Value::String(string) => Value::String(string.shifted(by)),
            Value::Array(array) => Value::Array(Array {
                offset: array.offset + by,
                ..array
            }),
            Value::Object(object) => Value::Object(Object {
                offset: object.offset + by,
                longest: object.longest.seen_from_before(by),
                ..object
            }),
            scalar => scalar,
        }
    }
}

/// What is wrong with a document, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The offset of the first byte that cannot be right.
    pub offset: usize,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not UTF-8.
    Utf8,
    /// The document ends too early.
    End,
    /// No value starts here.
    Value,
    /// A string of an object's key is missing.
    Key,
    /// A colon is missing.
    Colon,
    /// A comma or the closing bracket is missing.
    Separator,
    /// A number that is none.
    Number,
    /// A control character in a string.
    Control,
    /// An escape that is none.
    Escape,
    /// Nested deeper than [`crate::limits::JSON_MAX_DEPTH`].
    Depth,
    /// Something follows the document.
    Trailing,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fault = match self.fault {
            Fault::Utf8 => "not UTF-8",
            Fault::End => "unexpected end of JSON input",
            Fault::Value => "a JSON value is missing",
            Fault::Key => "a key in quotes is missing",
            Fault::Colon => "a colon is missing",
            Fault::Separator => "a comma or a closing bracket is missing",
            Fault::Number => "malformed number",
            Fault::Control => "control character in a string",
            Fault::Escape => "malformed escape in a string",
            Fault::Depth => "nested too deeply",
            Fault::Trailing => "text after the JSON value",
        };
        write!(f, "{fault} at byte {}", self.offset)
    }
}

impl core::error::Error for SyntaxError {}
