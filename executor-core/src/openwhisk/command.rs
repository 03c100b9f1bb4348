//! What a body means.
//!
//! **Takes** the body of an `/init` or `/run`. **Gives** a [`Command`]: an `/init`'s body changes its owner and the command
//! names ranges of it; a `/run`'s is borrowed.
//!
//! **Choices.** Every field of an `/init` is optional, as clients and test suites leave out each of them. Fields of a wrong
//! type are refused with 400 where they would be used (`value`, `code`, `main`, `env`), ignored elsewhere (`name`, `binary`,
//! `annotations`). A `deadline` is a string of milliseconds since the epoch (what the invoker sends) or a number (what the
//! documentation says); one that is neither sets no deadline.

use core::fmt;
use core::ops::Range;

use crate::json::{self, Object, Str, SyntaxError, Value};
use crate::runtime::Run;

use super::{Addressee, ContainerId};

/// What the executor is asked to do.
#[derive(Debug)]
pub enum Command<'a, B> {
    /// Make a container.
    Start,
    /// Load an action.
    Init(Addressee, InitRequest<B>),
    /// Run it.
    Run(Addressee, Run<'a>),
    /// Remove a container: that of the path's id or, if there is none, that of the body's.
    Destroy(ContainerId, Option<ContainerId>),
}

/// An `/init`: its body, and where things are in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitRequest<B> {
    /// The body, as it came.
    pub body: B,
    /// The content of `code`, a JSON string's, still with escapes. `None` if absent, `null` or empty.
    pub code: Option<Range<usize>>,
    /// The content of `main`, a JSON string's, still with escapes. `None` if absent, `null` or empty.
    pub main: Option<Range<usize>>,
    /// The text of `env`, a JSON object. `None` if absent or `null`.
    pub env: Option<Range<usize>>,
}

/// Why a body is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// The body is not JSON.
    Json(SyntaxError),
    /// The body is JSON, but no object.
    NotObject,
    /// A field of an `/init`, by its name, has a wrong type.
    FieldType(&'static str),
    /// `value` of a `/run` is neither an object nor an array.
    ScalarValue,
}

impl<'a, B> Command<'a, B> {
    /// Read the body of an `/init`.
    ///
    /// # Errors
    /// [`CommandError`]
    pub fn init(container: Addressee, body: B) -> Result<Self, CommandError>
    where
        B: AsRef<[u8]>,
    {
        let value = match json::parse(body.as_ref()).map_err(CommandError::Json)? {
            Value::Object(fields) => fields.get("value"),
            Value::Null => None,
            _ => return Err(CommandError::NotObject),
        };
        let mut code = None;
        let mut main = None;
        let mut env = None;
        match value {
            None | Some(Value::Null) => {}
            Some(Value::Object(value)) => {
                for (key, value) in value.members() {
                    if key.is("code") {
                        code = content("code", value)?;
                    } else if key.is("main") {
                        main = content("main", value)?;
                    } else if key.is("env") {
                        env = match value {
                            Value::Object(env) => Some(env.span()),
                            Value::Null => None,
                            _ => return Err(CommandError::FieldType("env")),
                        };
                    }
                }
            }
            Some(_) => return Err(CommandError::FieldType("value")),
        }
        Ok(Command::Init(container, InitRequest { body, code, main, env }))
    }

    /// Read the body of a `/run`. An empty one means `{}`.
    ///
    /// # Errors
    /// [`CommandError`]
    pub fn run(container: Addressee, body: &'a [u8]) -> Result<Self, CommandError> {
        let fields = if body.trim_ascii().is_empty() {
            Object::EMPTY
        } else {
            match json::parse(body).map_err(CommandError::Json)? {
                Value::Object(fields) => fields,
                Value::Null => Object::EMPTY,
                _ => return Err(CommandError::NotObject),
            }
        };
        let mut value = Value::Null;
        let mut deadline = Value::Null;
        for (key, member) in fields.members() {
            if key.is("value") {
                value = member;
            } else if key.is("deadline") {
                deadline = member;
            }
        }
        let value = match value {
            Value::Null => Object::EMPTY.raw(),
            Value::Object(object) => object.raw(),
            Value::Array(array) => array.raw(),
            _ => return Err(CommandError::ScalarValue),
        };
        let deadline_epoch_ms = match deadline {
            Value::Number(text) => milliseconds(text),
            Value::String(text) => milliseconds(core::str::from_utf8(text.raw()).unwrap_or_default().trim()),
            _ => None,
        };
        Ok(Command::Run(
            container,
            Run {
                value,
                fields,
                deadline_epoch_ms,
            },
        ))
    }

    /// Read the body of a `destroy`: WOW's clients send the id there, as plain text; here it may also be a JSON string. What
    /// is no id is ignored.
    pub fn destroy(container: ContainerId, body: &[u8]) -> Self {
        let text = core::str::from_utf8(body).unwrap_or_default().trim();
        let text = text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'))
            .unwrap_or(text);
        Command::Destroy(container, ContainerId::new(text))
    }
}

/// Where the content of a string is that may be missing; empty means missing.
fn content(name: &'static str, value: Value<'_>) -> Result<Option<Range<usize>>, CommandError> {
    match value {
        Value::String(text) => Ok(Some(text)
            .filter(|text: &Str<'_>| !text.is_empty())
            .map(|text| text.span())),
        Value::Null => Ok(None),
        _ => Err(CommandError::FieldType(name)),
    }
}

/// Milliseconds from a decimal number (RFC 8259 §6); a fraction is dropped, and an exponent is computed. `None` for what is no
/// such number, negative, or beyond what 64 bits hold.
///
/// In integers: the tables that exact floating-point numbers take would be a tenth of a small board's program.
fn milliseconds(text: &str) -> Option<u64> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (mantissa, ""),
    };
    if whole.is_empty() {
        return None;
    }
    // Where the decimal point is, counted in digits from the first one.
    let point = i64::try_from(whole.len()).ok()?.saturating_add(exponent.into());
    let mut value = 0_u64;
    for (digit, place) in whole.bytes().chain(fraction.bytes()).zip(0_i64..) {
        if !digit.is_ascii_digit() {
            return None;
        }
        if place < point {
            value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
        }
    }
    let digits = i64::try_from(whole.len() + fraction.len()).ok()?;
    for _ in digits..point {
        if value == 0 {
            break;
        }
        value = value.checked_mul(10)?;
    }
    Some(value)
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommandError::Json(error) => write!(f, "Error unmarshaling request: {error}"),
            CommandError::NotObject => f.write_str("Error unmarshaling request: the body must be a JSON object"),
            CommandError::FieldType(name @ ("value" | "env")) => {
                write!(f, "Error unmarshaling request: {name} must be an object")
            }
            CommandError::FieldType(name) => write!(f, "Error unmarshaling request: {name} must be a string"),
            CommandError::ScalarValue => {
                f.write_str("The action did not receive a dictionary or array as an argument.")
            }
        }
    }
}

impl core::error::Error for CommandError {}
