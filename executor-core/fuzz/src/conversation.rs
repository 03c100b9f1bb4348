//! Whole conversations with the fake engine: the same replies in whatever pieces the bytes arrive, each of them well-formed,
//! one for each request, in order.
//!
//! An input is two bytes of settings and what a client sends. To let a mutation get past the framing, the latter has a
//! notation: parts are separated by `0xff`; a part that begins with `/` is a target, a newline and a body, and goes as a
//! sound POST; any other part goes as it is. `$word$` is the base64 of the fake engine's script `word`.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::atomic::Ordering;

use embedded_io::{ErrorType, Read, Write};
use executor_core::executor::Settings;
use executor_core::http::{BodyLength, Inbox};
use executor_core::openwhisk::{Listener, ReplyStyle};
use executor_core::runtime::Unwatched;
use executor_core::serve::{Next, serve_one};

use crate::http::{find, naive_head};
use crate::json::is_json;
use crate::world::{WASM_HEADER, settings, with_executor};

/// Long enough for what is compared, short enough for many executions a second.
const STREAM_MAX_BYTES: usize = 16 * 1024;

/// The conversation, in three ways.
pub fn check(data: &[u8]) {
    let Some((&[flags, piece], notation)) = data.split_first_chunk() else {
        return;
    };
    let stream = stream(notation);
    if stream.len() > STREAM_MAX_BYTES {
        return;
    }
    let whole = converse(flags, &stream, usize::MAX);
    whole.assert_is_well_formed(flags);
    whole.assert_answers(&stream);
    for piece in [usize::from(piece).max(2), 1] {
        let pieces = converse(flags, &stream, piece);
        assert_eq!(pieces.replies, whole.replies, "in pieces of {piece}");
        assert_eq!(pieces.events, whole.events, "in pieces of {piece}");
    }
}

/// What the notation stands for.
fn stream(notation: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    for part in notation.split(|byte| *byte == 0xff) {
        let part = with_scripts(part);
        match part.iter().position(|byte| *byte == b'\n') {
            Some(newline) if part.starts_with(b"/") => {
                let body = &part[newline + 1..];
                stream.extend_from_slice(b"POST ");
                stream.extend_from_slice(&part[..newline]);
                let length = format!(" HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", body.len());
                stream.extend_from_slice(length.as_bytes());
                stream.extend_from_slice(body);
            }
            _ => stream.extend_from_slice(&part),
        }
    }
    stream
}

fn with_scripts(part: &[u8]) -> Cow<'_, [u8]> {
    if !part.contains(&b'$') {
        return Cow::Borrowed(part);
    }
    let words = part.split(|byte| *byte == b'$').enumerate();
    Cow::Owned(words.fold(Vec::new(), |mut all, (index, word)| {
        if index % 2 == 0 {
            all.extend_from_slice(word);
        } else {
            all.extend(base64(&[WASM_HEADER, word].concat()));
        }
        all
    }))
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = Vec::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * digit) & 63) as usize];
            text.push(if digit > chunk.len() { b'=' } else { letter });
        }
    }
    text
}

/// Gives `piece` bytes a read, and remembers what is written.
struct Connection<'a> {
    incoming: &'a [u8],
    piece: usize,
    outgoing: Vec<u8>,
}

impl ErrorType for Connection<'_> {
    type Error = Infallible;
}

impl Read for Connection<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        assert!(!buffer.is_empty(), "a read into nothing cannot be told from the end");
        let count = self.piece.min(buffer.len());
        let (piece, rest) = self.incoming.split_at(count.min(self.incoming.len()));
        buffer[..piece.len()].copy_from_slice(piece);
        self.incoming = rest;
        Ok(piece.len())
    }
}

impl Write for Connection<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.outgoing.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// How a conversation went.
struct Conversation {
    replies: Vec<Reply>,
    /// What the fake engine and the fake machine have written down.
    events: Vec<String>,
}

#[derive(Debug, PartialEq)]
struct Reply {
    status: u16,
    closes: bool,
    body: Vec<u8>,
}

fn converse(flags: u8, stream: &[u8], piece: usize) -> Conversation {
    let has = |bit: u8| flags >> bit & 1 == 1;
    let mut settings = settings();
    if has(1) {
        settings.reply_style = ReplyStyle::Envelope;
    }
    if has(2) {
        settings = Settings {
            init_body_max_bytes: 900,
            run_body_max_bytes: 700,
            result_max_bytes: 100,
            ..settings
        };
    }
    with_executor(2, settings, |executor, world| {
        world.draining.store(has(3), Ordering::SeqCst);
        if has(4) {
            world.buffers.store(1, Ordering::SeqCst);
        }
        if has(5) {
            *world.ports.lock().unwrap() = Some(vec![4001]);
        }
        let listener = if has(0) {
            Listener::Control
        } else {
            Listener::Container(executor.create().unwrap())
        };
        let mut memory = vec![0x55; if has(6) { 512 } else { 2048 }];
        let mut inbox = Inbox::new(&mut memory);
        let mut connection = Connection {
            incoming: stream,
            piece,
            outgoing: Vec::new(),
        };
        while serve_one(executor, &mut connection, &mut inbox, listener, &Unwatched) == Next::KeepAlive {}
        Conversation {
            replies: replies(&connection.outgoing),
            events: world.take_events(),
        }
    })
}

/// Reads replies as `httparse` does. Whether `100 Continue` is sent depends on the pieces: it is set aside.
fn replies(mut bytes: &[u8]) -> Vec<Reply> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let mut fields = [httparse::EMPTY_HEADER; 8];
        let mut response = httparse::Response::new(&mut fields);
        let httparse::Status::Complete(len) = response.parse(bytes).unwrap() else {
            panic!("a reply is cut off")
        };
        bytes = &bytes[len..];
        assert_eq!(response.version, Some(1));
        let status = response.code.unwrap();
        if status == 100 {
            assert!(response.headers.is_empty());
            continue;
        }
        let field = |name: &str| {
            let mut named = response.headers.iter().filter(|field| field.name == name);
            let value = named.next().map(|field| std::str::from_utf8(field.value).unwrap());
            assert!(named.next().is_none(), "{name} is there twice");
            value
        };
        assert_eq!(field("Content-Type"), Some("application/json"));
        let body_len = field("Content-Length").unwrap().parse().unwrap();
        let (body, rest) = bytes
            .split_at_checked(body_len)
            .expect("the body is as long as it says");
        all.push(Reply {
            status,
            closes: field("Connection") == Some("close"),
            body: body.to_vec(),
        });
        bytes = rest;
    }
    all
}

impl Conversation {
    fn assert_is_well_formed(&self, flags: u8) {
        let is_draining = flags >> 3 & 1 == 1;
        for Reply { status, body, .. } in &self.replies {
            let text = String::from_utf8_lossy(body);
            assert!(is_json(body) && matches!(body[0], b'{' | b'['), "{status}: {text}");
            if *status != 200 {
                let error: serde_json::Value = serde_json::from_slice(body).expect("the product's own words");
                let error = error.pointer("/error").or(error.pointer("/result/error"));
                assert!(error.is_some_and(serde_json::Value::is_string), "{status}: {text}");
            }
            // OpenWhisk takes it for "schedule elsewhere".
            assert!(*status != 503 || is_draining);
        }
        let count = |word: &str| self.events.iter().filter(|event| event.starts_with(word)).count();
        assert!(count("put back") <= count("ended"));
    }

    /// One reply for each request, until the first that closes; and after the last that does not, no request is left.
    fn assert_answers(&self, stream: &[u8]) {
        let mut at = 0;
        for (index, reply) in self.replies.iter().enumerate() {
            assert!(at < stream.len(), "reply {index} to nothing");
            if reply.closes {
                assert_eq!(index + 1, self.replies.len(), "a reply after the last");
                return;
            }
            let head = naive_head(&stream[at..]).expect("the connection stays open after what cannot be a head");
            assert!(head.keep_alive);
            at += head.len;
            at += match head.body_length {
                BodyLength::Bytes(len) => usize::try_from(len).unwrap(),
                BodyLength::Chunked => chunked_len(&stream[at..]).expect("the end of the body is known"),
            };
            assert!(at <= stream.len(), "a reply to a body that has not come");
        }
        assert!(naive_head(&stream[at..]).is_none(), "no reply to a request");
    }
}

/// RFC 9112 §7.1: how long a chunked body is, trailer section included.
fn chunked_len(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let Ok(httparse::Status::Complete((line, size))) = httparse::parse_chunk_size(&bytes[at..]) else {
            return None;
        };
        at += line;
        if size == 0 {
            break;
        }
        at += usize::try_from(size).ok()?;
        at += bytes.get(at..at + 2).filter(|end| end == b"\r\n")?.len();
    }
    loop {
        let line = find(&bytes[at..], b"\r\n")?;
        at += line + 2;
        if line == 0 {
            return Some(at);
        }
    }
}
