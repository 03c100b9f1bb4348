//! The conductor: the one way that a request takes.
//!
//! **Takes** a connection with a request on it. **Gives** the reply to it, and then does what no client waits for.
//!
//! **Invariants.** Only this module knows the order of the stages. An error of an early stage becomes a reply here and leaves
//! by the same way as any other. Whatever a run holds (its instance, the answer in it) is freed after the reply has left.
//!
//! **Not here.** Accepting, waiting for a request, time limits of a connection, closing it: the platform's.

mod finish;
mod receive;

use embedded_io::{Error as _, Read, Write};
use lock_api::RawMutex;

use self::finish::{persistence, settle};
use self::receive::{of_bundle, receive, receive_owned};
use crate::executor::{Executor, Outcome, Refusal};
use crate::http::{Framing, Inbox, Persistence, write_response};
use crate::limits::CONTROL_BODY_MAX_BYTES;
use crate::node::Node;
use crate::openwhisk::{Command, Listener, Reply, RequestError, Route, route};
use crate::runtime::{Finished, RunError, Runtime, Watch};

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
    let head = inbox.read_head(connection, |head| {
        (head.framing, route(listener, head.method, head.target))
    });
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
            let owned = receive_owned(executor, connection, inbox, framing, body_max_bytes);
            Command::init(container, owned.map_err(of_bundle)?)
        }
        Route::Run(container) => {
            body = receive(executor, connection, inbox, framing, body_max_bytes)?;
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
