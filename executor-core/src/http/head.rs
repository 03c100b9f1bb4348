//! The head of a request: request line and fields.
//!
//! **Takes** the bytes that have come so far. **Gives** a [`Head`] that borrows them, [`Status::Partial`] if more must come,
//! or a [`HeadError`] as soon as a line is complete that cannot be right.
//!
//! **Source.** RFC 9112 §2.2 (lines), §3 (request line), §5 (fields), §6 (framing), §9.3 (persistence); RFC 9110 §5.6.2
//! (tokens), §8.6 (`Content-Length`), §10.1.1 (`Expect`).

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
    /// The body's length in bytes. RFC 9112 §6.3: without `Content-Length` a request has no body.
    pub body_len: u64,
    /// The body is in a transfer coding, so `body_len` does not tell its end.
    pub is_transfer_coded: bool,
    /// The client wants to send more requests on this connection.
    pub keep_alive: bool,
    /// The client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
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
    if !is_token(method.as_bytes()) || target.is_empty() || !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(HeadError::RequestLine);
    }
    let version = match version.as_bytes() {
        b"HTTP/1.0" => Version::Http10,
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1'..=b'9'] => Version::Http11,
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => return Err(HeadError::Version),
        _ => return Err(HeadError::RequestLine),
    };
    Ok((method, target, version))
}

/// The fields that matter, gathered line by line.
#[derive(Default)]
struct Fields {
    host_count: usize,
    content_length: Option<u64>,
    is_transfer_coded: bool,
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
            if !value
                .iter()
                .all(|&byte| byte.is_ascii_graphic() && !b"/?#@,\\".contains(&byte))
            {
                return Err(HeadError::Host);
            }
        } else if name.eq_ignore_ascii_case(b"content-length") {
            // Even a repetition of the same value is refused: someone in between may have seen only one of them.
            if self.content_length.replace(parse_length(value)?).is_some() {
                return Err(HeadError::ContentLength);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.is_transfer_coded = true;
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
        if self.is_transfer_coded && (self.content_length.is_some() || !is_current) {
            return Err(HeadError::Smuggling);
        }
        // RFC 9110 §10.1.1: a server ignores the expectation of an HTTP/1.0 client.
        if self.expects_other && is_current {
            return Err(HeadError::Expectation);
        }
        Ok(Framing {
            version,
            body_len: self.content_length.unwrap_or(0),
            is_transfer_coded: self.is_transfer_coded,
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
    !text.is_empty()
        && text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
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
            HeadError::Line
            | HeadError::RequestLine
            | HeadError::FieldName
            | HeadError::FieldValue
            | HeadError::Folded
            | HeadError::Host
            | HeadError::ContentLength
            | HeadError::Smuggling => StatusCode::BadRequest,
        }
    }
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HeadError::Line => "a line of the head does not end in CR LF, or has a NUL",
            HeadError::RequestLine => "malformed request line",
            HeadError::Version => "this server speaks HTTP/1.1",
            HeadError::FieldName => "malformed field name",
            HeadError::FieldValue => "control character in a field value",
            HeadError::Folded => "a field is continued on a second line",
            HeadError::Host => "a request needs exactly one valid Host field",
            HeadError::ContentLength => "malformed or repeated Content-Length",
            HeadError::Smuggling => "Transfer-Encoding must not come with Content-Length or in HTTP/1.0",
            HeadError::Expectation => "unknown expectation",
        })
    }
}

impl core::error::Error for HeadError {}
