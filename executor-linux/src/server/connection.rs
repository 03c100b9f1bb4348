//! One client's connection as `embedded_io` sees it.
//!
//! What enters: a connected, blocking socket whose `SO_RCVTIMEO` is [`LINGER`] and whose `SO_SNDTIMEO` is
//! [`SEND_WAIT`](super::listening::SEND_WAIT). Reads go straight into the caller's buffer. Writes are collected, so that a
//! reply leaves in one system call: a short one in one `send`, a long one in one `sendmsg` that takes head and body from
//! where they lie.
//!
//! Invariants: no read and no write waits for ever, however slowly the client moves; a request of usual size costs no
//! look at the clock.

use std::io::IoSlice;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use embedded_io::ErrorKind;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown};

use super::activity::Activity;

/// A request must have come within this time, plus one second for each [`BYTES_PER_SECOND_MIN`] of it.
const REQUEST_WAIT: Duration = Duration::from_secs(10);

/// The slowest client that is served: 64 MiB in 266 s.
const BYTES_PER_SECOND_MIN: usize = 256 * 1024;

/// A reply must have left within this time. The longest is 1 MiB.
const REPLY_WAIT: Duration = Duration::from_secs(30);

/// How long the rest of a refused request is read and thrown away. Closing a socket with unread bytes resets the
/// connection, which would take the reply from the client.
const DISCARD_WAIT: Duration = Duration::from_secs(2);

/// Room for a reply's head and a small body.
const OUTBOX_BYTES: usize = 2048;

/// Why a read or a write failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketError(Errno);

impl std::fmt::Display for SocketError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for SocketError {}

impl embedded_io::Error for SocketError {
    fn kind(&self) -> ErrorKind {
        match self.0 {
            Errno::AGAIN | Errno::TIMEDOUT => ErrorKind::TimedOut,
            Errno::CONNRESET => ErrorKind::ConnectionReset,
            Errno::PIPE => ErrorKind::BrokenPipe,
            Errno::NOTCONN => ErrorKind::NotConnected,
            _ => ErrorKind::Other,
        }
    }
}

/// A connection in a worker's hands.
#[derive(Debug)]
pub struct Connection<'a> {
    socket: Arc<OwnedFd>,
    activity: &'a Activity,
    /// Counts workers that wait for a request's first byte.
    lingering: &'a AtomicUsize,
    /// Do not wait for a request's first byte.
    hurried: bool,
    /// The current request's first byte has come.
    begun: bool,
    /// No byte of a request has come in the time that a worker waits.
    quiet: bool,
    /// The client has closed, or the connection has failed.
    ended: bool,
    received_bytes: usize,
    /// When the request was found incomplete.
    incomplete_since: Option<Instant>,
    /// When the reply was found too long for the socket's buffer.
    blocked_since: Option<Instant>,
    outbox_len: usize,
    outbox: [u8; OUTBOX_BYTES],
}

impl<'a> Connection<'a> {
    /// Take a connected socket.
    pub fn new(socket: Arc<OwnedFd>, activity: &'a Activity, lingering: &'a AtomicUsize) -> Self {
        Connection {
            socket,
            activity,
            lingering,
            hurried: false,
            begun: false,
            quiet: false,
            ended: false,
            received_bytes: 0,
            incomplete_since: None,
            blocked_since: None,
            outbox_len: 0,
            outbox: [0; OUTBOX_BYTES],
        }
    }

    /// A request is awaited. `hurried`: if none has begun to come, say so at once. `begun`: its first bytes have been read
    /// together with the last request.
    pub fn begin_request(&mut self, hurried: bool, begun: bool) {
        self.hurried = hurried;
        self.quiet = false;
        self.received_bytes = 0;
        self.incomplete_since = None;
        self.blocked_since = None;
        if begun {
            self.count();
        }
    }

    /// The request has been served, or given up.
    pub fn end_request(&mut self) {
        // A failure shows at the next read.
        let _ = self.send_all(&[]);
        if self.begun {
            self.begun = false;
            self.activity.end();
        }
    }

    /// The client sent nothing at all: the connection may be parked.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Keep the connection open, in no worker's hands.
    pub fn into_socket(self) -> Arc<OwnedFd> {
        self.socket
    }

    /// The socket, for whoever looks whether the client is still there.
    pub fn socket(&self) -> Arc<OwnedFd> {
        self.socket.clone()
    }

    /// Close without taking the reply from a client that is still sending.
    pub fn close(mut self) {
        if self.ended || rustix::net::shutdown(&self.socket, Shutdown::Write).is_err() {
            return;
        }
        let since = Instant::now();
        while since.elapsed() < DISCARD_WAIT {
            match rustix::net::recv(&self.socket, &mut self.outbox, RecvFlags::empty()) {
                Ok((_, 0)) => return,
                Ok(_) | Err(Errno::AGAIN | Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }

    fn count(&mut self) {
        if !self.begun {
            self.begun = true;
            self.activity.begin();
        }
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, Errno> {
        if self.begun {
            return self.receive_rest(buffer);
        }
        let flags = if self.hurried {
            RecvFlags::DONTWAIT
        } else {
            RecvFlags::empty()
        };
        self.lingering.fetch_add(1, Ordering::Relaxed);
        let received = retry(|| rustix::net::recv(&self.socket, &mut *buffer, flags));
        self.lingering.fetch_sub(1, Ordering::Relaxed);
        match received {
            Ok((len, _)) if len > 0 => self.count(),
            Err(Errno::AGAIN) => self.quiet = true,
            _ => {}
        }
        received.map(|(len, _)| len)
    }

    fn receive_rest(&mut self, buffer: &mut [u8]) -> Result<usize, Errno> {
        let since = *self.incomplete_since.get_or_insert_with(Instant::now);
        let seconds = u64::try_from(self.received_bytes / BYTES_PER_SECOND_MIN).unwrap_or(u64::MAX);
        let wait = REQUEST_WAIT.saturating_add(Duration::from_secs(seconds));
        loop {
            let left = wait.checked_sub(since.elapsed()).ok_or(Errno::TIMEDOUT)?;
            match retry(|| rustix::net::recv(&self.socket, &mut *buffer, RecvFlags::empty())) {
                // It did not come at once: sleep until it comes.
                Err(Errno::AGAIN) => {
                    let left = Timespec::try_from(left).map_err(|_| Errno::INVAL)?;
                    match poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&left)) {
                        Ok(_) | Err(Errno::INTR) => {}
                        Err(error) => return Err(error),
                    }
                }
                other => return other.map(|(len, _)| len),
            }
        }
    }

    /// Send the outbox and `more`, whole.
    fn send_all(&mut self, more: &[u8]) -> Result<(), Errno> {
        let mut head = self.outbox.get(..self.outbox_len).unwrap_or_default();
        let mut body = more;
        self.outbox_len = 0;
        while !(head.is_empty() && body.is_empty()) {
            let slices = [IoSlice::new(head), IoSlice::new(body)];
            let sent = match retry(|| {
                rustix::net::sendmsg(
                    &self.socket,
                    &slices,
                    &mut SendAncillaryBuffer::default(),
                    SendFlags::NOSIGNAL,
                )
            }) {
                Ok(sent) => sent,
                Err(error) => {
                    self.ended = true;
                    return Err(error);
                }
            };
            let of_head = sent.min(head.len());
            head = head.get(of_head..).unwrap_or_default();
            body = body.get(sent - of_head..).unwrap_or_default();
            if !body.is_empty() && self.blocked_since.get_or_insert_with(Instant::now).elapsed() > REPLY_WAIT {
                self.ended = true;
                return Err(Errno::TIMEDOUT);
            }
        }
        Ok(())
    }
}

fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}

impl embedded_io::ErrorType for Connection<'_> {
    type Error = SocketError;
}

impl embedded_io::Read for Connection<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, SocketError> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let received = self.receive(buffer);
        match received {
            Ok(len) if len > 0 => self.received_bytes = self.received_bytes.saturating_add(len),
            _ => self.ended = !self.quiet && received != Err(Errno::TIMEDOUT),
        }
        received.map_err(SocketError)
    }
}

impl embedded_io::Write for Connection<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, SocketError> {
        match self
            .outbox
            .get_mut(self.outbox_len..)
            .and_then(|room| room.get_mut(..bytes.len()))
        {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.outbox_len += bytes.len();
            }
            None => self.send_all(bytes).map_err(SocketError)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), SocketError> {
        self.send_all(&[]).map_err(SocketError)
    }
}

#[cfg(test)]
mod tests;
