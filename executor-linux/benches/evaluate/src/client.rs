//! The client that all systems are asked by: blocking, one `write` for a request, no work but the reply's length.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use memchr::memmem;

/// A connection that is kept.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What came back.
pub struct Reply<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

impl Reply<'_> {
    /// That it is a 200.
    pub fn expect(&self, what: &str) -> Result<()> {
        ensure!(
            self.status == 200,
            "{what} gave {}: {}",
            self.status,
            String::from_utf8_lossy(self.body)
        );
        Ok(())
    }
}

impl Connection {
    pub fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("nobody listens on {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Connection {
            stream,
            buffer: vec![0; 16 * 1024],
        })
    }

    /// Send a whole request, wait for the reply.
    pub fn exchange(&mut self, request: &[u8]) -> Result<Reply<'_>> {
        self.stream.write_all(request)?;
        let mut filled = 0;
        loop {
            if let Some((status, start, end)) = parse(self.buffer.get(..filled).unwrap_or_default())? {
                if end <= filled {
                    let body = self.buffer.get(start..end).unwrap_or_default();
                    return Ok(Reply { status, body });
                }
                if end > self.buffer.len() {
                    self.buffer.resize(end, 0);
                }
            }
            let read = self.stream.read(self.buffer.get_mut(filled..).unwrap_or_default())?;
            if read == 0 {
                bail!("the connection ended in the middle of a reply");
            }
            filled += read;
        }
    }
}

/// A whole request.
pub fn post(path: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// (status, where the body starts, where it ends), if the head is whole.
fn parse(bytes: &[u8]) -> Result<Option<(u16, usize, usize)>> {
    let Some(head_len) = memmem::find(bytes, b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(bytes.get(..head_len).unwrap_or_default()).context("the head is not text")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let len: Option<usize> = head
        .split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, len)| len.trim().parse().ok());
    let (status, len) = (
        status.context("the reply has no status")?,
        len.context("the reply has no Content-Length")?,
    );
    Ok(Some((status, head_len + 4, head_len + 4 + len)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails so")]
    use super::*;

    #[test]
    fn a_reply_is_whole_or_not() {
        let text = b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}";
        assert_eq!(parse(text).unwrap(), Some((404, text.len() - 2, text.len())));
        assert_eq!(parse(&text[..20]).unwrap(), None);
        assert!(parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err(), "its end would not be known");
    }
}
