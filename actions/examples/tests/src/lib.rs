//! Builds the examples and runs them on an engine that is not the executor's, by `actions/ABI.md` and nothing else.
//!
//! What passes here and fails in the executor is the executor's fault.

pub mod build;
pub mod lean;
pub mod wasi;
