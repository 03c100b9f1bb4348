//! What an outcome means for the connection, and for what comes after the reply.

use lock_api::RawMutex;

use crate::executor::{Executor, InitError, Outcome, Refusal};
use crate::http::{BodyLength, Framing, Persistence, Version};
use crate::node::Node;
use crate::openwhisk::{CommandError, RequestError};
use crate::runtime::{Finished, Logs, Runtime, Watch};

/// Whether the connection can be used again: only if it is known where the next request starts.
pub(super) fn persistence<R: Runtime>(
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
pub(super) fn settle<R: Runtime, N: Node, L: RawMutex>(
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
