//! What boards with a Cortex-M7 share.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`thread`] | the stack of the thread, apart from that of handlers |
//! | [`memory_protection`] | what memory may be written, run, or neither; caches, where code is loaded |
//! | [`clock`] | microseconds from a counter of 32 bits |
//! | [`ticks`] | the system timer |
//! | [`faults`] | what a fault says of itself |
//! | [`reset`] | the end of a boot, with what is noted of it |
//!
//! Source: Arm, *Armv7-M Architecture Reference Manual* (DDI 0403); the numbers in brackets are its sections.
#![no_std]
#![allow(unsafe_code)] // registers, and a stack
#![warn(missing_docs)]

pub mod clock;
pub mod faults;
pub mod memory_protection;
pub mod reset;
pub mod thread;
pub mod ticks;

/// What a Cortex-M7 with a floating-point unit of double precision has beyond Armv7E-M, by `rustc`'s names.
pub const CPU_FEATURES: &[&str] = &["fp-armv8d16"];
