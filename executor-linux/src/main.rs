//! `executor-linux`: see `executor-linux --help`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    executor_linux::command_line::main("executor-linux")
}
