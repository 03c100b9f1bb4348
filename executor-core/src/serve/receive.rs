//! The second stage: a body to where it is used.
//!
//! **Takes** the framing that the head gives. **Gives** the body: in the inbox, or in memory of the runtime's if it changes its
//! owner or does not fit.

use embedded_io::{Read, Write};
use lock_api::RawMutex;

use crate::executor::Executor;
use crate::http::{BodyError, BodyLength, ChunkedBody, Framing, Inbox, Progress};
use crate::node::Node;
use crate::openwhisk::RequestError;
use crate::runtime::{OutOfMemory, Runtime};

/// A body, where it was received.
pub(super) enum Body<'i, B> {
    /// In the inbox.
    InPlace(&'i [u8]),
    /// In memory of its own.
    Owned(B),
}

impl<B: AsRef<[u8]>> AsRef<[u8]> for Body<'_, B> {
    fn as_ref(&self) -> &[u8] {
        match self {
            Body::InPlace(bytes) => bytes,
            Body::Owned(buffer) => buffer.as_ref(),
        }
    }
}

/// A body that is used where it arrives, unless it does not fit there.
pub(super) fn receive<'i, C: Read + Write, R: Runtime, N: Node, L: RawMutex>(
    executor: &Executor<'_, R, N, L>,
    connection: &mut C,
    inbox: &'i mut Inbox<'_>,
    framing: &Framing,
    max_bytes: usize,
) -> Result<Body<'i, R::Buffer>, RequestError> {
    match framing.body_length {
        BodyLength::Bytes(body_len) => {
            let len = admit(body_len, max_bytes)?;
            if len > inbox.capacity() {
                return receive_owned(executor, connection, inbox, framing, max_bytes).map(Body::Owned);
            }
            inbox.send_continue(connection, framing).map_err(RequestError::Body)?;
            let body = inbox.read_in_place(connection, len).map_err(RequestError::Body)?;
            Ok(Body::InPlace(body))
        }
        BodyLength::Chunked => {
            inbox.send_continue(connection, framing).map_err(RequestError::Body)?;
            let mut body = ChunkedBody::new(max_bytes);
            match inbox.read_chunks(connection, &mut body).map_err(of_chunks(max_bytes))? {
                Progress::Whole => Ok(Body::InPlace(inbox.content(&body))),
                Progress::Full => move_and_receive(executor, connection, inbox, body, max_bytes).map(Body::Owned),
            }
        }
    }
}

/// A body that changes its owner, or does not fit into the inbox.
pub(super) fn receive_owned<C: Read + Write, R: Runtime, N: Node, L: RawMutex>(
    executor: &Executor<'_, R, N, L>,
    connection: &mut C,
    inbox: &mut Inbox<'_>,
    framing: &Framing,
    max_bytes: usize,
) -> Result<R::Buffer, RequestError> {
    match framing.body_length {
        BodyLength::Bytes(body_len) => {
            let len = admit(body_len, max_bytes)?;
            let mut body = executor.buffer(len).map_err(|OutOfMemory| RequestError::OutOfMemory)?;
            inbox.send_continue(connection, framing).map_err(RequestError::Body)?;
            inbox.read_into(connection, body.as_mut()).map_err(RequestError::Body)?;
            Ok(body)
        }
        BodyLength::Chunked => {
            inbox.send_continue(connection, framing).map_err(RequestError::Body)?;
            let mut body = ChunkedBody::new(max_bytes);
            // What follows begins where this has come to, whatever that is.
            let _ = inbox.read_chunks(connection, &mut body).map_err(of_chunks(max_bytes))?;
            move_and_receive(executor, connection, inbox, body, max_bytes)
        }
    }
}

/// Move a body out of the inbox, with what has come of it there, and receive the rest where it is then.
fn move_and_receive<C: Read + Write, R: Runtime, N: Node, L: RawMutex>(
    executor: &Executor<'_, R, N, L>,
    connection: &mut C,
    inbox: &mut Inbox<'_>,
    mut body: ChunkedBody,
    max_bytes: usize,
) -> Result<R::Buffer, RequestError> {
    let of_memory = |OutOfMemory| RequestError::OutOfMemory;
    let mut buffer = executor.buffer(body.room_wanted()).map_err(of_memory)?;
    inbox.move_content(&mut body, buffer.as_mut());
    while inbox
        .read_chunks_into(connection, &mut body, buffer.as_mut())
        .map_err(of_chunks(max_bytes))?
        == Progress::Full
    {
        executor.resize(&mut buffer, body.room_wanted()).map_err(of_memory)?;
    }
    if body.len() < buffer.as_ref().len() {
        executor.resize(&mut buffer, body.len()).map_err(of_memory)?;
    }
    Ok(buffer)
}

/// A body's length, if it is not too great.
fn admit(body_len: u64, max_bytes: usize) -> Result<usize, RequestError> {
    usize::try_from(body_len)
        .ok()
        .filter(|len| *len <= max_bytes)
        .ok_or(RequestError::TooLarge { body_len, max_bytes })
}

/// The same error for a body that is too long, however its length was told.
fn of_chunks(max_bytes: usize) -> impl Fn(BodyError) -> RequestError {
    move |error| match error {
        BodyError::TooLong { announced_bytes } => RequestError::TooLarge {
            body_len: announced_bytes,
            max_bytes,
        },
        error => RequestError::Body(error),
    }
}

/// The error of a body that is a bundle.
pub(super) fn of_bundle(error: RequestError) -> RequestError {
    match error {
        RequestError::TooLarge { body_len, max_bytes } => RequestError::BundleTooLarge { body_len, max_bytes },
        error => error,
    }
}
