//! `executor-arm`: the executor on Raspberry-Pi-class boards that run Linux.
//!
//! The same subcommands as `executor-linux`, from the same library: sockets, clocks, threads and signals are Linux's on
//! both. What is particular to boards comes here with Arm support.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    executor_linux::command_line::main("executor-arm")
}
