//! A guest's environment variables, as one block: `KEY=value` and a NUL, for each.
//!
//! Three sources, the first of which wins where a name occurs twice: the run's (`__OW_*`, from the fields of `/run`), the
//! init's (`env` of `/init`), the process's (OpenWhisk's contract, A4 and A2).

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::json::{self, Str, Value};
use crate::runtime::{LoadError, OutOfMemory, Run, RunError};

/// The block of `env`, a JSON object's text. A value that is no string is given as its JSON text, `null` as nothing.
pub fn of_init(text: &[u8]) -> Result<Box<[u8]>, LoadError> {
    let Ok(Value::Object(variables)) = json::parse(text) else { return Ok(Box::default()) };
    let mut block = Block(Vec::new());
    for (name, value) in variables.members() {
        let added = match value {
            Value::String(string) => block.add(name.bytes(), string.bytes()),
            Value::Null => block.add(name.bytes(), [].into_iter()),
            Value::Bool(true) => block.add(name.bytes(), b"true".iter().copied()),
            Value::Bool(false) => block.add(name.bytes(), b"false".iter().copied()),
            Value::Number(raw) => block.add(name.bytes(), raw.bytes()),
            Value::Array(array) => block.add(name.bytes(), array.raw().bytes()),
            Value::Object(object) => block.add(name.bytes(), object.raw().bytes()),
        };
        added.map_err(|_| LoadError::OutOfMemory)?;
    }
    Ok(block.0.into_boxed_slice())
}

/// The block of a run.
pub fn of_run(run: &Run<'_>, of_init: &[u8], of_process: &[u8]) -> Result<Vec<u8>, RunError> {
    let out_of_memory = |_| RunError::OutOfMemory;
    let mut block = Block(Vec::new());
    for (name, value) in run.fields.members() {
        if let (false, Value::String(value)) = (name.is("value"), value) {
            block.add(activation_name(name), value.bytes()).map_err(out_of_memory)?;
        }
    }
    for variable in of_init.split_inclusive(|&byte| byte == 0).chain(of_process.split_inclusive(|&byte| byte == 0)) {
        block.add_variable(variable).map_err(out_of_memory)?;
    }
    Ok(block.0)
}

/// `activation_id` is `__OW_ACTIVATION_ID`.
fn activation_name(field: Str<'_>) -> impl Iterator<Item = u8> {
    b"__OW_".iter().copied().chain(field.bytes().map(|byte| byte.to_ascii_uppercase()))
}

/// Variables, of which no two have one name.
struct Block(Vec<u8>);

impl Block {
    /// Add a variable, unless it cannot be one: a name is not empty and has no `=`, and nothing has a NUL.
    fn add(
        &mut self,
        name: impl Iterator<Item = u8>,
        value: impl Iterator<Item = u8>,
    ) -> Result<(), OutOfMemory> {
        let start = self.0.len();
        let mut is_variable = true;
        for byte in name {
            is_variable &= byte != 0 && byte != b'=';
            self.push(byte)?;
        }
        is_variable &= self.0.len() > start;
        self.push(b'=')?;
        for byte in value {
            is_variable &= byte != 0;
            self.push(byte)?;
        }
        self.push(0)?;
        if !is_variable || self.has_before(start) {
            self.0.truncate(start);
        }
        Ok(())
    }

    /// Add a variable of another block, with its NUL.
    fn add_variable(&mut self, variable: &[u8]) -> Result<(), OutOfMemory> {
        let start = self.0.len();
        self.0.try_reserve(variable.len()).map_err(|_| OutOfMemory)?;
        self.0.extend_from_slice(variable);
        if self.has_before(start) {
            self.0.truncate(start);
        }
        Ok(())
    }

    /// Whether the name of the variable at `start` stands before it already.
    fn has_before(&self, start: usize) -> bool {
        let (before, variable) = self.0.split_at(start);
        let Some(name_len) = variable.iter().position(|&byte| byte == b'=') else { return false };
        let name = variable.get(..=name_len).unwrap_or_default();
        before.split(|&byte| byte == 0).any(|earlier| earlier.starts_with(name))
    }

    fn push(&mut self, byte: u8) -> Result<(), OutOfMemory> {
        if self.0.len() == self.0.capacity() {
            self.0.try_reserve(256).map_err(|_| OutOfMemory)?;
        }
        self.0.push(byte);
        Ok(())
    }
}
