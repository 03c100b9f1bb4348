//! OpenWhisk's protocol: what requests mean, and how outcomes are told.
//!
//! **Takes** method, path and body, or an outcome. **Gives** a [`Command`], or a [`Reply`].
//!
//! **Invariants.** No I/O. No JSON tree: a command names ranges of the body. Every text that a client gets as an error says
//! what to do.
//!
//! **Source.** OpenWhisk's `docs/actions-new.md`, the invoker's and the runtimes' code, and WOW's executor for the routes
//! that start with a container's id. Where they disagree, each choice says so.

mod command;
mod environment;
mod reply;
mod route;
#[cfg(test)]
mod tests;

pub use command::{Command, CommandError, InitRequest};
pub use environment::{Variable, activation_variables, init_variables};
pub use reply::{Content, Reply, ReplyStyle, RequestError};
pub use route::{Addressee, ContainerId, Listener, Route, RouteError, route};
