//! The conductor: the one way that a request takes.
//!
//! **Takes** a connection with a request on it. **Gives** the reply to it, and then does what no client waits for.
//!
//! **Invariants.** Only this module knows the order of the stages. An error of an early stage becomes a reply here and leaves
//! by the same way as any other. Whatever a run holds (its instance, the answer in it) is freed after the reply has left.
//!
//! **Not here.** Accepting, waiting for a request, time limits of a connection, closing it: the platform's.

use embedded_io::{Error as _, Read, Write};
use lock_api::RawMutex;

use crate::executor::{Executor, InitError, Outcome, Refusal};
use crate::http::{BodyError, BodyLength, ChunkedBody, Framing, Inbox, Persistence, Progress, Version, write_response};
use crate::limits::CONTROL_BODY_MAX_BYTES;
use crate::node::Node;
use crate::openwhisk::{Command, CommandError, Listener, Reply, RequestError, Route, route};
use crate::runtime::{Finished, Logs, OutOfMemory, RunError, Runtime, Watch};
use crate::spans::{Part, enter};

/// What is to become of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Next {
    /// Another request may come, or lies in the inbox already ([`Inbox::is_empty`]).
    KeepAlive,
    /// Close it. The reply, if there was anyone to tell, has left. The rest of a refused request may still be on its way:
    /// a platform whose sockets reset the connection over unread bytes should read them for a while first.
    Close,
}

/// Serve one request: receive it, carry it out, reply. `watch` may stop the guest.
pub fn serve_one<C: Read + Write, R: Runtime, N: Node, L: RawMutex>(
    executor: &Executor<'_, R, N, L>,
    connection: &mut C,
    inbox: &mut Inbox<'_>,
    listener: Listener,
    watch: &impl Watch<R::Stopper>,
) -> Next {
    let _request = enter(Part::Request);
    let span = enter(Part::Head);
    let head = inbox.read_head(connection, |head| {
        (head.framing, route(listener, head.method, head.target))
    });
    span.end();
    let (framing, outcome) = match head {
        Ok((framing, Ok(route))) => (
            Some(framing),
            perform(executor, connection, inbox, &framing, route, watch),
        ),
        Ok((framing, Err(error))) => (Some(framing), Err(RequestError::Route(error))),
        Err(error) => (None, Err(RequestError::Receive(error))),
    };
    let persistence = persistence(framing, &outcome, executor.node().is_draining());
    let settings = executor.settings();
    let span = enter(Part::Reply);
    let reply = match &outcome {
        Ok(Outcome::Ran(finished)) if finished.answer() == Err(RunError::Cancelled) => None,
        Ok(outcome) => Some(Reply::of_outcome(
            outcome,
            settings.reply_style,
            settings.result_max_bytes,
        )),
        Err(error) => Reply::of_request_error(error),
    };
    if let Err(error) = &outcome {
        log::debug!("request refused: {error}");
    }
    let mut next = Next::Close;
    if let Some(reply) = reply {
        let sent = write_response(
            connection,
            inbox.spare(),
            reply.status,
            persistence,
            &reply.content.parts(),
        );
        match sent {
            Ok(()) if persistence != Persistence::Close => next = Next::KeepAlive,
            Ok(()) => {}
            Err(error) => log::info!("a reply could not be sent: {:?}", error.kind()),
        }
    }
    span.end();
    let _span = enter(Part::Settle);
    settle(executor, &outcome, watch);
    next
}

/// Receive the body where it is wanted, understand it, carry it out.
fn perform<C: Read + Write, R: Runtime, N: Node, L: RawMutex>(
    executor: &Executor<'_, R, N, L>,
    connection: &mut C,
    inbox: &mut Inbox<'_>,
    framing: &Framing,
    route: Route,
    watch: &impl Watch<R::Stopper>,
) -> Result<Outcome<R>, RequestError> {
    // RFC 9110 §10.1.1: who waits for leave to send a body that will not be used gets the answer instead.
    if framing.expects_continue && executor.node().is_draining() && !matches!(route, Route::Destroy(_)) {
        return Ok(Outcome::Refused(Refusal::Draining));
    }
    let settings = executor.settings();
    let body_max_bytes = match route {
        Route::Init(_) => settings.init_body_max_bytes,
        Route::Run(_) => settings.run_body_max_bytes,
        Route::Start | Route::Destroy(_) => CONTROL_BODY_MAX_BYTES.min(inbox.capacity()),
    };
    let body;
    let command = match route {
        Route::Init(container) => {
            let span = enter(Part::Body);
            let owned = receive_owned(executor, connection, inbox, framing, body_max_bytes);
            span.end();
            let _span = enter(Part::Command);
            Command::init(container, owned.map_err(of_bundle)?)
        }
        Route::Run(container) => {
            let span = enter(Part::Body);
            body = receive(executor, connection, inbox, framing, body_max_bytes)?;
            span.end();
            let _span = enter(Part::Command);
            Command::run(container, body.as_ref())
        }
        Route::Start => {
            receive(executor, connection, inbox, framing, body_max_bytes)?;
            Ok(Command::Start)
        }
        Route::Destroy(id) => {
            body = receive(executor, connection, inbox, framing, body_max_bytes)?;
            Ok(Command::destroy(id, body.as_ref()))
        }
    };
    Ok(executor.execute(command.map_err(RequestError::Command)?, watch))
}

/// A body, where it was received.
enum Body<'i, B> {
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
fn receive<'i, C: Read + Write, R: Runtime, N: Node, L: RawMutex>(
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
fn receive_owned<C: Read + Write, R: Runtime, N: Node, L: RawMutex>(
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
fn of_bundle(error: RequestError) -> RequestError {
    match error {
        RequestError::TooLarge { body_len, max_bytes } => RequestError::BundleTooLarge { body_len, max_bytes },
        error => error,
    }
}

/// Whether the connection can be used again: only if it is known where the next request starts.
fn persistence<R: Runtime>(
    framing: Option<Framing>,
    outcome: &Result<Outcome<R>, RequestError>,
    is_draining: bool,
) -> Persistence {
    let Some(framing) = framing else {
        return Persistence::Close;
    };
    let is_received = match outcome {
        Ok(_) | Err(RequestError::Command(_)) => true,
        Err(_) => framing.body_length == BodyLength::Bytes(0),
    };
    match framing.version {
        _ if is_draining || !is_received || !framing.keep_alive => Persistence::Close,
        Version::Http11 => Persistence::Open,
        Version::Http10 => Persistence::OpenExplicitly,
    }
}

/// What is done when the reply has left: pass on logs, make the next instance ready.
fn settle<R: Runtime, N: Node, L: RawMutex>(
    executor: &Executor<'_, R, N, L>,
    outcome: &Result<Outcome<R>, RequestError>,
    watch: &impl Watch<R::Stopper>,
) {
    match outcome {
        Ok(Outcome::Initialised(action)) => executor.runtime().prepare(action, watch),
        Ok(Outcome::Ran(finished)) => executor.node().activation_ended(finished.logs()),
        // OpenWhisk collects logs after these, too, and waits for the end of an activation in them.
        Ok(Outcome::InitFailed(InitError::Code(error))) if error.is_malformed_request() => {}
        Ok(Outcome::InitFailed(InitError::Code(_) | InitError::Load(_) | InitError::OutOfMemory))
        | Err(RequestError::Command(CommandError::ScalarValue)) => {
            executor.node().activation_ended(Logs::default());
        }
        // As the other runtimes do, which tell it on both streams.
        Ok(Outcome::Refused(refusal @ Refusal::AlreadyInitialised)) => log::warn!("{refusal}"),
        Ok(Outcome::Refused(refusal)) => log::info!("{refusal}"),
        Ok(Outcome::Started { .. } | Outcome::Destroyed | Outcome::InitFailed(InitError::MissingCode)) | Err(_) => {}
    }
}
