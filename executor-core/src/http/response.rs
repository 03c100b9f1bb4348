//! Responses: a status, and a body of JSON in parts.
//!
//! **Takes** the parts where they lie. **Gives** bytes to the connection: a small response in one write, a large part without
//! a copy.
//!
//! **Source.** RFC 9112 §4 (status line), §9.3, §9.6 (`Connection`); RFC 9110 §15 (status codes), §10.2.1 (`Allow`).

use core::fmt::Write as _;

use embedded_io::Write;

/// The status codes that are sent from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are RFC 9110's")]
pub enum StatusCode {
    Ok,
    BadRequest,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    ContentTooLarge,
    UriTooLong,
    ExpectationFailed,
    TooManyRequests,
    RequestHeaderFieldsTooLarge,
    InternalServerError,
    NotImplemented,
    BadGateway,
    ServiceUnavailable,
    HttpVersionNotSupported,
}

impl StatusCode {
    /// The code.
    pub fn code(self) -> u16 {
        self.parts().0
    }

    /// The code and its reason phrase.
    fn parts(self) -> (u16, &'static str) {
        match self {
            StatusCode::Ok => (200, "OK"),
            StatusCode::BadRequest => (400, "Bad Request"),
            StatusCode::Forbidden => (403, "Forbidden"),
            StatusCode::NotFound => (404, "Not Found"),
            StatusCode::MethodNotAllowed => (405, "Method Not Allowed"),
            StatusCode::RequestTimeout => (408, "Request Timeout"),
            StatusCode::ContentTooLarge => (413, "Content Too Large"),
            StatusCode::UriTooLong => (414, "URI Too Long"),
            StatusCode::ExpectationFailed => (417, "Expectation Failed"),
            StatusCode::TooManyRequests => (429, "Too Many Requests"),
            StatusCode::RequestHeaderFieldsTooLarge => (431, "Request Header Fields Too Large"),
            StatusCode::InternalServerError => (500, "Internal Server Error"),
            StatusCode::NotImplemented => (501, "Not Implemented"),
            StatusCode::BadGateway => (502, "Bad Gateway"),
            StatusCode::ServiceUnavailable => (503, "Service Unavailable"),
            StatusCode::HttpVersionNotSupported => (505, "HTTP Version Not Supported"),
        }
    }
}

/// What becomes of the connection, as the response tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// It stays open, as is usual in HTTP/1.1.
    Open,
    /// It stays open, and the client is of HTTP/1.0 and has to be told.
    OpenExplicitly,
    /// It is closed.
    Close,
}

/// The longest head that [`write_response`] makes is shorter; a test says so.
const HEAD_BYTES: usize = 192;

/// Write a response of JSON whose body is `parts`, one after the other. `scratch` is any memory at hand: parts are
/// gathered there, so that a response which fits into it leaves in one write. A part that does not fit is written from
/// where it lies.
///
/// # Errors
/// What the connection says; it is of no more use.
pub fn write_response<C: Write>(
    connection: &mut C,
    scratch: &mut [u8],
    status: StatusCode,
    persistence: Persistence,
    parts: &[&[u8]],
) -> Result<(), C::Error> {
    let head = head(status, persistence, parts.iter().map(|part| part.len()).sum());
    let mut gathered = Gathered {
        buffer: scratch,
        len: 0,
        connection,
    };
    gathered.put(head.as_bytes())?;
    for part in parts {
        gathered.put(part)?;
    }
    gathered.flush()
}

fn head(status: StatusCode, persistence: Persistence, body_len: usize) -> heapless::String<HEAD_BYTES> {
    let (code, reason) = status.parts();
    // RFC 9110 §15.5.6: 405 must tell the methods that are allowed. All routes here have the same one.
    let allow = if status == StatusCode::MethodNotAllowed {
        "Allow: POST\r\n"
    } else {
        ""
    };
    let connection = match persistence {
        Persistence::Open => "",
        Persistence::OpenExplicitly => "Connection: keep-alive\r\n",
        Persistence::Close => "Connection: close\r\n",
    };
    let mut head = heapless::String::new();
    write!(
        head,
        "HTTP/1.1 {code} {reason}\r\nContent-Type: application/json\r\nContent-Length: {body_len}\r\n{allow}{connection}\r\n"
    )
    .expect("the longest of these parts sum up to less than the capacity");
    head
}

/// Small writes become one.
struct Gathered<'a, C> {
    connection: &'a mut C,
    buffer: &'a mut [u8],
    len: usize,
}

impl<C: Write> Gathered<'_, C> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), C::Error> {
        if bytes.len() > self.buffer.len() - self.len {
            self.send()?;
        }
        match self.buffer.get_mut(self.len..self.len + bytes.len()) {
            Some(into) => {
                into.copy_from_slice(bytes);
                self.len += bytes.len();
                Ok(())
            }
            None => self.connection.write_all(bytes),
        }
    }

    fn send(&mut self) -> Result<(), C::Error> {
        let gathered = self.buffer.get(..self.len).unwrap_or_default();
        self.len = 0;
        if gathered.is_empty() {
            Ok(())
        } else {
            self.connection.write_all(gathered)
        }
    }

    fn flush(&mut self) -> Result<(), C::Error> {
        self.send()?;
        self.connection.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_head_fits() {
        let longest = [StatusCode::RequestHeaderFieldsTooLarge, StatusCode::MethodNotAllowed]
            .map(|status| head(status, Persistence::OpenExplicitly, usize::MAX).len());
        assert!(longest.iter().all(|&len| len <= HEAD_BYTES), "{longest:?}");
    }
}
