//! JSON text to values: a serde `Deserializer` that is small rather than eloquent.
//!
//! Enters: one JSON text (RFC 8259). Leaves: any type that serde can read, [`serde_json::Value`] included; strings without
//! escapes are borrowed. Why not serde_json's own: an action is loaded at every cold start and costs time by the kilobyte,
//! and most of serde_json's reader is the wording of its errors (`add` was 47 KB with it). Here, what does not depend on the
//! type that is read is compiled once, and an error says what was expected and where.
//!
//! Invariant: `at` is at most the text's length and on a character's boundary.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use core::fmt::{self, Display};
use core::mem;

use serde::de::value::CowStrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

/// Deeper nesting is refused: read into a `Value`, it takes less than 16 of the 24 KiB of stack that the examples have. The
/// executor itself passes on 256 levels.
const DEPTH_MAX: usize = 64;

/// Why a text was not read, in words.
#[derive(Debug)]
pub struct ReadError(String);

impl ReadError {
    /// By concatenation: the formatting machinery for one number would be a tenth of a small action.
    #[cold]
    fn expected(what: &str, at: usize) -> Self {
        let mut digits = String::new();
        let mut rest = at;
        while rest > 0 || digits.is_empty() {
            digits.insert(0, char::from(b'0' + u8::try_from(rest % 10).unwrap_or_default()));
            rest /= 10;
        }
        Self(["Expected ", what, " at byte ", &digits, " of the input"].concat())
    }
}

impl Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<ReadError> for String {
    fn from(error: ReadError) -> Self {
        error.0
    }
}

impl core::error::Error for ReadError {}

/// The default wordings show the value that was found, and so bring in how to print floats.
impl de::Error for ReadError {
    fn custom<T: Display>(message: T) -> Self {
        ReadError(message.to_string())
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        ReadError(["Expected ", &expected.to_string()].concat())
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn missing_field(field: &'static str) -> Self {
        ReadError(["Expected ", field, " to be present"].concat())
    }

    fn duplicate_field(field: &'static str) -> Self {
        ReadError(["Expected ", field, " only once"].concat())
    }
}

/// Read the one value that `text` is.
pub fn from_slice<T: DeserializeOwned>(text: &[u8]) -> Result<T, ReadError> {
    let text = str::from_utf8(text).map_err(|error| ReadError::expected("UTF-8", error.valid_up_to()))?;
    let mut reader = Reader { text, at: 0, depth: 0 };
    let value = T::deserialize(&mut reader)?;
    match reader.peek() {
        None => Ok(value),
        Some(_) => reader.expected("the end"),
    }
}

struct Reader<'de> {
    text: &'de str,
    at: usize,
    depth: usize,
}

/// A scalar, or the beginning of something longer.
enum Token<'de> {
    Null,
    Bool(bool),
    Number(Number<'de>),
    String(Cow<'de, str>),
    Array,
    Object,
}

/// A number's text.
#[derive(Clone, Copy)]
struct Number<'de> {
    text: &'de str,
    is_integer: bool,
}

// --- What does not depend on the type that is read ---

impl<'de> Reader<'de> {
    fn expected<T>(&self, expected: &'static str) -> Result<T, ReadError> {
        Err(ReadError::expected(expected, self.at))
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is no space, not taken yet.
    fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.byte() {
            self.at += 1;
        }
        self.byte()
    }

    fn take(&mut self, byte: u8, expected: &'static str) -> Result<(), ReadError> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            self.expected(expected)
        }
    }

    fn since(&self, start: usize) -> &'de str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn word(&mut self, word: &str) -> Result<(), ReadError> {
        match self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            true => {
                self.at += word.len();
                Ok(())
            }
            false => self.expected("a value"),
        }
    }

    fn token(&mut self) -> Result<Token<'de>, ReadError> {
        match self.peek() {
            Some(b'n') => self.word("null").map(|()| Token::Null),
            Some(b't') => self.word("true").map(|()| Token::Bool(true)),
            Some(b'f') => self.word("false").map(|()| Token::Bool(false)),
            Some(b'-' | b'0'..=b'9') => self.number().map(Token::Number),
            Some(b'"') => self.string().map(Token::String),
            Some(b'[') => self.enter().map(|()| Token::Array),
            Some(b'{') => self.enter().map(|()| Token::Object),
            _ => self.expected("a value"),
        }
    }

    /// Take the bracket that opens an array or an object.
    fn enter(&mut self) -> Result<(), ReadError> {
        if self.depth == DEPTH_MAX {
            return self.expected("no deeper nesting");
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    /// Take the bracket that closes it.
    fn leave(&mut self, bracket: u8) -> Result<(), ReadError> {
        self.depth -= 1;
        self.take(bracket, "the end of the array or object")
    }

    /// Whether another element or member follows. Takes the comma before it.
    fn has_next(&mut self, bracket: u8, is_first: bool) -> Result<bool, ReadError> {
        match self.peek() {
            Some(byte) if byte == bracket => Ok(false),
            _ if is_first => Ok(true),
            _ => self
                .take(b',', "a comma or the end of the array or object")
                .map(|()| true),
        }
    }

    /// Check a value and forget it.
    fn skip(&mut self) -> Result<(), ReadError> {
        let bracket = match self.token()? {
            Token::Array => b']',
            Token::Object => b'}',
            _ => return Ok(()),
        };
        let mut is_first = true;
        while self.has_next(bracket, mem::take(&mut is_first))? {
            if bracket == b'}' {
                self.string()?;
                self.take(b':', "a colon")?;
            }
            self.skip()?;
        }
        self.leave(bracket)
    }

    /// `-? (0 | [1-9][0-9]*) (\. [0-9]+)? ([eE] [+-]? [0-9]+)?`
    fn number(&mut self) -> Result<Number<'de>, ReadError> {
        let start = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        match self.byte() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        let mut is_integer = true;
        if self.byte() == Some(b'.') {
            is_integer = false;
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            is_integer = false;
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Number {
            text: self.since(start),
            is_integer,
        })
    }

    fn digits(&mut self) -> Result<(), ReadError> {
        if !matches!(self.byte(), Some(b'0'..=b'9')) {
            return self.expected("a digit");
        }
        while let Some(b'0'..=b'9') = self.byte() {
            self.at += 1;
        }
        Ok(())
    }

    fn string(&mut self) -> Result<Cow<'de, str>, ReadError> {
        self.take(b'"', "a string")?;
        let mut unescaped = String::new();
        let mut start = self.at;
        loop {
            match self.byte() {
                Some(b'"') => {
                    let rest = self.since(start);
                    self.at += 1;
                    if unescaped.is_empty() {
                        return Ok(Cow::Borrowed(rest));
                    }
                    unescaped.push_str(rest);
                    return Ok(Cow::Owned(unescaped));
                }
                Some(b'\\') => {
                    unescaped.push_str(self.since(start));
                    self.at += 1;
                    unescaped.push(self.escaped()?);
                    start = self.at;
                }
                Some(0x20..) => self.at += 1,
                _ => return self.expected("a closing quote"),
            }
        }
    }

    /// What follows a backslash.
    fn escaped(&mut self) -> Result<char, ReadError> {
        let escaped = match self.byte() {
            Some(b'u') => {
                self.at += 1;
                return self.code_point();
            }
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\x08',
            Some(b'f') => '\x0c',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            _ => return self.expected("an escape"),
        };
        self.at += 1;
        Ok(escaped)
    }

    /// Four hex digits, or twice four with `\u` between them, as UTF-16 has it.
    fn code_point(&mut self) -> Result<char, ReadError> {
        let mut code = self.hex()?;
        if let 0xd800..0xdc00 = code
            && self.text.get(self.at..).is_some_and(|rest| rest.starts_with("\\u"))
        {
            self.at += 2;
            // Only a low surrogate makes this a character: a lower unit wraps, a higher one goes beyond the planes or gives
            // a surrogate again.
            let low = self.hex()?.wrapping_sub(0xdc00);
            code = if low < 0x400 {
                0x10000 + ((code - 0xd800) << 10) + low
            } else {
                u32::MAX
            };
        }
        char::from_u32(code).map_or_else(|| self.expected("a pair of surrogates"), Ok)
    }

    fn hex(&mut self) -> Result<u32, ReadError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.byte().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else {
                return self.expected("four hex digits");
            };
            code = code << 4 | digit;
            self.at += 1;
        }
        Ok(code)
    }
}

impl Number<'_> {
    /// The amount, if it is an integer of 64 bits; and whether it is below zero. Zero has a sign only as a float.
    fn integer(self) -> Option<(u64, bool)> {
        let digits = self.text.strip_prefix('-');
        let amount = digits.unwrap_or(self.text).bytes().try_fold(0_u64, |amount, digit| {
            amount.checked_mul(10)?.checked_add(u64::from(digit.wrapping_sub(b'0')))
        })?;
        let is_negative = digits.is_some();
        (self.is_integer && !(is_negative && amount == 0)).then_some((amount, is_negative))
    }

    /// Gives the visitor back if it is no integer that 64 bits hold.
    fn visit_if_integer<'de, V: Visitor<'de>>(self, visitor: V) -> Result<Result<V::Value, ReadError>, V> {
        match self.integer() {
            Some((amount, false)) => Ok(visitor.visit_u64(amount)),
            Some((amount, true)) => match 0_i64.checked_sub_unsigned(amount) {
                Some(integer) => Ok(visitor.visit_i64(integer)),
                None => Err(visitor),
            },
            None => Err(visitor),
        }
    }

    fn visit_integer<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.visit_if_integer(visitor)
            .unwrap_or_else(|visitor| Err(mismatch(&visitor)))
    }

    fn visit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.visit_if_integer(visitor)
            .unwrap_or_else(|visitor| match self.text.parse::<f64>() {
                Ok(number) if number.is_finite() => visitor.visit_f64(number),
                _ => Err(ReadError("Expected a number in the range of a double".into())),
            })
    }
}

#[cold]
fn mismatch(expected: &dyn Expected) -> ReadError {
    de::Error::invalid_type(Unexpected::Unit, expected)
}

// --- What does: serde's side ---

/// The ten methods for integers, with one body.
macro_rules! integers {
    (|$self:ident, $visitor:ident| $body:expr) => {
        integers! { @ $self $visitor $body;
            deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
            deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        }
    };
    (@ $self:ident $visitor:ident $body:expr; $($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>($self, $visitor: V) -> Result<V::Value, ReadError> { $body })*
    };
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.token()? {
            Token::Null => visitor.visit_unit(),
            Token::Bool(value) => visitor.visit_bool(value),
            Token::Number(number) => number.visit(visitor),
            Token::String(text) => visit_string(text, visitor),
            Token::Array => self.array(visitor),
            Token::Object => self.object(visitor),
        }
    }

    // The others need not be here, but each spares a type that asks for one thing the code of all the rest.

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.token()? {
            Token::Bool(value) => visitor.visit_bool(value),
            _ => Err(mismatch(&visitor)),
        }
    }

    integers! { |self, visitor|
        match self.token()? {
            Token::Number(number) => number.visit_integer(visitor),
            _ => Err(mismatch(&visitor)),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.token()? {
            Token::Number(number) => number.visit(visitor),
            _ => Err(mismatch(&visitor)),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.token()? {
            Token::String(text) => visit_string(text, visitor),
            _ => Err(mismatch(&visitor)),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.peek() {
            Some(b'n') => self.word("null").and_then(|()| visitor.visit_none()),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.token()? {
            Token::Null => visitor.visit_unit(),
            _ => Err(mismatch(&visitor)),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.token()? {
            Token::Array => self.array(visitor),
            _ => Err(mismatch(&visitor)),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.token()? {
            Token::Object => self.object(visitor),
            _ => Err(mismatch(&visitor)),
        }
    }

    /// An object. (serde_json takes an array of the fields, too, which nobody sends to an action.)
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self.token()? {
            Token::String(variant) => visitor.visit_enum(deserializer_of(variant)),
            Token::Object => {
                let value = visitor.visit_enum(Variant { reader: self })?;
                self.leave(b'}')?;
                Ok(value)
            }
            _ => Err(mismatch(&visitor)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.skip()?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { bytes byte_buf }
}

fn deserializer_of(text: Cow<'_, str>) -> CowStrDeserializer<'_, ReadError> {
    text.into_deserializer()
}

fn visit_string<'de, V: Visitor<'de>>(text: Cow<'de, str>, visitor: V) -> Result<V::Value, ReadError> {
    match text {
        Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
        Cow::Owned(text) => visitor.visit_string(text),
    }
}

impl<'de> Reader<'de> {
    fn array<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, ReadError> {
        let value = visitor.visit_seq(Elements {
            reader: self,
            is_first: true,
        })?;
        self.leave(b']')?;
        Ok(value)
    }

    fn object<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, ReadError> {
        let value = visitor.visit_map(Elements {
            reader: self,
            is_first: true,
        })?;
        self.leave(b'}')?;
        Ok(value)
    }
}

/// The inside of an array or an object. The closing bracket is not taken: a visitor need not read up to it.
struct Elements<'r, 'de> {
    reader: &'r mut Reader<'de>,
    is_first: bool,
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        if !self.reader.has_next(b']', mem::take(&mut self.is_first))? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

impl<'de> MapAccess<'de> for Elements<'_, 'de> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        if !self.reader.has_next(b'}', mem::take(&mut self.is_first))? {
            return Ok(None);
        }
        let key = self.reader.string()?;
        seed.deserialize(Key(key)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, ReadError> {
        self.reader.take(b':', "a colon")?;
        seed.deserialize(&mut *self.reader)
    }
}

/// A member's key. Maps may have numbers as keys: they stand in the string.
struct Key<'de>(Cow<'de, str>);

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visit_string(self.0, visitor)
    }

    integers! { |self, visitor| {
        let mut reader = Reader { text: &self.0, at: 0, depth: 0 };
        match reader.number() {
            Ok(number) if reader.byte().is_none() => number.visit_integer(visitor),
            _ => Err(mismatch(&visitor)),
        }
    } }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_enum(deserializer_of(self.0))
    }

    forward_to_deserialize_any! {
        bool f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier
        ignored_any
    }
}

/// `{"Variant": content}`, from after the opening bracket to before the closing one.
struct Variant<'r, 'de> {
    reader: &'r mut Reader<'de>,
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = ReadError;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), ReadError> {
        self.reader.peek();
        let variant = seed.deserialize(Key(self.reader.string()?))?;
        self.reader.take(b':', "a colon")?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        de::Deserialize::deserialize(self.reader)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, ReadError> {
        seed.deserialize(self.reader)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ReadError> {
        self.reader.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, ReadError> {
        self.reader.deserialize_map(visitor)
    }
}

#[cfg(test)]
mod tests;
