//! Other programs.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Run a program to its end and return its standard output. If it fails, the error holds what it wrote; if it is not there,
/// the error says how to get it.
pub fn output_of(command: &mut Command, to_install: &str) -> Result<Vec<u8>> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = match command.output() {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => bail!("`{program}` is not installed: {to_install}"),
        Err(error) => return Err(error).with_context(|| format!("cannot run `{program}`")),
    };
    if output.status.success() {
        return Ok(output.stdout);
    }
    let arguments: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
    let said = String::from_utf8_lossy(&output.stderr);
    bail!(
        "`{program} {}` failed ({}):\n{}",
        arguments.join(" "),
        output.status,
        said.trim_end()
    )
}
