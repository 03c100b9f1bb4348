//! The scanner: the check of a document, and steps over what was checked.

use crate::limits::JSON_MAX_DEPTH;

use super::{Fault, SyntaxError};

/// Where the longest string of a document is, so that it is looked through once: the code of an action is one string, and
/// nearly all of an `/init`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Longest {
    /// Where its content starts.
    start: usize,
    /// After its closing quote.
    end: usize,
}

impl Longest {
    /// None: no content starts at 0, where at most a quote is.
    pub(super) const NONE: Self = Longest { start: 0, end: 0 };

    fn note(&mut self, start: usize, end: usize) {
        if end - start > self.end - self.start {
            *self = Longest { start, end };
        }
    }

    /// The same string in a part of the document that starts at `offset`; nothing of that part's if it does not lie there.
    pub(super) fn seen_from(self, offset: usize) -> Self {
        match (self.start.checked_sub(offset), self.end.checked_sub(offset)) {
            (Some(start), Some(end)) => Longest { start, end },
            _ => Longest::NONE,
        }
    }

    /// The same string in a document of which this one is a part that starts at `offset`.
    pub(super) fn seen_from_before(self, offset: usize) -> Self {
        if self == Longest::NONE {
            return self;
        }
        Longest {
            start: self.start + offset,
            end: self.end + offset,
        }
    }

    fn end_of(self, start: usize) -> Option<usize> {
        (start == self.start && start > 0).then_some(self.end)
    }
}

/// How far a text is known to be UTF-8: as far as it was ASCII, until something else is met; then to its end.
#[derive(Default)]
pub(super) struct Encoding {
    is_checked: bool,
}

impl Encoding {
    /// At `at` there is the first byte that is not ASCII.
    fn check(&mut self, text: &[u8], at: usize) -> Result<(), SyntaxError> {
        let rest = text.get(at..).unwrap_or_default();
        core::str::from_utf8(rest).map_err(|error| SyntaxError {
            offset: at + error.valid_up_to(),
            fault: Fault::Utf8,
        })?;
        self.is_checked = true;
        Ok(())
    }
}

/// Check one document.
pub(super) fn check(text: &[u8]) -> Result<Longest, SyntaxError> {
    let mut longest = Longest::NONE;
    let mut encoding = Encoding::default();
    let mut nesting = Nesting::default();
    let mut at = 0;
    'value: loop {
        at = whitespace_end(text, at);
        match text.get(at) {
            Some(b'{') => {
                nesting.enter(Container::Object, at)?;
                at = whitespace_end(text, at + 1);
                if text.get(at) != Some(&b'}') {
                    at = key_end(text, at, &mut encoding)?;
                    continue 'value;
                }
                at += 1;
                nesting.leave();
            }
            Some(b'[') => {
                nesting.enter(Container::Array, at)?;
                at = whitespace_end(text, at + 1);
                if text.get(at) != Some(&b']') {
                    continue 'value;
                }
                at += 1;
                nesting.leave();
            }
            Some(b'"') => {
                let start = at + 1;
                at = string_end(text, start, &mut encoding)?;
                longest.note(start, at);
            }
            Some(b'-' | b'0'..=b'9') => at = number_end(text, at)?,
            Some(b't') => at = literal_end(text, at, b"true")?,
            Some(b'f') => at = literal_end(text, at, b"false")?,
            Some(b'n') => at = literal_end(text, at, b"null")?,
            found => return Err(fault(found, at, Fault::Value)),
        }
        // A value has ended here: close what it closes, until the next one has to follow.
        loop {
            at = whitespace_end(text, at);
            match (nesting.innermost(), text.get(at)) {
                (None, None) => return Ok(longest),
                (None, Some(_)) => {
                    return Err(SyntaxError {
                        offset: at,
                        fault: Fault::Trailing,
                    });
                }
                (Some(Container::Array), Some(b']')) | (Some(Container::Object), Some(b'}')) => {
                    at += 1;
                    nesting.leave();
                }
                (Some(Container::Array), Some(b',')) => {
                    at += 1;
                    continue 'value;
                }
                (Some(Container::Object), Some(b',')) => {
                    at = key_end(text, whitespace_end(text, at + 1), &mut encoding)?;
                    continue 'value;
                }
                (Some(_), found) => return Err(fault(found, at, Fault::Separator)),
            }
        }
    }
}

/// What an end of input means where something else had to come.
fn fault(found: Option<&u8>, offset: usize, fault: Fault) -> SyntaxError {
    SyntaxError {
        offset,
        fault: if found.is_some() { fault } else { Fault::End },
    }
}

#[derive(Clone, Copy)]
enum Container {
    Array,
    Object,
}

/// The open brackets: one bit each.
#[derive(Default)]
struct Nesting {
    is_object: [u32; JSON_MAX_DEPTH / 32],
    depth: usize,
}

const _: () = assert!(JSON_MAX_DEPTH.is_multiple_of(32), "the levels fill whole words");

impl Nesting {
    fn enter(&mut self, container: Container, offset: usize) -> Result<(), SyntaxError> {
        let bit = 1 << (self.depth % 32);
        let word = self.is_object.get_mut(self.depth / 32).ok_or(SyntaxError {
            offset,
            fault: Fault::Depth,
        })?;
        match container {
            Container::Object => *word |= bit,
            Container::Array => *word &= !bit,
        }
        self.depth += 1;
        Ok(())
    }

    fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    fn innermost(&self) -> Option<Container> {
        let level = self.depth.checked_sub(1)?;
        let word = self.is_object.get(level / 32)?;
        Some(if word >> (level % 32) & 1 == 1 {
            Container::Object
        } else {
            Container::Array
        })
    }
}

/// `ws = *( %x20 / %x09 / %x0A / %x0D )`
pub(super) fn whitespace_end(text: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = text.get(at) {
        at += 1;
    }
    at
}

/// A key and its colon. `member = string ws %x3A ws value`
fn key_end(text: &[u8], at: usize, encoding: &mut Encoding) -> Result<usize, SyntaxError> {
    match text.get(at) {
        Some(b'"') => {}
        found => return Err(fault(found, at, Fault::Key)),
    }
    let at = whitespace_end(text, string_end(text, at + 1, encoding)?);
    match text.get(at) {
        Some(b':') => Ok(at + 1),
        found => Err(fault(found, at, Fault::Colon)),
    }
}

fn literal_end(text: &[u8], at: usize, literal: &[u8]) -> Result<usize, SyntaxError> {
    let end = at + literal.len();
    match text.get(at..end) {
        Some(found) if found == literal => Ok(end),
        Some(_) => Err(SyntaxError {
            offset: at,
            fault: Fault::Value,
        }),
        None if literal.starts_with(text.get(at..).unwrap_or_default()) => Err(SyntaxError {
            offset: text.len(),
            fault: Fault::End,
        }),
        None => Err(SyntaxError {
            offset: at,
            fault: Fault::Value,
        }),
    }
}

/// `number = [ minus ] int [ frac ] [ exp ]`
///
/// ```abnf
/// int  = zero / ( digit1-9 *DIGIT )
/// frac = decimal-point 1*DIGIT
/// exp  = e [ minus / plus ] 1*DIGIT
/// ```
fn number_end(text: &[u8], mut at: usize) -> Result<usize, SyntaxError> {
    if text.get(at) == Some(&b'-') {
        at += 1;
    }
    at = match text.get(at) {
        Some(b'0') => at + 1,
        _ => digits_end(text, at)?,
    };
    if text.get(at) == Some(&b'.') {
        at = digits_end(text, at + 1)?;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        at += 1;
        if let Some(b'+' | b'-') = text.get(at) {
            at += 1;
        }
        at = digits_end(text, at)?;
    }
    Ok(at)
}

/// `1*DIGIT`
fn digits_end(text: &[u8], start: usize) -> Result<usize, SyntaxError> {
    let mut at = start;
    while let Some(b'0'..=b'9') = text.get(at) {
        at += 1;
    }
    if at == start {
        Err(fault(text.get(at), at, Fault::Number))
    } else {
        Ok(at)
    }
}

/// The content of a string that starts at `at`; the end is after its closing quote. `unescaped` includes everything of
/// UTF-8 but the quote, the backslash and what is below U+0020.
pub(super) fn string_end(text: &[u8], mut at: usize, encoding: &mut Encoding) -> Result<usize, SyntaxError> {
    loop {
        at += plain_len(text.get(at..).unwrap_or_default(), encoding.is_checked);
        match text.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => {
                let rest = text.get(at + 1..).unwrap_or_default();
                let escaped = escape(rest).map_err(|fault| SyntaxError { offset: at, fault })?;
                at += 1 + escaped.len;
            }
            Some(0x80..) => encoding.check(text, at)?,
            found => return Err(fault(found, at, Fault::Control)),
        }
    }
}

/// How many bytes from the start of `text` are neither a quote, a backslash nor a control character, nor, if it is not known to
/// be UTF-8, beyond ASCII. The code of an action is one string of up to 64 MiB, so many bytes are looked at at once.
fn plain_len(text: &[u8], is_utf8: bool) -> usize {
    // Where vector instructions are a part of the architecture, and the compiler uses them unasked.
    let skipped = if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
        plain_chunks_len(text, is_utf8)
    } else {
        plain_words_len(text, is_utf8)
    };
    let rest = text.get(skipped..).unwrap_or_default();
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | ..0x20) || !(is_utf8 || byte.is_ascii());
    skipped + rest.iter().position(is_special).unwrap_or(rest.len())
}

/// The length of the chunks before the first that has a special byte. There is no early end of a chunk that would keep the
/// compiler from vector instructions.
pub(super) fn plain_chunks_len(text: &[u8], is_utf8: bool) -> usize {
    // As signed numbers, what is beyond ASCII is below what is a control character; with all signs changed, it is above it.
    let sign = if is_utf8 { 0x80 } else { 0 };
    let is_low = |byte: u8| (byte ^ sign).cast_signed() < (0x20 ^ sign).cast_signed();
    let is_special = |byte: u8| (byte == b'"') | (byte == b'\\') | is_low(byte);
    let (chunks, _) = text.as_chunks();
    let is_plain = |chunk: &[u8; 64]| !chunk.iter().fold(false, |found, &byte| found | is_special(byte));
    64 * chunks.iter().take_while(|chunk| is_plain(chunk)).count()
}

/// The length of the words before the first that has a special byte: all bytes of a word are compared by its arithmetic.
///
/// `(x - 0x01…) & !x & 0x80…` is not 0 if and only if some byte of `x` is 0, and with `0x20…` in place of `0x01…` if some
/// byte is less than `0x20` (S. E. Anderson, Bit Twiddling Hacks: "Determine if a word has a byte less than n").
pub(super) fn plain_words_len(text: &[u8], is_utf8: bool) -> usize {
    const BYTES: usize = size_of::<usize>();
    const ONES: usize = usize::MAX / 0xff;
    let beyond = if is_utf8 { 0 } else { ONES << 7 };
    let is_plain = |word: &[u8; BYTES]| {
        let word = usize::from_ne_bytes(*word);
        let has_less = |word: usize, than: usize| word.wrapping_sub(ONES * than) & !word;
        let quote = word ^ (ONES * b'"' as usize);
        let backslash = word ^ (ONES * b'\\' as usize);
        (has_less(word, 0x20) | has_less(quote, 1) | has_less(backslash, 1)) & (ONES << 7) | word & beyond == 0
    };
    let (words, _) = text.as_chunks();
    BYTES * words.iter().take_while(|word| is_plain(word)).count()
}

/// A decoded escape.
pub(super) struct Escaped {
    pub(super) meaning: char,
    /// The length of its text without the backslash.
    pub(super) len: usize,
}

/// The escape whose backslash is just before `text`. A surrogate that has no partner means U+FFFD.
pub(super) fn escape(text: &[u8]) -> Result<Escaped, Fault> {
    let simple = |meaning| Ok(Escaped { meaning, len: 1 });
    match text.first() {
        Some(&quoted @ (b'"' | b'\\' | b'/')) => simple(char::from(quoted)),
        Some(b'b') => simple('\u{8}'),
        Some(b'f') => simple('\u{c}'),
        Some(b'n') => simple('\n'),
        Some(b'r') => simple('\r'),
        Some(b't') => simple('\t'),
        Some(b'u') => {
            let unit = hex_unit(text.get(1..).unwrap_or_default())?;
            let partner = match (unit, text.get(5..)) {
                (0xd800..0xdc00, Some([b'\\', b'u', digits @ ..])) => hex_unit(digits).ok(),
                _ => None,
            };
            Ok(match partner {
                Some(low @ 0xdc00..0xe000) => {
                    let code = 0x1_0000 + ((u32::from(unit) - 0xd800) << 10) + (u32::from(low) - 0xdc00);
                    Escaped {
                        meaning: char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER),
                        len: 11,
                    }
                }
                _ => Escaped {
                    meaning: char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER),
                    len: 5,
                },
            })
        }
        Some(_) => Err(Fault::Escape),
        None => Err(Fault::End),
    }
}

/// `4HEXDIG`
fn hex_unit(text: &[u8]) -> Result<u16, Fault> {
    let mut unit = 0;
    for place in 0..4 {
        let digit = match text.get(place) {
            Some(&byte @ b'0'..=b'9') => byte - b'0',
            Some(&byte @ b'a'..=b'f') => byte - b'a' + 10,
            Some(&byte @ b'A'..=b'F') => byte - b'A' + 10,
            Some(_) => return Err(Fault::Escape),
            None => return Err(Fault::End),
        };
        unit = unit << 4 | u16::from(digit);
    }
    Ok(unit)
}

/// Where the value that starts at `start` of a checked text ends.
pub(super) fn value_end(text: &[u8], start: usize, longest: Longest) -> usize {
    match text.get(start) {
        Some(b'"') => checked_string_end(text, start + 1, longest),
        Some(b'{' | b'[') => {
            let mut depth = 0_usize;
            let mut at = start;
            while let Some(byte) = text.get(at) {
                match byte {
                    b'"' => {
                        at = checked_string_end(text, at + 1, longest);
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    return at;
                }
            }
            text.len()
        }
        _ => {
            let rest = text.get(start..).unwrap_or_default();
            let is_scalar = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
            start + rest.iter().position(|byte| !is_scalar(byte)).unwrap_or(rest.len())
        }
    }
}

/// Where a checked string whose content starts at `at` ends: after its closing quote.
fn checked_string_end(text: &[u8], mut at: usize, longest: Longest) -> usize {
    if let Some(end) = longest.end_of(at) {
        return end;
    }
    while let Some(rest) = text.get(at..) {
        match memchr::memchr2(b'"', b'\\', rest) {
            Some(found) if rest.get(found) == Some(&b'"') => return at + found + 1,
            Some(found) => at += found + 2,
            None => break,
        }
    }
    text.len()
}

/// The next member of a checked object, after `at`: the content of its key from and to, and where its value starts.
pub(super) fn next_member(object: &[u8], at: usize, longest: Longest) -> Option<(usize, usize, usize)> {
    let mut at = whitespace_end(object, at);
    if object.get(at) == Some(&b',') {
        at = whitespace_end(object, at + 1);
    }
    if object.get(at) != Some(&b'"') {
        return None;
    }
    let end = checked_string_end(object, at + 1, longest);
    let colon = whitespace_end(object, end);
    Some((at + 1, end.checked_sub(1)?, whitespace_end(object, colon + 1)))
}
