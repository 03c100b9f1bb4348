//! The variables of an activation's environment.
//!
//! **Takes** the fields of a `/run`, or the `env` of an `/init`. **Gives** [`Variable`]s whose name and value are byte
//! iterators, for whoever lays out an environment in a guest's memory.
//!
//! **Invariants.** No name is empty, has a `=` or a NUL; no value has a NUL: what would break an environment is left out.
//!
//! **Choices.** The fields of a `/run` override the variables of its `/init`: put them behind, or let the last one win. As in
//! the Go runtime, a value of `env` that is no string is its JSON text, and `null` is empty.
//!
//! **Source.** The runtimes' launchers: `NODE service.js doRun`, `GO actionProxy.go SetEnv`.

use crate::json::{Bytes, Object, Str, Value};

/// One variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable<'a> {
    /// True for a field of a `/run`: `action_name` is named `__OW_ACTION_NAME`.
    is_field: bool,
    name: Str<'a>,
    value: Text<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text<'a> {
    Escaped(Str<'a>),
    Plain(&'a [u8]),
}

/// The `__OW_*` variables of an activation: every string field of the `/run` but `value`.
pub fn activation_variables<'a>(fields: &Object<'a>) -> impl Iterator<Item = Variable<'a>> + Clone + use<'a> {
    fields
        .members()
        .filter_map(|(name, value)| match value {
            Value::String(text) if !name.is("value") => Some(Variable {
                is_field: true,
                name,
                value: Text::Escaped(text),
            }),
            _ => None,
        })
        .filter(Variable::is_sound)
}

/// The variables that an `/init` sets for all activations.
pub fn init_variables<'a>(env: &Object<'a>) -> impl Iterator<Item = Variable<'a>> + Clone + use<'a> {
    env.members()
        .map(|(name, value)| {
            let value = match value {
                Value::String(text) => Text::Escaped(text),
                Value::Null => Text::Plain(b""),
                Value::Bool(true) => Text::Plain(b"true"),
                Value::Bool(false) => Text::Plain(b"false"),
                Value::Number(text) => Text::Plain(text.as_bytes()),
                Value::Array(array) => Text::Plain(array.raw()),
                Value::Object(object) => Text::Plain(object.raw()),
            };
            Variable {
                is_field: false,
                name,
                value,
            }
        })
        .filter(Variable::is_sound)
}

impl<'a> Variable<'a> {
    /// Its name, in UTF-8.
    pub fn name(&self) -> impl Iterator<Item = u8> + Clone + use<'a> {
        let is_field = self.is_field;
        let prefix: &[u8] = if is_field { b"__OW_" } else { b"" };
        let name = self
            .name
            .bytes()
            .map(move |byte| if is_field { byte.to_ascii_uppercase() } else { byte });
        prefix.iter().copied().chain(name)
    }

    /// Its value, in UTF-8.
    pub fn value(&self) -> impl Iterator<Item = u8> + Clone + use<'a> {
        let (escaped, plain): (Option<Bytes<'a>>, &'a [u8]) = match self.value {
            Text::Escaped(text) => (Some(text.bytes()), &[]),
            Text::Plain(text) => (None, text),
        };
        escaped.into_iter().flatten().chain(plain.iter().copied())
    }

    fn is_sound(&self) -> bool {
        !self.name.is_empty() && self.name.bytes().all(|byte| byte != b'=' && byte != 0) && self.value().all(|b| b != 0)
    }
}
