//! `executor-arm`: the executor on Raspberry-Pi-class boards that run Linux.
//!
//! The same subcommands as `executor-linux`, from the same library: sockets, clocks, threads and signals are Linux's on
//! both. Here is what is a board's: its name, and defaults for little memory. It builds for any Linux, so that its tests run
//! everywhere.
#![forbid(unsafe_code)]

mod board;
mod defaults;

use std::process::ExitCode;

use executor_linux::command_line::defaults::Program;
use executor_linux::hardware::Hardware;

fn main() -> ExitCode {
    let hardware = Hardware::read();
    executor_linux::command_line::main(&Program {
        name: "executor-arm",
        board: board::model(),
        hardware,
        defaults: defaults::of_board(&hardware),
    })
}
