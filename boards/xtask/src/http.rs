//! As much of an HTTP client as the demo needs: one request, one reply with a Content-Length.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// A reply.
pub struct Reply {
    pub status: u16,
    pub body: String,
}

/// A connection that is kept.
pub struct Connection(TcpStream);

impl Connection {
    pub fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("nobody listens on {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Connection(stream))
    }

    /// Send `body` to `path`.
    pub fn send(&mut self, path: &str, body: &str) -> Result<()> {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Ok(self.0.write_all(request.as_bytes())?)
    }

    /// Send `body` to `path` and wait for the reply.
    pub fn post(&mut self, path: &str, body: &str) -> Result<Reply> {
        self.send(path, body)?;
        self.receive()
    }

    /// Ask for `path` and wait for the reply.
    pub fn get(&mut self, path: &str) -> Result<Reply> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        self.0.write_all(request.as_bytes())?;
        self.receive()
    }

    fn receive(&mut self) -> Result<Reply> {
        let mut bytes = Vec::new();
        let mut chunk = [0; 16 * 1024];
        loop {
            let read = self.0.read(&mut chunk)?;
            bytes.extend_from_slice(chunk.get(..read).unwrap_or_default());
            if let Some(reply) = parse(&bytes)? {
                return Ok(reply);
            }
            if read == 0 {
                bail!("the connection ended in the middle of a reply");
            }
        }
    }
}

/// The reply, if it has arrived whole.
fn parse(bytes: &[u8]) -> Result<Option<Reply>> {
    let Some(head_len) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let (head, rest) = bytes.split_at(head_len);
    let head = std::str::from_utf8(head).context("the reply's head is not text")?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .context("the reply has no status")?;
    let length: usize = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, length)| length.trim().parse().ok())
        .context("the reply has no Content-Length")?;
    let body = rest.get(4..4 + length);
    Ok(body.map(|body| Reply {
        status,
        body: String::from_utf8_lossy(body).into_owned(),
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_reply_is_whole_or_not() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        for end in 0..text.len() {
            assert!(parse(&text[..end]).unwrap().is_none());
        }
        let reply = parse(text).unwrap().unwrap();
        assert_eq!((reply.status, reply.body.as_str()), (200, "{}"));
        assert!(parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
