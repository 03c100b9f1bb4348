//! How an outcome is told.
//!
//! **Takes** an [`Outcome`], or why a request did not become a command. **Gives** a [`Reply`]: a status and a body that
//! borrows the guest's answer.
//!
//! **Invariants.** The answer leaves as the guest wrote it, after a check that it is one JSON object or array. 503 is sent
//! only while the node drains: OpenWhisk takes it for "schedule elsewhere".
//!
//! **Source.** `ActivationResult.scala` (what the invoker makes of statuses and bodies), the runtimes' texts; WOW's
//! `ActivationResponse` for the envelope.

use core::fmt::{self, Write};

use serde::Serialize;

use crate::executor::{InitError, Outcome, Refusal};
use crate::http::{BodyError, ReceiveError, StatusCode};
use crate::json::{self, Value};
use crate::runtime::{Finished, LoadError, RunError, Runtime};

use super::{CommandError, RouteError};

/// How the outcome of a `/run` is dressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplyStyle {
    /// As OpenWhisk's runtimes do: the answer is the body.
    #[default]
    Plain,
    /// As WOW's executor does: status 200 and `{"status":…,"status_code":…,"success":…,"result":…}`.
    Envelope,
}

/// Why a request did not become a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// No head came, or a malformed one.
    Receive(ReceiveError),
    /// There is nothing to do at this path.
    Route(RouteError),
    /// The body is longer than is taken here.
    TooLarge {
        /// Its length; of one in chunks, what they have announced so far.
        body_len: u64,
        /// The longest that is taken.
        max_bytes: usize,
    },
    /// The same of an `/init`, whose body is a bundle.
    BundleTooLarge {
        /// The body's length, as above.
        body_len: u64,
        /// The longest that is taken.
        max_bytes: usize,
    },
    /// There is no memory for the body.
    OutOfMemory,
    /// The body did not come.
    Body(BodyError),
    /// The body is no command.
    Command(CommandError),
}

/// A reply: what [`crate::http::write_response`] needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub content: Content<'a>,
}

/// A reply's body.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one a request, on the stack, and no allocator"
)]
pub enum Content<'a> {
    /// Made here.
    Text(heapless::Vec<u8, TEXT_MAX_BYTES>),
    /// Made by the guest, and perhaps dressed.
    Answer {
        /// What comes before it.
        prefix: &'static str,
        /// The guest's bytes.
        answer: &'a [u8],
        /// What comes after it.
        suffix: &'static str,
    },
}

impl Content<'_> {
    /// The body's parts, in order.
    pub fn parts(&self) -> [&[u8]; 3] {
        match self {
            Content::Text(text) => [text, b"", b""],
            Content::Answer { prefix, answer, suffix } => [prefix.as_bytes(), answer, suffix.as_bytes()],
        }
    }
}

/// The longest error text, in bytes; what is longer is cut.
const MESSAGE_MAX_BYTES: usize = 320;

/// The longest body that is made here: a text in which every byte is escaped, and the envelope around it.
const TEXT_MAX_BYTES: usize = 2 * MESSAGE_MAX_BYTES + 128;

/// What a guest has to return.
const NO_RESULT: &str = "The action did not return a dictionary or array.";

/// `{"error":…}`: what OpenWhisk looks for.
#[derive(Serialize)]
struct ErrorBody<'a> {
    error: &'a str,
}

/// WOW's envelope, around an error.
#[derive(Serialize)]
struct Envelope<'a> {
    status: &'static str,
    status_code: u8,
    success: bool,
    result: ErrorBody<'a>,
}

#[derive(Serialize)]
struct Initialised {
    ok: bool,
}

#[derive(Serialize)]
struct Started<'a> {
    #[serde(rename = "containerId")]
    container_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
}

impl<'a> Reply<'a> {
    /// Tell an outcome. `result_max_bytes` is the longest result that is passed on.
    pub fn of_outcome<R: Runtime>(outcome: &'a Outcome<R>, style: ReplyStyle, result_max_bytes: usize) -> Self {
        match outcome {
            Outcome::Started { container, port } => Reply::json(
                StatusCode::Ok,
                &Started {
                    container_id: container.id().as_str(),
                    port: *port,
                },
            ),
            Outcome::Initialised(_) | Outcome::Destroyed => Reply::json(StatusCode::Ok, &Initialised { ok: true }),
            Outcome::Ran(finished) => match finished.answer() {
                Ok(answer) if answer.len() > result_max_bytes => Reply::failed_run(style, &RunError::AnswerTooLong),
                Ok(answer) => Reply::answer(answer, style),
                Err(error) => Reply::failed_run(style, &error),
            },
            Outcome::Refused(refusal) => Reply::error(refusal_status(*refusal), refusal),
            Outcome::InitFailed(error) => match error {
                InitError::MissingCode => Reply::error(StatusCode::Forbidden, error),
                InitError::Code(code) if code.is_malformed_request() => Reply::error(StatusCode::BadRequest, error),
                InitError::Code(_) | InitError::Load(_) | InitError::OutOfMemory => {
                    Reply::error(StatusCode::BadGateway, error)
                }
            },
        }
    }

    /// Tell why a request did not become a command; `None` if there is nobody to tell.
    pub fn of_request_error(error: &RequestError) -> Option<Self> {
        let status = match error {
            RequestError::Receive(error) => error.status()?,
            RequestError::Body(error) => error.status()?,
            RequestError::Route(RouteError::NotFound) => StatusCode::NotFound,
            RequestError::Route(RouteError::MethodNotAllowed) => StatusCode::MethodNotAllowed,
            RequestError::TooLarge { .. } | RequestError::BundleTooLarge { .. } => StatusCode::ContentTooLarge,
            RequestError::OutOfMemory => StatusCode::InternalServerError,
            RequestError::Command(CommandError::ScalarValue) => StatusCode::NotFound,
            RequestError::Command(CommandError::Json(_) | CommandError::NotObject | CommandError::FieldType(_)) => {
                StatusCode::BadRequest
            }
        };
        Some(Reply::error(status, error))
    }

    /// Pass on an answer if it is one JSON object or array.
    fn answer(answer: &'a [u8], style: ReplyStyle) -> Self {
        let (raw, is_error) = match json::parse(answer) {
            Ok(Value::Object(object)) => (
                object.raw(),
                style == ReplyStyle::Envelope && object.get("error").is_some(),
            ),
            Ok(Value::Array(array)) => (array.raw(), false),
            Ok(_) | Err(_) => return Reply::failed_run(style, &NO_RESULT),
        };
        let (prefix, suffix) = match (style, is_error) {
            (ReplyStyle::Plain, _) => ("", ""),
            (ReplyStyle::Envelope, false) => (r#"{"status":"success","status_code":0,"success":true,"result":"#, "}"),
            (ReplyStyle::Envelope, true) => (
                r#"{"status":"application error","status_code":1,"success":false,"result":"#,
                "}",
            ),
        };
        Reply {
            status: StatusCode::Ok,
            content: Content::Answer {
                prefix,
                answer: raw,
                suffix,
            },
        }
    }

    /// Tell why a run has no result.
    fn failed_run(style: ReplyStyle, why: &dyn fmt::Display) -> Self {
        match style {
            ReplyStyle::Plain => Reply::error(StatusCode::BadGateway, why),
            ReplyStyle::Envelope => {
                let message = Message::of(why);
                let result = ErrorBody { error: &message.0 };
                let envelope = Envelope {
                    status: "application error",
                    status_code: 1,
                    success: false,
                    result,
                };
                Reply::json(StatusCode::Ok, &envelope)
            }
        }
    }

    fn error(status: StatusCode, why: &dyn fmt::Display) -> Self {
        let message = Message::of(why);
        Reply::json(status, &ErrorBody { error: &message.0 })
    }

    fn json<T: Serialize>(status: StatusCode, body: &T) -> Self {
        let mut text = heapless::Vec::from_array([0; TEXT_MAX_BYTES]);
        let len = serde_json_core::to_slice(body, &mut text)
            .expect("a message of the greatest length fits with all its escapes");
        text.truncate(len);
        Reply {
            status,
            content: Content::Text(text),
        }
    }
}

/// A text for people: cut to its greatest length, without control characters, so that no byte of it needs more than one
/// more to be escaped.
struct Message(heapless::String<MESSAGE_MAX_BYTES>);

impl Message {
    fn of(what: &dyn fmt::Display) -> Self {
        let mut message = Message(heapless::String::new());
        // An error means that the text is cut here.
        let _ = write!(message, "{what}");
        message
    }
}

impl Write for Message {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars()
            .try_for_each(|letter| self.0.push(if letter.is_control() { ' ' } else { letter }))
            .map_err(|_| fmt::Error)
    }
}

fn refusal_status(refusal: Refusal) -> StatusCode {
    match refusal {
        Refusal::Draining => StatusCode::ServiceUnavailable,
        Refusal::UnknownContainer => StatusCode::NotFound,
        Refusal::AlreadyInitialised | Refusal::NotInitialised => StatusCode::Forbidden,
        // Not 503: OpenWhisk takes that for the end of this node.
        Refusal::TableFull | Refusal::NoPort => StatusCode::TooManyRequests,
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Draining => "The executor is shutting down: send this to another one.",
            Refusal::UnknownContainer => "There is no container of this id, or no more: start or initialize one.",
            Refusal::AlreadyInitialised => "Cannot initialize the action more than once.",
            Refusal::NotInitialised => "System not initialized.",
            Refusal::TableFull => "All containers of this node are busy: try again, or raise the executor's limit.",
            Refusal::NoPort => "All ports of this node are taken: destroy a container, or widen the executor's range.",
        })
    }
}

impl fmt::Display for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InitError::MissingCode => f.write_str("Missing main/no code to execute."),
            InitError::Code(error) if error.is_malformed_request() => write!(f, "cannot decode the request: {error}"),
            InitError::Code(error) => write!(f, "The action cannot be loaded: {error}."),
            InitError::Load(error) => write!(f, "The action cannot be loaded: {error}."),
            InitError::OutOfMemory => write!(f, "The action cannot be loaded: {}.", LoadError::OutOfMemory),
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestError::Receive(error) => error.fmt(f),
            RequestError::Route(error) => error.fmt(f),
            RequestError::TooLarge { body_len, max_bytes } => {
                write!(f, "The request's body is too large: {body_len} > {max_bytes} bytes.")
            }
            RequestError::BundleTooLarge { body_len, max_bytes } => write!(
                f,
                "The bundle is larger than this node takes (an /init of {body_len} > {max_bytes} bytes): build it smaller or \
                 for fewer targets, or give the executor a larger memory budget."
            ),
            RequestError::OutOfMemory => f.write_str("This node has no memory for a request of this size now."),
            RequestError::Body(error) => error.fmt(f),
            RequestError::Command(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for RequestError {}
