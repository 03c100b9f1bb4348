//! What a client may send, and what becomes of it: the table of cases.
//!
//! One action is there, which gives back what it gets. The tests send each case whole, in two pieces cut at every byte, and
//! byte by byte, in memory; and over sockets. They send a request behind it: it is served if the connection [lives
//! on](Verdict::Ran), and must never be if not.
//!
//! **Sources.** RFC 9112, RFC 9110, RFC 6585; in [`Case::section`].

/// One case.
pub struct Case {
    /// What is special about it.
    pub name: &'static str,
    /// What the client sends.
    pub bytes: &'static str,
    /// What becomes of it.
    pub verdict: Verdict,
    /// What says so.
    pub section: &'static str,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is served: the action got this. The connection lives on.
    Ran(&'static str),
    /// It is served, and the connection closed.
    RanLast(&'static str),
    /// It is refused with this status. The connection lives on: it is known where the next request begins.
    Refused(u16),
    /// It is refused with this status, and the connection closed.
    RefusedLast(u16),
}

use Verdict::{Ran, RanLast, Refused, RefusedLast};

const fn case(name: &'static str, bytes: &'static str, verdict: Verdict, section: &'static str) -> Case {
    Case {
        name,
        bytes,
        verdict,
        section,
    }
}

/// `POST /run` with these fields (each with its CR LF) besides `Host`, and what follows the head.
macro_rules! run {
    ($fields:expr, $rest:expr) => {
        concat!("POST /run HTTP/1.1\r\nHost: a\r\n", $fields, "\r\n", $rest)
    };
}

/// A chunked `POST /run`, from the first chunk on.
macro_rules! chunks {
    ($chunks:expr) => {
        run!("Transfer-Encoding: chunked\r\n", $chunks)
    };
}

/// A `POST /run` whose body is `{"value":[1]}`, with this `Content-Length`.
macro_rules! length {
    ($value:expr) => {
        run!(concat!("Content-Length:", $value, "\r\n"), "{\"value\":[1]}")
    };
}

/// A `POST /run` with this `Host` field (with its CR LF).
macro_rules! host {
    ($field:expr) => {
        concat!("POST /run HTTP/1.1\r\n", $field, "Content-Length: 0\r\n\r\n")
    };
}

/// A request with this line (with its CR LF).
macro_rules! line {
    ($line:expr) => {
        concat!($line, "Host: a\r\nContent-Length: 0\r\n\r\n")
    };
}

#[rustfmt::skip] // one case a line, or two: a table
pub const CASES: &[Case] = &[
    // The request line.
    case("plain", line!("POST /run HTTP/1.1\r\n"), Ran("{}"), "9112 §3"),
    case("query", line!("POST /run?a=b HTTP/1.1\r\n"), Ran("{}"), "9112 §3.2.1"),
    case("absolute form", line!("POST http://a:8080/run HTTP/1.1\r\n"), Ran("{}"), "9112 §3.2.2"),
    case("absolute form, other host than Host", line!("POST http://b/run HTTP/1.1\r\n"), Ran("{}"), "9112 §3.2.2"),
    case("absolute form without a host", line!("POST http:///run HTTP/1.1\r\n"), RefusedLast(400), "9110 §4.2.1"),
    case("absolute form with user information", line!("POST http://u@a/run HTTP/1.1\r\n"), RefusedLast(400), "9110 §4.2.4"),
    case("absolute form of another scheme", line!("POST ftp://a/run HTTP/1.1\r\n"), RefusedLast(400), "9112 §3.2.2"),
    case("authority form without CONNECT", line!("POST a:80 HTTP/1.1\r\n"), RefusedLast(400), "9112 §3.2.3"),
    case("authority form", line!("CONNECT a:80 HTTP/1.1\r\n"), Refused(404), "9112 §3.2.3"),
    case("asterisk form without OPTIONS", line!("POST * HTTP/1.1\r\n"), RefusedLast(400), "9112 §3.2.4"),
    case("asterisk form", line!("OPTIONS * HTTP/1.1\r\n"), Refused(404), "9112 §3.2.4"),
    case("target without a slash", line!("POST run HTTP/1.1\r\n"), RefusedLast(400), "9112 §3.2.1"),
    case("target with a fragment", line!("POST /run#a HTTP/1.1\r\n"), RefusedLast(400), "9112 §3.2"),
    case("target with a backslash", line!("POST \\run HTTP/1.1\r\n"), RefusedLast(400), "3986 §A"),
    case("target beyond ASCII", line!("POST /r\u{fc}n HTTP/1.1\r\n"), RefusedLast(400), "3986 §A"),
    case("empty target", line!("POST  HTTP/1.1\r\n"), RefusedLast(400), "9112 §3"),
    case("other path", line!("POST /other HTTP/1.1\r\n"), Refused(404), "9110 §15.5.5"),
    case("other method", line!("GET /run HTTP/1.1\r\n"), Refused(405), "9110 §15.5.6"),
    case("method in lower case", line!("post /run HTTP/1.1\r\n"), Refused(405), "9110 §9.1"),
    case("method that is no token", line!("PO@ST /run HTTP/1.1\r\n"), RefusedLast(400), "9110 §9.1"),
    case("empty method", line!(" /run HTTP/1.1\r\n"), RefusedLast(400), "9112 §3"),
    case("two spaces before the target", line!("POST  /run HTTP/1.1\r\n"), RefusedLast(400), "9112 §3"),
    case("two spaces before the version", line!("POST /run  HTTP/1.1\r\n"), RefusedLast(400), "9112 §3"),
    case("tab between words", line!("POST\t/run HTTP/1.1\r\n"), RefusedLast(400), "9112 §3"),
    case("vertical tab between words", line!("POST\x0b/run HTTP/1.1\r\n"), RefusedLast(400), "9112 §3"),
    case("space behind the version", line!("POST /run HTTP/1.1 \r\n"), RefusedLast(400), "9112 §3"),
    case("space before the method", line!(" POST /run HTTP/1.1\r\n"), RefusedLast(400), "9112 §3"),
    case("four words", line!("POST /run x HTTP/1.1\r\n"), RefusedLast(400), "9112 §3.2"),
    case("no version", line!("POST /run\r\n"), RefusedLast(400), "9112 §3"),
    case("HTTP/1.0", "POST /run HTTP/1.0\r\n\r\n", RanLast("{}"), "9112 §9.3"),
    case("HTTP/1.0, kept", "POST /run HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", Ran("{}"), "9112 §9.3"),
    case("HTTP/1.2", line!("POST /run HTTP/1.2\r\n"), Ran("{}"), "9110 §2.5"),
    case("HTTP/0.9", line!("POST /run HTTP/0.9\r\n"), RefusedLast(505), "9110 §15.6.6"),
    case("HTTP/2.0", line!("POST /run HTTP/2.0\r\n"), RefusedLast(505), "9110 §15.6.6"),
    case("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", RefusedLast(505), "9113 §3.4"),
    case("version with two digits", line!("POST /run HTTP/1.10\r\n"), RefusedLast(400), "9112 §2.3"),
    case("version without a point", line!("POST /run HTTP/11\r\n"), RefusedLast(400), "9112 §2.3"),
    case("version in lower case", line!("POST /run http/1.1\r\n"), RefusedLast(400), "9112 §2.3"),
    case("empty line before it", line!("\r\nPOST /run HTTP/1.1\r\n"), Ran("{}"), "9112 §2.2"),
    case("two empty lines before it", line!("\r\n\r\nPOST /run HTTP/1.1\r\n"), RefusedLast(400), "9112 §2.2"),
    case("bare LF before it", line!("\nPOST /run HTTP/1.1\r\n"), RefusedLast(400), "9112 §2.2"),
    case("line ends in LF", line!("POST /run HTTP/1.1\n"), RefusedLast(400), "9112 §2.2"),
    case("line ends in CR", line!("POST /run HTTP/1.1\r"), RefusedLast(400), "9112 §2.2"),
    case("line ends in CR CR LF", line!("POST /run HTTP/1.1\r\r\n"), RefusedLast(400), "9112 §2.2"),
    case("NUL in the target", line!("POST /run\0 HTTP/1.1\r\n"), RefusedLast(400), "9112 §3"),
    case("TLS", "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", RefusedLast(400), "9112 §3"),
    case("text", "hello\r\n\r\n", RefusedLast(400), "9112 §3"),
    // Field lines.
    case("field of no meaning", run!("X-Any: thing\r\n", ""), Ran("{}"), "9110 §5.1"),
    case("empty value", run!("X:\r\n", ""), Ran("{}"), "9110 §5.5"),
    case("value with tab and obs-text", run!("X: \ta\t\u{e9} \r\n", ""), Ran("{}"), "9110 §5.5"),
    case("names in any case", "POST /run HTTP/1.1\r\nhOST: a\r\nCONTENT-length: 2\r\n\r\n{}", Ran("{}"), "9110 §5.1"),
    case("all characters of a token", run!("!#$%&'*+-.^_`|~09AZaz: 1\r\n", ""), Ran("{}"), "9110 §5.6.2"),
    case("space before the colon", run!("Content-Length : 2\r\n", "{}"), RefusedLast(400), "9112 §5.1"),
    case("tab before the colon", run!("Content-Length\t: 2\r\n", "{}"), RefusedLast(400), "9112 §5.1"),
    case("space before the colon of another field", run!("X : 2\r\n", ""), RefusedLast(400), "9112 §5.1"),
    case("no colon", run!("Content-Length 2\r\n", "{}"), RefusedLast(400), "9112 §5"),
    case("empty name", run!(": 2\r\n", ""), RefusedLast(400), "9112 §5"),
    case("name with a parenthesis", run!("X(: 2\r\n", ""), RefusedLast(400), "9110 §5.6.2"),
    case("name beyond ASCII", run!("X\u{e9}: 2\r\n", ""), RefusedLast(400), "9110 §5.6.2"),
    case("name with NUL", run!("X\0: 2\r\n", ""), RefusedLast(400), "9110 §5.6.2"),
    case("folded with a space", run!("X: a\r\n b\r\n", ""), RefusedLast(400), "9112 §5.2"),
    case("folded with a tab", run!("X: a\r\n\tb\r\n", ""), RefusedLast(400), "9112 §5.2"),
    case("folded Content-Length", run!("Content-Length:\r\n 2\r\n", "{}"), RefusedLast(400), "9112 §5.2"),
    case("folded Transfer-Encoding", run!("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), RefusedLast(400), "9112 §5.2"),
    case("folded line of white space", run!("X: a\r\n \r\n", ""), RefusedLast(400), "9112 §5.2"),
    case("space before the first field", "POST /run HTTP/1.1\r\n Host: a\r\n\r\n", RefusedLast(400), "9112 §2.2"),
    case("bare CR in a value", run!("X: a\rb\r\n", ""), RefusedLast(400), "9110 §5.5"),
    case("bare CR behind a value", run!("X: a\r\r\n", ""), RefusedLast(400), "9112 §2.2"),
    case("bare LF between fields", run!("X: a\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), RefusedLast(400), "9112 §2.2"),
    case("bare LF ends the head", "POST /run HTTP/1.1\r\nHost: a\r\n\n", RefusedLast(400), "9112 §2.2"),
    case("LF LF ends the head", "POST /run HTTP/1.1\nHost: a\n\n", RefusedLast(400), "9112 §2.2"),
    case("NUL in a value", run!("X: a\0b\r\n", ""), RefusedLast(400), "9110 §5.5"),
    case("control character in a value", run!("X: a\x01b\r\n", ""), RefusedLast(400), "9110 §5.5"),
    case("backspace in a value", run!("X: a\x08b\r\n", ""), RefusedLast(400), "9110 §5.5"),
    case("DEL in a value", run!("X: a\x7fb\r\n", ""), RefusedLast(400), "9110 §5.5"),
    // Host.
    case("Host with a port", host!("Host: a:8080\r\n"), Ran("{}"), "9110 §7.2"),
    case("Host of IPv6", host!("Host: [::1]:8080\r\n"), Ran("{}"), "9110 §7.2"),
    case("Host that is empty", host!("Host:\r\n"), Ran("{}"), "9110 §7.2"),
    case("no Host", host!(""), RefusedLast(400), "9112 §3.2"),
    case("Host twice", host!("Host: a\r\nHost: a\r\n"), RefusedLast(400), "9112 §3.2"),
    case("Host twice in HTTP/1.0", "POST /run HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", RefusedLast(400), "9112 §3.2"),
    case("Host that is a list", host!("Host: a, b\r\n"), RefusedLast(400), "9112 §3.2"),
    case("Host with a space", host!("Host: a b\r\n"), RefusedLast(400), "9112 §3.2"),
    case("Host with a path", host!("Host: a/b\r\n"), RefusedLast(400), "9112 §3.2"),
    case("Host with user information", host!("Host: u@a\r\n"), RefusedLast(400), "9112 §3.2"),
    case("Host with a port of letters", host!("Host: a:b\r\n"), RefusedLast(400), "9112 §3.2"),
    case("Host with two ports", host!("Host: a:1:2\r\n"), RefusedLast(400), "9112 §3.2"),
    case("Host of IPv6 without its end", host!("Host: [::1\r\n"), RefusedLast(400), "9112 §3.2"),
    case("Host with a space before the colon", host!("Host : a\r\n"), RefusedLast(400), "9112 §5.1"),
    // Content-Length.
    case("no length", run!("", ""), Ran("{}"), "9112 §6.3"),
    case("length 0", run!("Content-Length: 0\r\n", ""), Ran("{}"), "9110 §8.6"),
    case("length", length!("13"), Ran("[1]"), "9110 §8.6"),
    case("length within white space", length!(" \t 13 \t "), Ran("[1]"), "9110 §5.5"),
    case("length with leading zeros", length!("00000000000000000000000000013"), Ran("[1]"), "9110 §8.6"),
    case("empty length", length!(""), RefusedLast(400), "9110 §8.6"),
    case("length with a plus", length!("+13"), RefusedLast(400), "9110 §8.6"),
    case("length with a minus", length!("-13"), RefusedLast(400), "9110 §8.6"),
    case("length minus zero", length!("-0"), RefusedLast(400), "9110 §8.6"),
    case("length in hexadecimal", length!("0xd"), RefusedLast(400), "9110 §8.6"),
    case("length in octal with a letter", length!("0o15"), RefusedLast(400), "9110 §8.6"),
    case("length with an exponent", length!("13e0"), RefusedLast(400), "9110 §8.6"),
    case("length with a point", length!("13.0"), RefusedLast(400), "9110 §8.6"),
    case("length with an underscore", length!("1_3"), RefusedLast(400), "9110 §8.6"),
    case("length with a space inside", length!("1 3"), RefusedLast(400), "9110 §8.6"),
    case("length in quotes", length!("\"13\""), RefusedLast(400), "9110 §8.6"),
    case("length in other digits", length!("\u{661}\u{663}"), RefusedLast(400), "9110 §8.6"),
    case("length with a vertical tab", length!("\x0b13"), RefusedLast(400), "9110 §5.5"),
    case("list of equal lengths", length!("13, 13"), RefusedLast(400), "9112 §6.3"),
    case("list of lengths", length!("13, 0"), RefusedLast(400), "9112 §6.3"),
    case("list with an empty element", length!("13,"), RefusedLast(400), "9112 §6.3"),
    case("equal lengths", length!("13\r\nContent-Length: 13"), RefusedLast(400), "9112 §6.3"),
    case("different lengths", length!("13\r\nContent-Length: 0"), RefusedLast(400), "9112 §6.3"),
    case("different lengths, names in another case", length!("0\r\ncontent-length: 13"), RefusedLast(400), "9112 §6.3"),
    case("length beyond 64 bits", length!("18446744073709551616"), RefusedLast(400), "9112 §6.3"),
    case("length that wraps to 13", length!("18446744073709551629"), RefusedLast(400), "9112 §6.3"),
    case("length of 64 bits", length!("18446744073709551615"), RefusedLast(413), "9110 §15.5.14"),
    case("length beyond the limit", length!("99999999999"), RefusedLast(413), "9110 §15.5.14"),
    case("body for a path that is not there", "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}", RefusedLast(404), "9112 §9.3"),
    case("body of GET", "GET /run HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}", RefusedLast(405), "9110 §9.3.1"),
    case("body that is no JSON", run!("Content-Length: 1\r\n", "{"), Refused(400), "9110 §15.5.1"),
    case("request within a body", run!("Content-Length: 42\r\n", "POST /run HTTP/1.1\r\nContent-Length: 0\r\n\r\n "), Refused(400), "9112 §6.2"),
    // Transfer-Encoding.
    case("chunked", chunks!("d\r\n{\"value\":[1]}\r\n0\r\n\r\n"), Ran("[1]"), "9112 §7.1"),
    case("chunked in another case", run!("tRANSFER-eNCODING:\tCHUNKED \r\n", "2\r\n{}\r\n0\r\n\r\n"), Ran("{}"), "9112 §7"),
    case("chunked, nothing", chunks!("0\r\n\r\n"), Ran("{}"), "9112 §7.1"),
    case("chunked and a length", run!("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), RefusedLast(400), "9112 §6.1"),
    case("chunked, then a length", run!("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), RefusedLast(400), "9112 §6.1"),
    case("chunked and length 0", run!("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), RefusedLast(400), "9112 §6.1"),
    case("identity and a length", run!("Content-Length: 2\r\nTransfer-Encoding: identity\r\n", "{}"), RefusedLast(400), "9112 §6.1"),
    case("chunked in HTTP/1.0", "POST /run HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", RefusedLast(400), "9112 §6.1"),
    case("identity", run!("Transfer-Encoding: identity\r\n", ""), RefusedLast(400), "9112 §6.3"),
    case("gzip", run!("Transfer-Encoding: gzip\r\n", ""), RefusedLast(400), "9112 §6.3"),
    case("empty coding", run!("Transfer-Encoding:\r\n", "0\r\n\r\n"), RefusedLast(400), "9112 §6.1"),
    case("gzip under chunked", run!("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), RefusedLast(501), "9112 §6.1"),
    case("gzip under chunked, in two fields", run!("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), RefusedLast(501), "9112 §6.1"),
    case("xchunked", run!("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), RefusedLast(400), "9112 §6.3"),
    case("chunked under gzip", run!("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"), RefusedLast(400), "9112 §6.3"),
    case("chunked under identity", run!("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"), RefusedLast(400), "9112 §6.3"),
    case("chunked twice", run!("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), RefusedLast(400), "9112 §7"),
    case("chunked in two fields", run!("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), RefusedLast(400), "9112 §7"),
    case("chunked in quotes", run!("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), RefusedLast(400), "9112 §7"),
    case("chunked with a parameter", run!("Transfer-Encoding: chunked;a=b\r\n", "0\r\n\r\n"), RefusedLast(400), "9112 §7.1"),
    case("chunked with a comma", run!("Transfer-Encoding: chunked,\r\n", "0\r\n\r\n"), RefusedLast(400), "9112 §6.1"),
    case("chunked with a vertical tab", run!("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"), RefusedLast(400), "9110 §5.5"),
    case("chunked with a space before the colon", run!("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), RefusedLast(400), "9112 §5.1"),
    case("chunked for a path that is not there", "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", RefusedLast(404), "9112 §9.3"),
    // Chunks.
    case("several chunks", chunks!("3\r\n{\"v\r\n8\r\nalue\":[1\r\n2\r\n]}\r\n0\r\n\r\n"), Ran("[1]"), "9112 §7.1"),
    case("size in capitals, with zeros", chunks!("000D\r\n{\"value\":[1]}\r\n000\r\n\r\n"), Ran("[1]"), "9112 §7.1"),
    case("content that looks like the end", chunks!("14\r\n{\"value\":\r\n0\r\n\r\n[1]}\r\n0\r\n\r\n"), Refused(400), "9112 §7.1"),
    case("extension", chunks!("2;a\r\n{}\r\n0;b=c;d=\"e;f\"\r\n\r\n"), Ran("{}"), "9112 §7.1.1"),
    case("extension after white space", chunks!("2 \t; a = b\r\n{}\r\n0\r\n\r\n"), Ran("{}"), "9112 §7.1.1"),
    case("extension with LF", chunks!("2;a\n{}\r\n0\r\n\r\n"), RefusedLast(400), "9112 §7.1.1"),
    case("extension with CR", chunks!("2;a\rb\r\n{}\r\n0\r\n\r\n"), RefusedLast(400), "9112 §7.1.1"),
    case("extension with NUL", chunks!("2;\0\r\n{}\r\n0\r\n\r\n"), RefusedLast(400), "9112 §7.1.1"),
    case("trailers", chunks!("2\r\n{}\r\n0\r\nA: b\r\nC:\r\n\r\n"), Ran("{}"), "9112 §7.1.2"),
    case("trailers that would frame", chunks!("2\r\n{}\r\n0\r\nContent-Length: 9\r\nTransfer-Encoding: x\r\n\r\n"), Ran("{}"), "9110 §6.5.1"),
    case("trailer that is folded", chunks!("0\r\nA: b\r\n c\r\n\r\n"), RefusedLast(400), "9112 §5.2"),
    case("trailer with a space before the colon", chunks!("0\r\nA : b\r\n\r\n"), RefusedLast(400), "9112 §5.1"),
    case("trailer without a colon", chunks!("0\r\nA\r\n\r\n"), RefusedLast(400), "9112 §5"),
    case("trailer with a bare LF", chunks!("0\r\nA: b\n\r\n"), RefusedLast(400), "9112 §2.2"),
    case("trailer with NUL", chunks!("0\r\nA: \0\r\n\r\n"), RefusedLast(400), "9110 §5.5"),
    case("end with a bare LF", chunks!("0\r\n\n"), RefusedLast(400), "9112 §7.1"),
    case("end with a bare CR", chunks!("0\r\n\rP"), RefusedLast(400), "9112 §7.1"),
    case("request where a trailer may be", chunks!("0\r\nPOST /run HTTP/1.1\r\n\r\n"), RefusedLast(400), "9112 §7.1.2"),
    case("no size", chunks!("\r\n{}\r\n0\r\n\r\n"), RefusedLast(400), "9112 §7.1"),
    case("no size, but an extension", chunks!(";a\r\n{}\r\n0\r\n\r\n"), RefusedLast(400), "9112 §7.1"),
    case("size with a prefix", chunks!("0x2\r\n{}\r\n0\r\n\r\n"), RefusedLast(400), "9112 §7.1"),
    case("size with a plus", chunks!("+2\r\n{}\r\n0\r\n\r\n"), RefusedLast(400), "9112 §7.1"),
    case("size with a minus", chunks!("-2\r\n{}\r\n0\r\n\r\n"), RefusedLast(400), "9112 §7.1"),
    case("size with an underscore", chunks!("0_2\r\n{}\r\n0\r\n\r\n"), RefusedLast(400), "9112 §7.1"),
    case("size with a point", chunks!("2.0\r\n{}\r\n0\r\n\r\n"), RefusedLast(400), "9112 §7.1"),
    case("size after a space", chunks!(" 2\r\n{}\r\n0\r\n\r\n"), RefusedLast(400), "9112 §7.1"),
    case("size before a space", chunks!("2 \r\n{}\r\n0\r\n\r\n"), RefusedLast(400), "9112 §7.1"),
    case("size with a letter", chunks!("2g\r\n{}\r\n0\r\n\r\n"), RefusedLast(400), "9112 §7.1"),
    case("size with LF", chunks!("2\n{}\r\n0\r\n\r\n"), RefusedLast(400), "9112 §7.1"),
    case("size with CR CR LF", chunks!("2\r\r\n{}\r\n0\r\n\r\n"), RefusedLast(400), "9112 §7.1"),
    case("size beyond 64 bits", chunks!("10000000000000002\r\n{}\r\n0\r\n\r\n"), RefusedLast(400), "9112 §7.1"),
    case("size of more digits than 64 bits have", chunks!("00000000000000002\r\n{}\r\n0\r\n\r\n"), RefusedLast(400), "9112 §7.1"),
    case("size of 64 bits", chunks!("ffffffffffffffff\r\n{}\r\n0\r\n\r\n"), RefusedLast(413), "9110 §15.5.14"),
    case("sum of sizes beyond 64 bits", chunks!("2\r\n{}\r\nffffffffffffffff\r\n{}\r\n0\r\n\r\n"), RefusedLast(413), "9110 §15.5.14"),
    case("size that is too small", chunks!("1\r\n{}\r\n0\r\n\r\n"), RefusedLast(400), "9112 §7.1"),
    case("size that is too great", chunks!("3\r\n{}\r\n0\r\n\r\n"), RefusedLast(400), "9112 §7.1"),
    case("no CR LF behind the content", chunks!("2\r\n{}0\r\n\r\n"), RefusedLast(400), "9112 §7.1"),
    case("LF behind the content", chunks!("2\r\n{}\n0\r\n\r\n"), RefusedLast(400), "9112 §7.1"),
    case("CR behind the content", chunks!("2\r\n{}\r0\r\n\r\n"), RefusedLast(400), "9112 §7.1"),
    case("two characters behind the content", chunks!("2\r\n{}XX0\r\n\r\n"), RefusedLast(400), "9112 §7.1"),
    // Connection, Expect.
    case("close", run!("Connection: close\r\n", ""), RanLast("{}"), "9112 §9.6"),
    case("close among others", run!("Connection: x, Close ,y\r\n", ""), RanLast("{}"), "9112 §9.6"),
    case("close in a second field", run!("Connection: keep-alive\r\nConnection: close\r\n", ""), RanLast("{}"), "9112 §9.6"),
    case("closed is not close", run!("Connection: closed\r\n", ""), Ran("{}"), "9112 §9.6"),
    case("Content-Length as an option of the connection", run!("Connection: Content-Length\r\nContent-Length: 2\r\n", "{}"), Ran("{}"), "9110 §7.6.1"),
    case("upgrade", run!("Connection: Upgrade\r\nUpgrade: h2c\r\n", ""), Ran("{}"), "9110 §7.8"),
    case("100-continue", run!("Expect: 100-Continue\r\nContent-Length: 2\r\n", "{}"), Ran("{}"), "9110 §10.1.1"),
    case("100-continue, chunked", run!("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n"), Ran("{}"), "9110 §10.1.1"),
    case("100-continue, too long", run!("Expect: 100-continue\r\nContent-Length: 99999999999\r\n", ""), RefusedLast(413), "9110 §10.1.1"),
    case("100-continue for a path that is not there", "POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n", RefusedLast(404), "9110 §10.1.1"),
    case("another expectation", run!("Expect: 200-ok\r\n", ""), RefusedLast(417), "9110 §10.1.1"),
    case("100-continue and another expectation", run!("Expect: 100-continue, x\r\n", ""), RefusedLast(417), "9110 §10.1.1"),
    case("empty expectation", run!("Expect:\r\n", ""), RefusedLast(417), "9110 §10.1.1"),
    case("expectation in HTTP/1.0", "POST /run HTTP/1.0\r\nExpect: x\r\n\r\n", RanLast("{}"), "9110 §10.1.1"),
];

/// What is too long for a head of at most so many bytes, and what is just not.
pub fn long_cases(head_max_bytes: usize) -> Vec<(&'static str, String, Verdict, &'static str)> {
    let fill =
        |start: &str, end: &str, len: usize| format!("{start}{}{end}", "x".repeat(len - start.len() - end.len()));
    let line = |len| fill("POST /run?", " HTTP/1.1\r\n", len);
    let fields = "Host: a\r\n\r\n";
    let head = |len| fill("POST /run HTTP/1.1\r\nHost: a\r\nX: ", "\r\n\r\n", len);
    let many = format!(
        "POST /run HTTP/1.1\r\nHost: a\r\n{}\r\n",
        "X: y\r\n".repeat(head_max_bytes / 6)
    );
    let chunked = |rest: &str| format!("POST /run HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{rest}");
    // Of extensions and trailers the same is taken whatever a head may have.
    let extras = |len| "x".repeat(len);
    const EXTRAS_MAX: usize = 8 * 1024;
    vec![
        (
            "line of the greatest length",
            line(head_max_bytes - fields.len()) + fields,
            Ran("{}"),
            "9112 §3",
        ),
        (
            "line that leaves no room",
            line(head_max_bytes - fields.len() + 1) + fields,
            RefusedLast(431),
            "6585 §5",
        ),
        (
            "line that is too long",
            line(head_max_bytes + 1) + fields,
            RefusedLast(414),
            "9110 §15.5.15",
        ),
        (
            "line without an end",
            fill("POST /", "", head_max_bytes),
            RefusedLast(414),
            "9110 §15.5.15",
        ),
        (
            "empty line and one without an end",
            fill("\r\nPOST /", "", head_max_bytes),
            RefusedLast(414),
            "9110 §15.5.15",
        ),
        (
            "fields of the greatest length",
            head(head_max_bytes),
            Ran("{}"),
            "6585 §5",
        ),
        (
            "fields that are too long",
            head(head_max_bytes + 1),
            RefusedLast(431),
            "6585 §5",
        ),
        (
            "field without an end",
            fill("POST /run HTTP/1.1\r\nX: ", "", head_max_bytes),
            RefusedLast(431),
            "6585 §5",
        ),
        ("fields that are too many", many, RefusedLast(431), "6585 §5"),
        (
            "extension of the greatest length",
            chunked(&format!("2;{}\r\n{{}}\r\n0\r\n\r\n", extras(EXTRAS_MAX - 1))),
            Ran("{}"),
            "9112 §7.1.1",
        ),
        (
            "extension that is too long",
            chunked(&format!("2;{}\r\n{{}}\r\n0\r\n\r\n", extras(EXTRAS_MAX))),
            RefusedLast(431),
            "9112 §7.1.1",
        ),
        (
            "extensions that are too many",
            chunked(&("1;xxxxxxx\r\n \r\n".repeat(EXTRAS_MAX / 8 + 1) + "0\r\n\r\n")),
            RefusedLast(431),
            "9112 §7.1.1",
        ),
        (
            "trailer of the greatest length",
            chunked(&format!("0\r\nA:{}\r\n\r\n", extras(EXTRAS_MAX - 2))),
            Ran("{}"),
            "6585 §5",
        ),
        (
            "trailer that is too long",
            chunked(&format!("0\r\nA:{}\r\n\r\n", extras(EXTRAS_MAX - 1))),
            RefusedLast(431),
            "6585 §5",
        ),
    ]
}
