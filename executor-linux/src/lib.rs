//! The executor on Linux: sockets, threads, clocks, signals and logs for [`executor_core`].
//!
//! A program of three subcommands, as a library, so that boards can build their own from it.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`command_line`] | arguments, help, and what each subcommand does |
//! | [`assembly`] | the executor, put together from what the operator has set |
//! | [`server`] | sockets and the workers that serve them |
//! | [`service`] | a worker's request, through [`executor_core::serve`] |
//! | [`node`] | this machine as the executor sees it |
//! | [`ports`] | the containers' own ports |
//! | [`activation_log`] | what guests wrote, and the sentinels |
//! | [`wasi_files`] | this machine as guests see it |
//! | [`sandbox`] | the wall around this process: paths, ports, system calls |
//! | [`watchdog`] | stops guests whose time is over, or whose client has gone |
//! | [`supervisor`] | the main thread: signals, housekeeping, the end |
//! | [`once`] | one activation in this process |
//! | [`hardware`], [`cpu_features`] | what the machine has |
//! | [`memory_budget`] | the memory that the operator gives, divided |
//! | `spans` (a feature) | how long the parts of each request took, written at the end |
//! | [`descriptors`], [`logger`], [`patient_write`], [`rarely`] | small helpers |
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails so"))]

pub mod activation_log;
pub mod assembly;
pub mod command_line;
pub mod cpu_features;
pub mod descriptors;
pub mod hardware;
pub mod logger;
pub mod memory_budget;
pub mod node;
pub mod once;
pub mod patient_write;
pub mod ports;
pub mod rarely;
pub mod sandbox;
pub mod server;
pub mod service;
#[cfg(feature = "spans")]
pub mod spans;
pub mod supervisor;
pub mod wasi_files;
pub mod watchdog;
