//! Conversations over an in-memory connection, with a fake engine and a fake machine: the whole contract of `/init`, `/run`
//! and the routes of the control listener, as a client sees it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::result_large_err, reason = "as in the crate itself")]

mod chunked;
mod client;
mod containers;
mod http;
mod http_cases;
mod init;
mod installed;
mod run;
mod transport;
mod world;
