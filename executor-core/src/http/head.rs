//! The head of a request: request line and fields.
//!
//! **Takes** the bytes that have come so far. **Gives** a [`Head`] that borrows them, [`Status::Partial`] if more must come,
//! or a [`HeadError`] as soon as a line is complete that cannot be right.
//!
//! Where a grammar leaves a choice, the strict reading is taken: two readers that disagree about where a request ends are how
//! one is smuggled past the other. `tests/conversation/http_cases.rs` lists the cases.
//!
//! **Source.** RFC 9112 §2.2 (lines), §3 (request line), §5 (fields), §6 (framing), §9.3 (persistence); RFC 9110 §5.6.2
//! (tokens), §7.2 (`Host`), §8.6 (`Content-Length`), §10.1.1 (`Expect`); RFC 3986 §3.2, §3.3 (what hosts and targets are
//! made of).

use core::fmt;

use super::StatusCode;

/// Whether there was enough to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status<T> {
    /// All of it.
    Complete(T),
    /// More bytes must come.
    Partial,
}

/// The head of a request: what a server of JSON over POST needs of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// The method, case-sensitive.
    pub method: &'a str,
    /// The request target as it was sent, never empty.
    pub target: &'a str,
    /// What follows the head.
    pub framing: Framing,
    /// The head's length, with the empty line that ends it.
    pub len: usize,
}

/// What follows the head of a request, and what the client expects next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    /// The protocol's version.
    pub version: Version,
    /// The body's length.
    pub body_length: BodyLength,
    /// The client wants to send more requests on this connection.
    pub keep_alive: bool,
    /// The client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
}

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// It has so many bytes. RFC 9112 §6.3: a request that says nothing has none.
    Bytes(u64),
    /// It comes in chunks, the last of which is empty.
    Chunked,
}

/// The versions that are spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1 (and later versions of HTTP/1, which a server treats as it)
    Http11,
}

/// Why a head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadError {
    /// A line does not end in CR LF, or has a CR, LF or NUL inside.
    Line,
    /// The request line is not `method SP request-target SP HTTP-version`.
    RequestLine,
    /// The request target has none of its four forms, or not that of the method.
    Target,
    /// Another protocol than HTTP/1.
    Version,
    /// A field line has no colon, or its name is no token: as with a space before the colon.
    FieldName,
    /// A field value has a control character.
    FieldValue,
    /// A field is continued on a second line.
    Folded,
    /// HTTP/1.1 without `Host`, or `Host` twice, or one that cannot be a host.
    Host,
    /// `Content-Length` is not one number, or is there twice.
    ContentLength,
    /// `Transfer-Encoding` with `Content-Length`, or in HTTP/1.0: readers would disagree about where the request ends.
    Smuggling,
    /// `Transfer-Encoding` does not end in `chunked`, has it twice, or is no list of codings.
    TransferEncoding,
    /// `Transfer-Encoding` names a coding that is not known here, under `chunked`.
    UnknownCoding,
    /// `Expect` asks for something else than `100-continue`.
    Expectation,
}

/// Read a head from the bytes that have come so far.
///
/// ```abnf
/// HTTP-message   = start-line CRLF *( field-line CRLF ) CRLF [ message-body ]
/// request-line   = method SP request-target SP HTTP-version
/// method         = token
/// HTTP-version   = "HTTP/" DIGIT "." DIGIT
/// field-line     = field-name ":" OWS field-value OWS
/// field-name     = token
/// field-value    = *( %x21-7E / obs-text / SP / HTAB )
/// OWS            = *( SP / HTAB )
/// Content-Length = 1*DIGIT
/// ```
///
/// RFC 9112 §2.2 lets a recipient take a bare LF for a line's end and asks it to skip an empty line before the request
/// line. The first is not done here, as it hides requests in requests; the second is.
///
/// # Errors
/// [`HeadError`]; the connection cannot be used any more, for nobody knows where the next request starts.
pub fn parse_head(bytes: &[u8]) -> Result<Status<Head<'_>>, HeadError> {
    let mut lines = Lines { bytes, at: 0 };
    let mut request_line = match lines.next_line()? {
        Some(line) => line,
        None => return Ok(Status::Partial),
    };
    if request_line.is_empty() {
        request_line = match lines.next_line()? {
            Some(line) => line,
            None => return Ok(Status::Partial),
        };
    }
    let (method, target, version) = parse_request_line(request_line)?;
    let mut fields = Fields::default();
    loop {
        match lines.next_line()? {
            None => return Ok(Status::Partial),
            Some([]) => break,
            Some(line) => fields.take(line)?,
        }
    }
    Ok(Status::Complete(Head {
        method,
        target,
        framing: fields.framing(version)?,
        len: lines.at,
    }))
}

/// The lines of a head, without their CR LF.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Lines<'a> {
    /// The next line; `None` if its end has not come.
    fn next_line(&mut self) -> Result<Option<&'a [u8]>, HeadError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(end) = memchr::memchr3(b'\r', b'\n', 0, rest) else {
            return Ok(None);
        };
        match (rest.get(end), rest.get(end + 1)) {
            (Some(b'\r'), Some(b'\n')) => {
                self.at += end + 2;
                Ok(rest.get(..end))
            }
            (Some(b'\r'), None) => Ok(None),
            _ => Err(HeadError::Line),
        }
    }
}

fn parse_request_line(line: &[u8]) -> Result<(&str, &str, Version), HeadError> {
    let text = core::str::from_utf8(line).map_err(|_| HeadError::RequestLine)?;
    let mut words = text.split(' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(HeadError::RequestLine);
    };
    if !is_token(method.as_bytes()) {
        return Err(HeadError::RequestLine);
    }
    let version = match version.as_bytes() {
        b"HTTP/1.0" => Version::Http10,
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1'..=b'9'] => Version::Http11,
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => return Err(HeadError::Version),
        _ => return Err(HeadError::RequestLine),
    };
    if !is_target(method, target) {
        return Err(HeadError::Target);
    }
    Ok((method, target, version))
}

/// ```abnf
/// request-target = origin-form / absolute-form / authority-form / asterisk-form
/// ```
///
/// RFC 9112 §3.2.3 and §3.2.4: the last two are for `CONNECT` and `OPTIONS` alone. Characters are those of a URI without
/// its fragment (RFC 3986 appendix A); that each `%` begins an octet is not checked, as nothing is decoded here.
fn is_target(method: &str, target: &str) -> bool {
    let is_of_uri = |byte: u8| byte.is_ascii_graphic() && !b"\"#<>\\^`{|}".contains(&byte);
    if !target.bytes().all(is_of_uri) {
        return false;
    }
    match after_scheme(target) {
        _ if method == "CONNECT" => target
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && !port.is_empty() && is_host(target.as_bytes())),
        _ if target.starts_with('/') => true,
        Some((scheme, rest)) => {
            let authority = rest.split(['/', '?']).next().unwrap_or_default();
            (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
                && !authority.is_empty()
                && is_host(authority.as_bytes())
        }
        None => target == "*" && method == "OPTIONS",
    }
}

/// The scheme of a target in absolute form, and what follows it. (A search for text, as `split_once` makes it for a string,
/// is 4 KiB of code.)
pub(crate) fn after_scheme(target: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = target.split_once(':')?;
    Some((scheme, rest.strip_prefix("//")?))
}

/// ```abnf
/// Host       = uri-host [ ":" port ]
/// uri-host   = IP-literal / IPv4address / reg-name
/// IP-literal = "[" ( IPv6address / IPvFuture ) "]"
/// ```
///
/// No commas, which a reg-name could have: a list of hosts is no host. An empty host is one (RFC 9110 §7.2).
fn is_host(value: &[u8]) -> bool {
    let name_len = match value {
        [b'[', literal @ ..] => match literal.iter().position(|&byte| byte == b']') {
            Some(end) if end > 0 => end + 2,
            _ => return false,
        },
        _ => value.iter().position(|&byte| byte == b':').unwrap_or(value.len()),
    };
    let (name, port) = value.split_at_checked(name_len).unwrap_or_default();
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=".contains(byte);
    let name_is_right = match name {
        [b'[', address @ .., b']'] => address.iter().all(|byte| *byte == b':' || is_of_name(byte)),
        _ => name.iter().all(is_of_name),
    };
    name_is_right
        && match port {
            [] => true,
            [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
            _ => false,
        }
}

/// What the `Transfer-Encoding` fields have said so far.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Codings {
    /// Nothing.
    #[default]
    None,
    /// `chunked`
    Chunked,
    /// Others.
    Other,
    /// Others, and `chunked` over them.
    OtherChunked,
    /// What cannot be right.
    Malformed,
}

impl Codings {
    /// Take the next coding.
    ///
    /// ```abnf
    /// Transfer-Encoding = #transfer-coding
    /// transfer-coding   = token *( OWS ";" OWS transfer-parameter )
    /// ```
    fn then(self, coding: &[u8]) -> Self {
        let is_chunked = coding.eq_ignore_ascii_case(b"chunked");
        let name = coding.split(|&byte| byte == b';').next().unwrap_or_default();
        let name = trim_whitespace(name);
        match self {
            // RFC 9112 §7: parameters of `chunked` should be treated as an error.
            _ if !is_token(name) || (name.eq_ignore_ascii_case(b"chunked") && !is_chunked) => Codings::Malformed,
            Codings::None if is_chunked => Codings::Chunked,
            Codings::Other if is_chunked => Codings::OtherChunked,
            Codings::None | Codings::Other => Codings::Other,
            // `chunked` must be the last, and must not be there twice.
            Codings::Chunked | Codings::OtherChunked | Codings::Malformed => Codings::Malformed,
        }
    }
}

/// The fields that matter, gathered line by line.
#[derive(Default)]
struct Fields {
    host_count: usize,
    content_length: Option<u64>,
    codings: Codings,
    wants_close: bool,
    wants_keep_alive: bool,
    expects_continue: bool,
    expects_other: bool,
}

impl Fields {
    fn take(&mut self, line: &[u8]) -> Result<(), HeadError> {
        if let Some(b' ' | b'\t') = line.first() {
            return Err(HeadError::Folded);
        }
        let colon = memchr::memchr(b':', line).ok_or(HeadError::FieldName)?;
        let (name, rest) = line.split_at_checked(colon).ok_or(HeadError::FieldName)?;
        if !is_token(name) {
            return Err(HeadError::FieldName);
        }
        let value = trim_whitespace(rest.get(1..).unwrap_or_default());
        if value.iter().any(|&byte| byte != b'\t' && byte.is_ascii_control()) {
            return Err(HeadError::FieldValue);
        }
        if name.eq_ignore_ascii_case(b"host") {
            self.host_count += 1;
            if !is_host(value) {
                return Err(HeadError::Host);
            }
        } else if name.eq_ignore_ascii_case(b"content-length") {
            // Even a repetition of the same value is refused: someone in between may have seen only one of them.
            if self.content_length.replace(parse_length(value)?).is_some() {
                return Err(HeadError::ContentLength);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            for coding in value.split(|&byte| byte == b',').map(trim_whitespace) {
                self.codings = self.codings.then(coding);
            }
        } else if name.eq_ignore_ascii_case(b"connection") {
            for option in value.split(|&byte| byte == b',').map(trim_whitespace) {
                self.wants_close |= option.eq_ignore_ascii_case(b"close");
                self.wants_keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            }
        } else if name.eq_ignore_ascii_case(b"expect") {
            let is_continue = value.eq_ignore_ascii_case(b"100-continue");
            self.expects_continue |= is_continue;
            self.expects_other |= !is_continue;
        }
        Ok(())
    }

    fn framing(&self, version: Version) -> Result<Framing, HeadError> {
        let is_current = version == Version::Http11;
        if self.host_count > 1 || (is_current && self.host_count == 0) {
            return Err(HeadError::Host);
        }
        let body_length = match (self.codings, self.content_length) {
            (Codings::None, length) => BodyLength::Bytes(length.unwrap_or(0)),
            // RFC 9112 §6.1: such a message may be an attempt at smuggling, and the connection must be closed.
            (_, Some(_)) => return Err(HeadError::Smuggling),
            _ if !is_current => return Err(HeadError::Smuggling),
            (Codings::Chunked, None) => BodyLength::Chunked,
            // RFC 9112 §6.1: 501 for a coding that is not understood; §6.3: 400 if nobody can tell where the body ends.
            (Codings::OtherChunked, None) => return Err(HeadError::UnknownCoding),
            (Codings::Other | Codings::Malformed, None) => return Err(HeadError::TransferEncoding),
        };
        // RFC 9110 §10.1.1: a server ignores the expectation of an HTTP/1.0 client.
        if self.expects_other && is_current {
            return Err(HeadError::Expectation);
        }
        Ok(Framing {
            version,
            body_length,
            keep_alive: !self.wants_close && (is_current || self.wants_keep_alive),
            expects_continue: self.expects_continue && is_current,
        })
    }
}

/// `Content-Length = 1*DIGIT`: no sign, no space, no list, no overflow.
fn parse_length(value: &[u8]) -> Result<u64, HeadError> {
    if value.is_empty() {
        return Err(HeadError::ContentLength);
    }
    value.iter().try_fold(0_u64, |length, byte| {
        let digit = byte
            .checked_sub(b'0')
            .filter(|digit| *digit < 10)
            .ok_or(HeadError::ContentLength)?;
        length
            .checked_mul(10)
            .and_then(|tens| tens.checked_add(u64::from(digit)))
            .ok_or(HeadError::ContentLength)
    })
}

/// `token = 1*tchar`
fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().copied().all(is_token_byte)
}

/// `tchar`
pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn trim_whitespace(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

impl HeadError {
    /// The status that tells the client.
    pub fn status(self) -> StatusCode {
        match self {
            HeadError::Version => StatusCode::HttpVersionNotSupported,
            HeadError::Expectation => StatusCode::ExpectationFailed,
            HeadError::UnknownCoding => StatusCode::NotImplemented,
            HeadError::Line
            | HeadError::RequestLine
            | HeadError::Target
            | HeadError::FieldName
            | HeadError::FieldValue
            | HeadError::Folded
            | HeadError::Host
            | HeadError::ContentLength
            | HeadError::TransferEncoding
            | HeadError::Smuggling => StatusCode::BadRequest,
        }
    }
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HeadError::Line => "a line of the head does not end in CR LF, or has a NUL",
            HeadError::RequestLine => "malformed request line",
            HeadError::Target => "malformed request target",
            HeadError::Version => "this server speaks HTTP/1.1",
            HeadError::FieldName => "malformed field name",
            HeadError::FieldValue => "control character in a field value",
            HeadError::Folded => "a field is continued on a second line",
            HeadError::Host => "a request needs exactly one valid Host field",
            HeadError::ContentLength => "malformed or repeated Content-Length",
            HeadError::Smuggling => "Transfer-Encoding must not come with Content-Length or in HTTP/1.0",
            HeadError::TransferEncoding => "chunked must be the last transfer coding, once",
            HeadError::UnknownCoding => "chunked is the only transfer coding that is known here",
            HeadError::Expectation => "unknown expectation",
        })
    }
}

impl core::error::Error for HeadError {}
