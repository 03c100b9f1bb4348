//! A guest's environment variables, as one block: `KEY=value` and a NUL, for each.
//!
//! Three sources, the first of which wins where a name occurs twice: the run's (`__OW_*`, from the fields of `/run`), the
//! init's (`env` of `/init`), the process's (OpenWhisk's contract, A4 and A2).

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::json::{self, Value};
use crate::openwhisk::{Variable, activation_variables, init_variables};
use crate::runtime::{LoadError, OutOfMemory, Run, RunError};

/// The block of `env`, a JSON object's text.
pub fn of_init(text: &[u8]) -> Result<Box<[u8]>, LoadError> {
    let Ok(Value::Object(env)) = json::parse(text) else {
        return Ok(Box::default());
    };
    let mut block = Block(Vec::new());
    for variable in init_variables(&env) {
        block.add(&variable).map_err(|_| LoadError::OutOfMemory)?;
    }
    Ok(block.0.into_boxed_slice())
}

/// The block of a run.
pub fn of_run(run: &Run<'_>, of_init: &[u8], of_process: &[u8]) -> Result<Vec<u8>, RunError> {
    let mut block = Block(Vec::new());
    let added = activation_variables(&run.fields)
        .try_for_each(|variable| block.add(&variable))
        .and_then(|()| {
            let others = [of_init, of_process];
            let mut variables = others.iter().flat_map(|block| block.split_inclusive(|&byte| byte == 0));
            variables.try_for_each(|variable| block.add_bytes(variable.iter().copied()))
        });
    added.map(|()| block.0).map_err(|_| RunError::OutOfMemory)
}

/// Variables, of which no two have one name.
struct Block(Vec<u8>);

impl Block {
    fn add(&mut self, variable: &Variable<'_>) -> Result<(), OutOfMemory> {
        self.add_bytes(variable.name().chain([b'=']).chain(variable.value()).chain([0]))
    }

    /// Add a variable with its NUL, unless its name stands here already.
    fn add_bytes(&mut self, variable: impl Iterator<Item = u8>) -> Result<(), OutOfMemory> {
        let start = self.0.len();
        for byte in variable {
            self.0.try_reserve(1).map_err(|_| OutOfMemory)?;
            self.0.push(byte);
        }
        if self.has_before(start) {
            self.0.truncate(start);
        }
        Ok(())
    }

    /// Whether the name of the variable at `start` stands before it already.
    fn has_before(&self, start: usize) -> bool {
        let (before, variable) = self.0.split_at(start);
        let Some(name_len) = variable.iter().position(|&byte| byte == b'=') else {
            return false;
        };
        let name = variable.get(..=name_len).unwrap_or_default();
        before.split(|&byte| byte == 0).any(|earlier| earlier.starts_with(name))
    }
}
