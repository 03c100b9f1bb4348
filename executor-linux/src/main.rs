//! `executor-linux`: see `executor-linux --help`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use executor_linux::command_line::defaults::{Defaults, Program};
use executor_linux::hardware::Hardware;

fn main() -> ExitCode {
    let hardware = Hardware::read();
    executor_linux::command_line::main(&Program {
        name: "executor-linux",
        board: None,
        hardware,
        defaults: Defaults::of_server(&hardware),
    })
}
