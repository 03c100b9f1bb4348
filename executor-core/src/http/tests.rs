#![expect(clippy::unwrap_used, reason = "a test may panic")]

extern crate std;

use core::convert::Infallible;
use std::collections::VecDeque;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use embedded_io::{ErrorKind, ErrorType, Read, Write};
use proptest::prelude::*;

use super::*;
use crate::limits::HEAD_MAX_BYTES;

/// A connection whose client sends these chunks, one a read, and then closes. Every write is recorded.
#[derive(Default)]
struct Chunks {
    incoming: VecDeque<Vec<u8>>,
    writes: Vec<Vec<u8>>,
}

impl Chunks {
    /// `bytes`, `size` at a time.
    fn of(bytes: &[u8], size: usize) -> Self {
        Chunks {
            incoming: bytes.chunks(size).map(Vec::from).collect(),
            writes: Vec::new(),
        }
    }
}

impl ErrorType for Chunks {
    type Error = Infallible;
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        assert!(!buffer.is_empty(), "a read into nothing cannot be told from the end");
        let Some(mut chunk) = self.incoming.pop_front() else {
            return Ok(0);
        };
        let count = chunk.len().min(buffer.len());
        let rest = chunk.split_off(count);
        buffer[..count].copy_from_slice(&chunk);
        if !rest.is_empty() {
            self.incoming.push_front(rest);
        }
        Ok(count)
    }
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.writes.push(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// A connection that fails in this way after some bytes.
struct Failing(&'static [u8], ErrorKind);

impl ErrorType for Failing {
    type Error = ErrorKind;
}

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        if self.0.is_empty() {
            Err(self.1)
        } else {
            Ok(self.0.read(buffer).expect("a slice"))
        }
    }
}

fn summary(head: &Head<'_>) -> String {
    let Framing {
        version,
        body_length,
        keep_alive,
        expects_continue,
    } = head.framing;
    let body_length = match body_length {
        BodyLength::Bytes(len) => len.to_string(),
        BodyLength::Chunked => "chunked".into(),
    };
    let mut text = format!("{} {} {version:?} {body_length}", head.method, head.target);
    for (flag, name) in [(keep_alive, " keep"), (expects_continue, " expects")] {
        if flag {
            text += name;
        }
    }
    text
}

/// Reads the head in one piece, split at every byte, and with something behind it.
fn check(head: &str, expected: Result<&str, HeadError>) {
    let bytes = head.as_bytes();
    let followed = [bytes, b"POST / HTTP/1.1\r\n"].concat();
    match expected {
        Ok(expected) => {
            for input in [bytes, &followed] {
                let Status::Complete(found) = parse_head(input).expect(head) else {
                    panic!("partial: {head:?}")
                };
                assert_eq!(summary(&found), expected, "{head:?}");
                assert_eq!(found.len, bytes.len(), "{head:?}");
            }
            for split in 0..bytes.len() {
                assert_eq!(
                    parse_head(&bytes[..split]),
                    Ok(Status::Partial),
                    "{head:?} split at {split}"
                );
            }
        }
        Err(expected) => {
            assert_eq!(parse_head(bytes), Err(expected), "{head:?}");
            assert_eq!(parse_head(&followed), Err(expected), "{head:?}");
            // Once it is refused, more bytes do not make it acceptable, nor change the reason.
            let mut refused = false;
            for split in 0..bytes.len() {
                match parse_head(&bytes[..split]) {
                    Ok(Status::Partial) => assert!(!refused, "{head:?} split at {split}"),
                    Err(error) => {
                        assert_eq!(error, expected, "{head:?} split at {split}");
                        refused = true;
                    }
                    complete => panic!("{complete:?}: {head:?} split at {split}"),
                }
            }
        }
    }
}

#[test]
fn request_lines() {
    let line = |line: &str, expected| check(&format!("{line}\r\nHost: a\r\n\r\n"), expected);
    line("POST /init HTTP/1.1", Ok("POST /init Http11 0 keep"));
    line("post /run?a=b HTTP/1.1", Ok("post /run?a=b Http11 0 keep"));
    line("POST http://h:1/run HTTP/1.1", Ok("POST http://h:1/run Http11 0 keep"));
    line("OPTIONS * HTTP/1.1", Ok("OPTIONS * Http11 0 keep"));
    line("POST / HTTP/1.0", Ok("POST / Http10 0"));
    line("POST / HTTP/1.2", Ok("POST / Http11 0 keep"));
    line("\r\nPOST / HTTP/1.1", Ok("POST / Http11 0 keep"));
    line("\r\n\r\nPOST / HTTP/1.1", Err(HeadError::RequestLine));
    line("POST / HTTP/2.0", Err(HeadError::Version));
    line("POST / HTTP/0.9", Err(HeadError::Version));
    line("PRI * HTTP/2.0", Err(HeadError::Version));
    line("POST /", Err(HeadError::RequestLine));
    line("POST", Err(HeadError::RequestLine));
    line("POST  / HTTP/1.1", Err(HeadError::RequestLine));
    line("POST /  HTTP/1.1", Err(HeadError::RequestLine));
    line("POST\t/ HTTP/1.1", Err(HeadError::RequestLine));
    line(" POST / HTTP/1.1", Err(HeadError::RequestLine));
    line("POST / HTTP/1.1 ", Err(HeadError::RequestLine));
    line("POST / http/1.1", Err(HeadError::RequestLine));
    line("POST / HTTP/1.10", Err(HeadError::RequestLine));
    line("POST / HTTP/1", Err(HeadError::RequestLine));
    line("POST / HTTPS/1.1", Err(HeadError::RequestLine));
    line("PO(ST / HTTP/1.1", Err(HeadError::RequestLine));
    line("POST /é HTTP/1.1", Err(HeadError::Target));
    line("POST /\x7f HTTP/1.1", Err(HeadError::Target));
    for target in [
        "",
        "run",
        "*",
        "http:",
        "http://",
        "http:///run",
        "ftp://h/run",
        "://h/run",
        "//",
        "h:80",
        "/a#b",
        "/a\"b",
        "/<",
        "/\\a",
        "/a|b",
        "/{}",
    ] {
        let expected = if target == "//" {
            Ok("POST // Http11 0 keep")
        } else {
            Err(HeadError::Target)
        };
        line(&format!("POST {target} HTTP/1.1"), expected);
    }
    line("OPTIONS * HTTP/1.1", Ok("OPTIONS * Http11 0 keep"));
    line("CONNECT h:443 HTTP/1.1", Ok("CONNECT h:443 Http11 0 keep"));
    line("CONNECT [::1]:443 HTTP/1.1", Ok("CONNECT [::1]:443 Http11 0 keep"));
    line("CONNECT h HTTP/1.1", Err(HeadError::Target));
    line("CONNECT /run HTTP/1.1", Err(HeadError::Target));
    line("POST /\0 HTTP/1.1", Err(HeadError::Line));
    check("\x16\x03\x01\x02\0\x01\0", Err(HeadError::Line)); // a TLS client
    check("POST / HTTP/1.1\nHost: a\n\n", Err(HeadError::Line));
    check("POST / HTTP/1.1\r\r\nHost: a\r\n\r\n", Err(HeadError::Line));
}

#[test]
fn field_lines() {
    let fields = |fields: &str, expected| check(&format!("POST / HTTP/1.1\r\n{fields}\r\n"), expected);
    let plain = Ok("POST / Http11 0 keep");
    fields("Host: a\r\n", plain);
    fields("hOST:a\r\n", plain);
    fields("Host:\t [::1]:80 \t\r\n", plain);
    fields("Host:\r\n", plain);
    fields("Host: a\r\nX!#$%&'*+-.^_`|~9: \"\u{e9}\t(\r\n", plain);
    fields("Host: a\r\nX:\r\n", plain);
    // Who is asked for, is asked for once.
    fields("", Err(HeadError::Host));
    fields("Host: a\r\nHost: a\r\n", Err(HeadError::Host));
    fields("Host: a b\r\n", Err(HeadError::Host));
    fields("Host: a,b\r\n", Err(HeadError::Host));
    fields("Host: a/b\r\n", Err(HeadError::Host));
    fields("Host: u@a\r\n", Err(HeadError::Host));
    for host in [
        "a:b", "a:1:2", "[::1", "[]", "[::1]x", "[::1]:x", "a[", "::1", "a\"", "a<b", "a#", "a?", "\u{e9}",
    ] {
        fields(&format!("Host: {host}\r\n"), Err(HeadError::Host));
    }
    for host in [
        "a_b-c.d~",
        "a:",
        "a:80",
        "1.2.3.4:8080",
        "[fe80::1%25eth0]:1",
        "[v1.a]",
        "%41",
    ] {
        fields(&format!("Host: {host}\r\n"), plain);
    }
    check("POST / HTTP/1.0\r\n\r\n", Ok("POST / Http10 0"));
    check("POST / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", Err(HeadError::Host));
    // Names.
    fields("Host : a\r\n", Err(HeadError::FieldName));
    fields(": a\r\n", Err(HeadError::FieldName));
    fields("Host\r\n", Err(HeadError::FieldName));
    fields("X(: a\r\n", Err(HeadError::FieldName));
    fields("X\u{e9}: a\r\n", Err(HeadError::FieldName));
    // Values.
    fields("X: a\x01\r\n", Err(HeadError::FieldValue));
    fields("X: a\x7f\r\n", Err(HeadError::FieldValue));
    fields("X: a\0\r\n", Err(HeadError::Line));
    fields("X: a\rb\r\n", Err(HeadError::Line));
    fields("X: a\nb: c\r\n", Err(HeadError::Line));
    fields("X: a\n\r\n", Err(HeadError::Line));
    // Continued lines.
    fields("Host: a\r\n b\r\n", Err(HeadError::Folded));
    fields("Host: a\r\n\tContent-Length: 1\r\n", Err(HeadError::Folded));
    fields(" Host: a\r\n", Err(HeadError::Folded));
}

#[test]
fn framing_fields() {
    let fields = |fields: &str, expected| check(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"), expected);
    fields("Content-Length: 0\r\n", Ok("POST / Http11 0 keep"));
    fields("content-length:42\r\n", Ok("POST / Http11 42 keep"));
    fields("Content-Length: 0042\r\n", Ok("POST / Http11 42 keep"));
    fields(
        "Content-Length: 18446744073709551615\r\n",
        Ok("POST / Http11 18446744073709551615 keep"),
    );
    for bad in [
        "",
        " ",
        "18446744073709551616",
        "99999999999999999999999",
        "-1",
        "+1",
        "1 1",
        "1,1",
        "1, 1",
        "1;",
        "0x1",
        "1.0",
        "1e3",
        "\u{661}",
        "a",
        "\"1\"",
    ] {
        fields(&format!("Content-Length: {bad}\r\n"), Err(HeadError::ContentLength));
    }
    fields(
        "Content-Length: 1\r\nContent-Length: 1\r\n",
        Err(HeadError::ContentLength),
    );
    fields(
        "Content-Length: 1\r\ncontent-length: 2\r\n",
        Err(HeadError::ContentLength),
    );
    fields("Transfer-Encoding: chunked\r\n", Ok("POST / Http11 chunked keep"));
    fields("transfer-encoding:\t ChunKed \r\n", Ok("POST / Http11 chunked keep"));
    let coded = |value: &str, error| fields(&format!("Transfer-Encoding: {value}\r\n"), Err(error));
    for value in [
        "gzip, chunked",
        "xchunked , chunked",
        "gzip;q=1,chunked",
        "a\r\nTransfer-Encoding: chunked",
    ] {
        coded(value, HeadError::UnknownCoding);
    }
    for value in [
        "",
        ",",
        "chunked,",
        ",chunked",
        "identity",
        "gzip",
        "xchunked",
        "chunke",
        "\"chunked\"",
        "chunked;q=1",
        "chunked ; a",
        "chunked chunked",
        "chunked, chunked",
        "chunked, identity",
        "chunked, gzip, chunked",
        "gzip, chunked, chunked",
        "chunked\r\nTransfer-Encoding: chunked",
        "chunked\r\nTransfer-Encoding:",
        "chunked\r\nTransfer-Encoding: identity",
    ] {
        coded(value, HeadError::TransferEncoding);
    }
    fields(
        "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
        Err(HeadError::Smuggling),
    );
    fields(
        "Content-Length: 0\r\nTransfer-Encoding: identity\r\n",
        Err(HeadError::Smuggling),
    );
    check(
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        Err(HeadError::Smuggling),
    );
}

#[test]
fn connection_and_expectation_fields() {
    let current = |fields: &str, expected| check(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"), expected);
    let old = |fields: &str, expected| check(&format!("POST / HTTP/1.0\r\n{fields}\r\n"), expected);
    current("Connection: close\r\n", Ok("POST / Http11 0"));
    current("Connection: Upgrade, CLOSE ,x\r\n", Ok("POST / Http11 0"));
    current("Connection: keep-alive\r\nConnection: close\r\n", Ok("POST / Http11 0"));
    current("Connection: closed\r\n", Ok("POST / Http11 0 keep"));
    old("Connection: Keep-Alive\r\n", Ok("POST / Http10 0 keep"));
    old("Connection: keep-alive, close\r\n", Ok("POST / Http10 0"));
    current("Expect: 100-Continue\r\n", Ok("POST / Http11 0 keep expects"));
    current("Expect: 100-continue, x\r\n", Err(HeadError::Expectation));
    current("Expect: 200-ok\r\n", Err(HeadError::Expectation));
    old("Expect: 100-continue\r\n", Ok("POST / Http10 0"));
    old("Expect: 200-ok\r\n", Ok("POST / Http10 0"));
}

/// Three requests in a row, whatever the pieces in which they arrive, and however little the inbox holds.
#[test]
fn requests_in_a_row_in_any_pieces() {
    let bodies = ["", "{\"a\":1}", "0123456789012345678901234567890123456789"];
    let stream: String = bodies
        .iter()
        .map(|body| {
            format!(
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
        })
        .collect();
    for size in 1..=stream.len() {
        for capacity in [50, 64, 100, 300] {
            let mut memory = std::vec![0; capacity];
            let mut inbox = Inbox::new(&mut memory);
            let mut connection = Chunks::of(stream.as_bytes(), size);
            for body in bodies {
                let length = inbox
                    .read_head(&mut connection, |head| head.framing.body_length)
                    .unwrap();
                assert_eq!(length, BodyLength::Bytes(body.len() as u64));
                // The second way for every body: straight to where it is wanted.
                if size % 2 == 0 {
                    assert_eq!(
                        inbox.read_in_place(&mut connection, body.len()).unwrap(),
                        body.as_bytes()
                    );
                } else {
                    let mut into = std::vec![0; body.len()];
                    inbox.read_into(&mut connection, &mut into).unwrap();
                    assert_eq!(into, body.as_bytes());
                }
                // Writing a reply there does not touch what was sent ahead.
                inbox.spare().fill(b'!');
            }
            assert!(inbox.is_empty());
            assert_eq!(inbox.read_head(&mut connection, |_| ()), Err(ReceiveError::Closed));
        }
    }
}

#[test]
fn heads_that_do_not_come() {
    let receive = |connection: &mut Chunks, capacity| {
        let mut memory = std::vec![0; capacity];
        Inbox::new(&mut memory).read_head(connection, |head| head.len)
    };
    assert_eq!(receive(&mut Chunks::default(), 99), Err(ReceiveError::Closed));
    assert_eq!(
        receive(&mut Chunks::of(b"POST / HTTP/1.1\r\n", 5), 99),
        Err(ReceiveError::Truncated)
    );
    assert_eq!(
        receive(&mut Chunks::of(b"POST / HTP/1.1\r\n", 99), 99),
        Err(ReceiveError::Head(HeadError::RequestLine))
    );

    // The limit counts the head alone, and is the inbox's if that is smaller.
    let head_of = |len: usize| {
        let start = "POST / HTTP/1.1\r\nHost: a\r\nX: ";
        format!("{start}{}\r\n\r\n", "x".repeat(len - start.len() - 4))
    };
    for (capacity, max) in [(HEAD_MAX_BYTES * 2, HEAD_MAX_BYTES), (100, 100)] {
        for size in [1000, usize::MAX] {
            let followed = head_of(max) + &"x".repeat(max);
            assert_eq!(receive(&mut Chunks::of(followed.as_bytes(), size), capacity), Ok(max));
            let longer = head_of(max + 1);
            assert_eq!(
                receive(&mut Chunks::of(longer.as_bytes(), size), capacity),
                Err(ReceiveError::HeadTooLong)
            );
        }
    }

    let fail = |bytes, kind| {
        Inbox::new(&mut [0; 99])
            .read_head(&mut Failing(bytes, kind), |_| ())
            .unwrap_err()
    };
    assert_eq!(fail(b"POST", ErrorKind::TimedOut), ReceiveError::TimedOut);
    assert_eq!(
        fail(b"", ErrorKind::TimedOut),
        ReceiveError::Connection(ErrorKind::TimedOut)
    );
    assert_eq!(
        fail(b"P", ErrorKind::ConnectionReset),
        ReceiveError::Connection(ErrorKind::ConnectionReset)
    );
}

#[test]
fn bodies_that_do_not_come() {
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n";
    let cut = [head.as_slice(), b"{\"a\":1"].concat();
    for size in [1, 50, 99] {
        let mut memory = [0; 99];
        let mut inbox = Inbox::new(&mut memory);
        let mut connection = Chunks::of(&cut, size);
        inbox.read_head(&mut connection, |_| ()).unwrap();
        assert_eq!(inbox.read_in_place(&mut connection, 9), Err(BodyError::Truncated));

        let mut connection = Chunks::of(&cut, size);
        inbox.clear();
        inbox.read_head(&mut connection, |_| ()).unwrap();
        assert_eq!(inbox.read_into(&mut connection, &mut [0; 9]), Err(BodyError::Truncated));
    }
    let mut memory = [0; 99];
    let mut inbox = Inbox::new(&mut memory);
    let mut connection = Failing(head, ErrorKind::TimedOut);
    inbox.read_head(&mut connection, |_| ()).unwrap();
    assert_eq!(inbox.read_in_place(&mut connection, 9), Err(BodyError::TimedOut));
}

#[test]
fn a_client_that_waits_is_told_to_continue() {
    let check = |expects: &str, len: usize, body: &str, expected: &[&[u8]]| {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {len}\r\n{expects}\r\n{body}");
        let mut memory = [0; 199];
        let mut inbox = Inbox::new(&mut memory);
        let mut connection = Chunks::of(head.as_bytes(), 199);
        let framing = inbox.read_head(&mut connection, |head| head.framing).unwrap();
        inbox.send_continue(&mut connection, &framing).unwrap();
        assert_eq!(connection.writes, expected, "{head:?}");
    };
    let expects = "Expect: 100-continue\r\n";
    check(expects, 9, "", &[b"HTTP/1.1 100 Continue\r\n\r\n"]);
    check(expects, 9, "{", &[]);
    check(expects, 0, "", &[]);
    check("", 9, "", &[]);
}

#[test]
fn responses() {
    let respond = |scratch: usize, status, persistence, parts: &[&[u8]]| {
        let mut connection = Chunks::default();
        write_response(&mut connection, &mut std::vec![0; scratch], status, persistence, parts).unwrap();
        connection
            .writes
            .into_iter()
            .map(|bytes| String::from_utf8(bytes).unwrap())
            .collect::<Vec<_>>()
    };
    let start = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 6\r\n";
    let parts: [&[u8]; 3] = [b"{", b"1234", b"}"];
    assert_eq!(
        respond(300, StatusCode::Ok, Persistence::Open, &parts),
        [format!("{start}\r\n{{1234}}")]
    );
    assert_eq!(
        respond(300, StatusCode::Ok, Persistence::Close, &parts),
        [format!("{start}Connection: close\r\n\r\n{{1234}}")]
    );
    assert_eq!(
        respond(300, StatusCode::Ok, Persistence::OpenExplicitly, &parts),
        [format!("{start}Connection: keep-alive\r\n\r\n{{1234}}")]
    );
    assert_eq!(
        respond(300, StatusCode::MethodNotAllowed, Persistence::Open, &[]),
        [
            "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: application/json\r\nContent-Length: 0\r\nAllow: POST\r\n\r\n"
        ]
    );
    // A part that does not fit leaves from where it lies; the small ones around it are gathered.
    let long = "x".repeat(1000);
    let parts: [&[u8]; 3] = [b"{", long.as_bytes(), b"}"];
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1002\r\n\r\n{";
    assert_eq!(
        respond(300, StatusCode::Ok, Persistence::Open, &parts),
        [head, &long, "}"]
    );
    // Whatever memory there is, the bytes are the same.
    for scratch in 0..1200 {
        let all = respond(scratch, StatusCode::Ok, Persistence::Open, &parts).concat();
        assert_eq!(all, [head, &long, "}"].concat());
    }
}

#[test]
fn statuses_are_as_registered() {
    assert_eq!(StatusCode::Ok.code(), 200);
    for (error, code) in [
        (HeadError::Version, 505),
        (HeadError::Expectation, 417),
        (HeadError::Smuggling, 400),
        (HeadError::Host, 400),
    ] {
        assert_eq!(error.status().code(), code);
        assert!(!error.to_string().is_empty());
    }
    assert_eq!(ReceiveError::HeadTooLong.status().map(StatusCode::code), Some(431));
    assert_eq!(ReceiveError::TimedOut.status().map(StatusCode::code), Some(408));
    assert_eq!(ReceiveError::Closed.status(), None);
}

/// More bytes never take back what has been decided.
fn check_final(bytes: &[u8], cut: prop::sample::Index) -> Result<(), TestCaseError> {
    match parse_head(&bytes[..cut.index(bytes.len() + 1)]) {
        Ok(Status::Partial) => {}
        decided => prop_assert_eq!(decided, parse_head(bytes)),
    }
    Ok(())
}

proptest! {
    #[test]
    fn verdicts_on_any_bytes_are_final(bytes in prop::collection::vec(any::<u8>(), 0..64), cut: prop::sample::Index) {
        check_final(&bytes, cut)?;
    }

    #[test]
    fn verdicts_on_lines_are_final(
        lines in prop::collection::vec("[ -~]{0,12}|Host: a|Content-Length: 1|POST / HTTP/1.1|\r|\n|", 0..6),
        cut: prop::sample::Index,
    ) {
        check_final(lines.join("\r\n").as_bytes(), cut)?;
    }
}
