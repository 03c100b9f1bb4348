//! OpenWhisk's `/init` and `/run` for embedded nodes: no operating system, no allocator.
//!
//! The modules in the order in which a request meets them. Each stage is data in, data out; only [`serve`] knows the
//! order.
//!
//! | stage | takes | gives |
//! | --- | --- | --- |
//! | [`http`] head, body | bytes | [`http::Head`], `&mut [u8]` |
//! | [`openwhisk`] command | head, body | [`openwhisk::Command`] |
//! | [`executor`] | command | [`executor::Outcome`], by way of a [`runtime::Runtime`] |
//! | [`openwhisk`] reply | outcome | [`openwhisk::Reply`] |
//! | [`http`] response | reply | bytes |
//!
//! **Architecture invariants.** `http` knows no JSON; `openwhisk` does no I/O; `executor` knows no status codes; `wamr`
//! knows no requests; no stage imports `serve`.
#![no_std]
#![warn(missing_docs)]
#![allow(
    clippy::result_large_err,
    reason = "without an allocator an engine's words travel by value, once an /init that fails"
)]

#[cfg(feature = "wamr")]
extern crate alloc;

pub mod limits;

pub mod http;
pub mod json;
pub mod openwhisk;

pub mod executor;
pub mod node;
pub mod runtime;

pub mod serve;
pub mod spans;

#[cfg(feature = "wamr")]
pub mod wamr;
