//! What a board tells of itself: `GET /`, on both ports.
//!
//! `{"board":…,"uptime_ms":…,"containers":…,"modules":…,"baked":[…],"memory":{"engine_bytes":…,"code_bytes":…,
//! "bodies_bytes":…}}`: the names of the actions in flash are the ids of their containers; `memory` is what is taken of WAMR's
//! regions, of which native code is a part, and of Rust's.

use core::fmt::Write as _;

use embedded_io::{Read as _, Write as _};
use executor_core::http::{Persistence, StatusCode, write_response};

use crate::allocator;
use crate::board::{self, Configuration};
use crate::network::connection::Connection;
use crate::network::with;
use crate::server::BareExecutor;

const REQUEST: &[u8] = b"GET / HTTP/1.";

/// Whether the request of this connection asks for it.
pub(crate) fn is_asked(index: usize) -> bool {
    let mut start = [0; REQUEST.len()];
    with(|network| network.sockets().peek(index, &mut start)) == Some(REQUEST.len()) && start == REQUEST
}

/// Answer. The connection is not kept: whoever asks so asks once.
pub(crate) fn answer(executor: &BareExecutor, configuration: &Configuration, index: usize) -> bool {
    let mut connection = Connection::new(index);
    // The head has come whole, or is too long for that: what is not read now is thrown away when the connection is closed.
    let mut head = [0; 512];
    let _ = connection.read(&mut head);
    let body = describe(executor, configuration);
    let sent = write_response(
        &mut connection,
        &mut head,
        StatusCode::Ok,
        Persistence::Close,
        &[body.as_bytes()],
    );
    let _ = sent.and_then(|()| connection.flush());
    false
}

/// What does not fit is left out, so that the text stays JSON.
fn describe(executor: &BareExecutor, configuration: &Configuration) -> heapless::String<2048> {
    let mut text = heapless::String::new();
    let mut names = heapless::String::<1536>::new();
    for baked in configuration.baked {
        let separator = if names.is_empty() { "" } else { "," };
        // Names are container ids: visible ASCII characters. Those that JSON escapes make no name.
        if names.len() + baked.name.len() + 3 < names.capacity() && !baked.name.contains(['"', '\\']) {
            let _ = write!(names, "{separator}\"{}\"", baked.name);
        }
    }
    let _ = write!(
        text,
        "{{\"board\":\"{}\",\"uptime_ms\":{},\"containers\":{},\"modules\":{},\"baked\":[{names}],\
         \"memory\":{{\"engine_bytes\":{},\"code_bytes\":{},\"bodies_bytes\":{}}}}}",
        configuration.name,
        board::uptime_ms(),
        executor.container_count(),
        executor.runtime().modules_loaded(),
        executor.runtime().memory_taken(),
        wamr_sys::bare::code_taken(),
        allocator::taken_bytes(),
    );
    text
}
