//! The executor on a machine without an operating system.
//!
//! `executor-core` as it is everywhere; here is what Linux does for it elsewhere. A board (a crate that nothing depends on,
//! beside this one) supplies a [`Board`], a network device and a memory map, and calls [`start`], which does not return.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`board`] | what a board supplies |
//! | [`server`] | the one loop: poll the network, serve who has sent a request, sleep |
//! | [`network`] | TCP/IP: a few sockets on two ports, and a connection as `embedded_io` sees it |
//! | [`watch`] | the timer interrupt: stops guests, and feeds the watchdog while something moves |
//! | [`allocator`] | the two pools that Rust allocates from |
//! | [`node`], [`host`] | the machine as `executor-core` and as WASI guests see it |
//! | [`console`] | logs |
//! | [`boot_record`] | what outlives a reset: why there was one |
//! | [`baked`] | actions in flash |
//! | [`image!`] | what a board's program takes from its `board.toml` |
//! | `status` | what a board tells of itself: `GET /` |
//! | [`one_core`] | the lock of a machine with one core and no threads |
//!
//! **Invariants.** One thread; the timer's interrupt is the only handler that runs code of this crate. It never waits for a
//! lock: what the thread holds is left for the next tick. It allocates nothing.
#![no_std]
#![warn(missing_docs)]

extern crate alloc;

pub mod board;

pub mod server;

pub mod network;
pub mod watch;

pub mod allocator;
pub mod baked;
pub mod boot_record;
pub mod console;
pub mod host;
mod image;
pub mod node;
pub mod one_core;
mod status;

pub use board::{Board, Configuration, Memory, Region};
pub use server::start;
pub use smoltcp::phy::Device;
pub use watch::tick;
