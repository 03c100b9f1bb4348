//! HTTP/1.1 as a server speaks it, over `embedded-io`: heads, bodies, responses.
//!
//! **Takes** bytes from a connection. **Gives** a [`Head`], then the body where the caller wants it; takes a status and the
//! parts of a body, gives the response's bytes.
//!
//! **Invariants.** One request at a time, in order; what a client sends ahead stays in the [`Inbox`] for the next request.
//! A request whose end two readers could see at two places is refused (request smuggling). Responses always have a
//! `Content-Length`, are never chunked and never 204: OpenWhisk's invoker takes such a response for none.
//!
//! **Not here.** JSON, routes, connections' lifetimes.
//!
//! **Source.** RFC 9112 (HTTP/1.1), RFC 9110 (semantics).

mod body;
mod chunked;
mod head;
mod inbox;
mod response;
#[cfg(test)]
mod tests;

pub use body::BodyError;
pub use chunked::{ChunkedBody, Progress};
pub(crate) use head::after_scheme;
pub use head::{BodyLength, Framing, Head, HeadError, Status, Version, parse_head};
pub use inbox::{Inbox, ReceiveError};
pub use response::{Persistence, StatusCode, write_response};
