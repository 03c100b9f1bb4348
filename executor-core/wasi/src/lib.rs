//! WASI preview 1 for one run of a guest: no operating system, no engine.
//!
//! An engine hands in a call's number, its arguments and the guest's memory ([`Context::call`]); the machine hands in time,
//! chance and directories ([`Host`]); what the guest writes to its standard output stays here ([`Output`]). Everything else
//! of the interface is decided in this crate, the same on every machine.
//!
//! | module | what it knows |
//! | --- | --- |
//! | [`functions`] | the 46 functions, their types, the dispatcher |
//! | [`memory`] | which of the guest's allegations about addresses hold |
//! | `layout` | the structures in guest memory, byte by byte |
//! | [`context`] | the state of one run: arguments, environment, descriptors |
//! | `calls` | what each function does |
//! | [`output`] | the captured standard output: the log and the last line |
//! | [`host`] | what a machine must supply |
//!
//! **Invariants.** No input of a guest can panic here, reach outside its memory, or outside the directories that the host
//! gives. A [`Context`] is one run's: dropping it closes all that the guest opened. Making one allocates nothing unless
//! there are preopened directories.
//!
//! Source: the specification `wasi_snapshot_preview1.witx` and its `typenames.witx`, and wasi-libc's expectations of them.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test fails so")
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod errno;
pub mod memory;

pub mod host;
pub mod output;

pub mod context;
pub mod functions;

mod calls;
mod descriptors;
mod layout;

#[cfg(test)]
mod tests;

pub use context::{Context, Environment, Input};
pub use errno::Errno;
pub use functions::{Function, MODULE, Stop};
pub use host::{Directory, File, Host, Interrupted, NoFiles, Preopened};
pub use memory::GuestMemory;
pub use output::{Output, OutputLimits};
