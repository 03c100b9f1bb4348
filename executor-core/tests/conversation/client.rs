//! The client's side: requests, an in-memory connection, responses.

use std::convert::Infallible;

use embedded_io::{ErrorType, Read, Write};
use executor_core::http::Inbox;
use executor_core::openwhisk::Listener;
use executor_core::runtime::Unwatched;
use executor_core::serve::{Next, serve_one};

use crate::world::{TestExecutor, WASM_HEADER, World};

/// The inbox is so small that long bodies do not fit.
pub const INBOX_BYTES: usize = 512;

/// What one read gives of the bytes that a client sends.
#[derive(Clone, Copy, Debug)]
pub enum Pieces {
    /// At most so many.
    Of(usize),
    /// Up to this place, or what is behind it.
    CutAt(usize),
}

/// A connection on which everything that the client sends is there at once, and which gives it in pieces.
pub struct Connection<'w> {
    world: &'w World,
    incoming: Vec<u8>,
    taken: usize,
    pieces: Pieces,
    pub outgoing: Vec<u8>,
}

impl ErrorType for Connection<'_> {
    type Error = Infallible;
}

impl Read for Connection<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let rest = &self.incoming[self.taken..];
        let piece = match self.pieces {
            Pieces::Of(count) => count,
            Pieces::CutAt(place) if self.taken < place => place - self.taken,
            Pieces::CutAt(_) => usize::MAX,
        };
        let count = rest.len().min(buffer.len()).min(piece);
        buffer[..count].copy_from_slice(&rest[..count]);
        self.taken += count;
        Ok(count)
    }
}

impl Write for Connection<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.world.event("write");
        self.outgoing.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// What came back.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// Serves everything that the client sends on one connection. Returns the responses, and how many bytes were not read.
pub fn converse(
    executor: &TestExecutor<'_, '_>,
    world: &World,
    listener: Listener,
    bytes: &[u8],
    piece: usize,
) -> (Vec<Response>, usize) {
    converse_in(executor, world, listener, bytes, Pieces::Of(piece))
}

/// The same, in any pieces.
pub fn converse_in(
    executor: &TestExecutor<'_, '_>,
    world: &World,
    listener: Listener,
    bytes: &[u8],
    pieces: Pieces,
) -> (Vec<Response>, usize) {
    let mut memory = [0; INBOX_BYTES];
    let mut inbox = Inbox::new(&mut memory);
    let mut connection = Connection {
        world,
        incoming: bytes.to_vec(),
        taken: 0,
        pieces,
        outgoing: Vec::new(),
    };
    while serve_one(executor, &mut connection, &mut inbox, listener, &Unwatched) == Next::KeepAlive {}
    let unread = connection.incoming.len() - connection.taken;
    (responses(&connection.outgoing), unread)
}

/// One request, one response.
pub fn ask(executor: &TestExecutor<'_, '_>, world: &World, listener: Listener, target: &str, body: &str) -> Response {
    let (mut responses, unread) = converse(executor, world, listener, &post(target, body), usize::MAX);
    assert_eq!((responses.len(), unread), (1, 0), "{target} {body}: {responses:?}");
    responses.remove(0)
}

/// The same, of which only status and body matter.
pub fn answer(
    executor: &TestExecutor<'_, '_>,
    world: &World,
    listener: Listener,
    target: &str,
    body: &str,
) -> (u16, String) {
    let response = ask(executor, world, listener, target, body);
    (response.status, response.body)
}

pub fn post(target: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Reads responses as a strict client does: each has a `Content-Length`.
pub fn responses(mut bytes: &[u8]) -> Vec<Response> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let text = std::str::from_utf8(bytes).expect("responses are UTF-8");
        let (head, rest) = text.split_once("\r\n\r\n").expect("a head");
        let status: u16 = head.strip_prefix("HTTP/1.1 ").expect("a status line")[..3]
            .parse()
            .expect("a status");
        let field = |name: &str| {
            head.lines()
                .skip(1)
                .filter_map(|line| line.split_once(": "))
                .find(|field| field.0 == name)
                .map(|field| field.1)
        };
        let len = if status == 100 {
            0
        } else {
            assert_eq!(field("Content-Type"), Some("application/json"));
            field("Content-Length").expect("a length").parse().expect("a number")
        };
        all.push(Response {
            status,
            head: head.into(),
            body: rest[..len].into(),
        });
        bytes = &rest.as_bytes()[len..];
    }
    all
}

pub fn error(text: &str) -> String {
    serde_json::json!({ "error": text }).to_string()
}

/// The base64 of a module with this script.
pub fn code(script: &str) -> String {
    base64(&[WASM_HEADER, script.as_bytes()].concat())
}

/// The body of an `/init` with this script.
pub fn init_body(script: &str) -> String {
    format!(
        r#"{{"value":{{"name":"a","main":"main","code":"{}","binary":true,"env":{{}}}}}}"#,
        code(script)
    )
}

pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * digit) & 63) as usize];
            text.push(if digit > chunk.len() { '=' } else { char::from(letter) });
        }
    }
    text
}

/// A zip of one entry that is deflated (in one stored block, which is the simplest that is valid).
pub fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    let short = |number: usize| u16::try_from(number).expect("small").to_le_bytes();
    let long = |number: usize| u32::try_from(number).expect("small").to_le_bytes();
    let data = [&[1], &short(content.len())[..], &short(0xffff - content.len()), content].concat();
    let crc32 = !content.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    });
    // Version, flags, method, time, date, CRC, sizes, lengths of name and extra field.
    let common = [
        &[20, 0, 0, 0, 8, 0, 0, 0, 0x21, 0][..],
        &crc32.to_le_bytes(),
        &long(data.len()),
        &long(content.len()),
        &short(name.len()),
        &short(0),
    ]
    .concat();
    let local = [b"PK\x03\x04", &common[..], name.as_bytes(), &data].concat();
    let central = [b"PK\x01\x02\x14\0", &common[..], &[0; 14], name.as_bytes()].concat();
    let end = [
        b"PK\x05\x06\0\0\0\0\x01\0\x01\0",
        &long(central.len())[..],
        &long(local.len()),
        &[0; 2],
    ]
    .concat();
    [local, central, end].concat()
}
