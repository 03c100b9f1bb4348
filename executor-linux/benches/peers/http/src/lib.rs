//! HTTP and containers for what the executor is compared with.
//!
//! [`server`] is as lean as the contract allows: threads that wait together in one `epoll_wait`, accept and serve by themselves,
//! as the executor's do, without its limits, time-outs and checks. [`containers`] is OpenWhisk's `/init` and `/run` for an engine.
#![warn(missing_docs)]

pub mod containers;
pub mod server;
