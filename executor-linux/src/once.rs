//! One activation in this process: what `run` does.
//!
//! The bundle and the input go through the same code as a client's: an `/init` and a `/run` in HTTP, over a connection that
//! is memory.

use embedded_io::{ErrorType, Read, Write};
use executor_core::http::Inbox;
use executor_core::json::{self, Value};
use executor_core::openwhisk::Listener;
use executor_core::serve::serve_one;
use executor_core::wamr::{self, RunStopper};

use crate::assembly::LinuxExecutor;
use crate::watchdog::Seat;

/// What became of an activation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The action's result.
    Success(Vec<u8>),
    /// The action's result says that it failed: it has a member `error`.
    ApplicationError(Vec<u8>),
    /// The action could not be loaded, or has not ended well: the reply's body.
    DeveloperError(Vec<u8>),
}

/// Load `code`, run it once with `input`, one JSON text: its caller has checked that.
pub fn run(executor: &LinuxExecutor, seat: &Seat<RunStopper>, code: &[u8], main: &str, input: &str) -> Outcome {
    wamr::prepare_thread();
    let Ok(container) = executor.create_fixed() else {
        return Outcome::DeveloperError(br#"{"error":"no room for a container"}"#.to_vec());
    };
    let listener = Listener::Container(container);
    let code = base64_simd::STANDARD.encode_to_string(code);
    let init = format!(
        r#"{{"value":{{"main":{},"code":"{code}","binary":true}}}}"#,
        json_string(main)
    );
    let (status, body) = request(executor, seat, listener, "/init", &init);
    if status != 200 {
        return Outcome::DeveloperError(body);
    }
    let (status, body) = request(executor, seat, listener, "/run", &format!(r#"{{"value":{input}}}"#));
    match (status, json::parse(&body)) {
        (200, Ok(Value::Object(result))) if result.get("error").is_some() => Outcome::ApplicationError(body),
        (200, _) => Outcome::Success(body),
        _ => Outcome::DeveloperError(body),
    }
}

fn request(
    executor: &LinuxExecutor,
    seat: &Seat<RunStopper>,
    listener: Listener,
    path: &str,
    body: &str,
) -> (u16, Vec<u8>) {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut connection = Memory {
        request: [head.as_bytes(), body.as_bytes()],
        reply: Vec::new(),
    };
    let mut buffer = vec![0; 64 * 1024];
    let mut inbox = Inbox::new(&mut buffer);
    // The connection is of no further use, whatever becomes of it.
    let _ = serve_one(executor, &mut connection, &mut inbox, listener, &seat.attend(None));
    let reply = connection.reply;
    let head_len = reply
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map_or(reply.len(), |at| at + 4);
    let (head, body) = reply.split_at(head_len);
    let status = head
        .get(9..12)
        .and_then(|code| std::str::from_utf8(code).ok())
        .and_then(|code| code.parse().ok());
    (status.unwrap_or(0), body.to_vec())
}

/// The text as a JSON string.
fn json_string(text: &str) -> String {
    let mut string = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => string.extend(['\\', character]),
            '\0'..='\x1f' => string.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => string.push(character),
        }
    }
    string.push('"');
    string
}

/// A connection whose client has sent everything, and takes everything.
struct Memory<'r> {
    request: [&'r [u8]; 2],
    reply: Vec<u8>,
}

impl ErrorType for Memory<'_> {
    type Error = core::convert::Infallible;
}

impl Read for Memory<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        let [head, body] = &mut self.request;
        let source = if head.is_empty() { body } else { head };
        source.read(buffer)
    }
}

impl Write for Memory<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        self.reply.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_json_string() {
        for name in ["", "main", "a\"b\\c\n\u{1}é"] {
            assert_eq!(serde_json::from_str::<String>(&json_string(name)).unwrap(), name);
        }
    }
}
