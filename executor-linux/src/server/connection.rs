//! One client's connection as `embedded_io` sees it.
//!
//! What enters: a connected, blocking socket whose `SO_RCVTIMEO` and `SO_SNDTIMEO` are [`LINGER`]. Reads go straight into the
//! caller's buffer. Writes are collected, so that a reply leaves in one system call: a short one in one `send`, a long one in
//! one `sendmsg` that takes head and body from where they lie.
//!
//! | wait for | at most | plus, a second for |
//! | --- | --- | --- |
//! | the rest of a request | [`REQUEST_WAIT`] | each [`BYTES_PER_SECOND_MIN`] of it that has come |
//! | room for a reply | [`REPLY_WAIT`] | each [`REPLY_BYTES_PER_SECOND_MIN`] that has left since |
//! | the end of a refused request | [`DISCARD_WAIT`] | |
//!
//! The first wait is a short one in `recv` or `send` itself. For more, or if others wait for many already, the worker needs a
//! seat in the [`WaitingRoom`], which it may lose to another's client: to be slow is no way to hold workers. A client that
//! sends more than [`BYTES_PER_SECOND_FAST`] is not waited for in that sense.
//!
//! Invariants: no read and no write waits for ever, however slowly the client moves; a request that arrives at once, with a
//! reply that fits into the socket's buffer, costs no look at the clock, no lock, and no system call but one to receive and
//! one to send.

use std::io::IoSlice;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use embedded_io::ErrorKind;
use executor_core::spans::{Part, enter};
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown};

use super::activity::Activity;
use super::listening::LINGER;
use super::waiting_room::{Bell, WaitingRoom};

/// A request must have come within this time, plus one second for each [`BYTES_PER_SECOND_MIN`] of it.
const REQUEST_WAIT: Duration = Duration::from_secs(10);

/// The slowest client that is served: 64 MiB in 266 s.
const BYTES_PER_SECOND_MIN: usize = 256 * 1024;

/// Who sends at least so much does not wait for a seat: that is work, not waiting.
const BYTES_PER_SECOND_FAST: usize = 4 * 1024 * 1024;

/// A reply must have left within this time after the socket's buffer was full, plus one second for each
/// [`REPLY_BYTES_PER_SECOND_MIN`] of it.
const REPLY_WAIT: Duration = Duration::from_secs(10);

/// The slowest client that gets a long reply: 1 MiB in 42 s.
const REPLY_BYTES_PER_SECOND_MIN: usize = 32 * 1024;

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
    /// Where this worker waits for more than that.
    room: &'a WaitingRoom,
    /// How this worker is called from there.
    bell: &'a Bell,
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
    /// When the reply was found too long for the socket's buffer, and what has left since.
    blocked_since: Option<Instant>,
    unblocked_bytes: usize,
    outbox_len: usize,
    outbox: [u8; OUTBOX_BYTES],
}

impl<'a> Connection<'a> {
    /// Take a connected socket.
    pub fn new(
        socket: Arc<OwnedFd>,
        activity: &'a Activity,
        lingering: &'a AtomicUsize,
        room: &'a WaitingRoom,
        bell: &'a Bell,
    ) -> Self {
        Connection {
            socket,
            activity,
            lingering,
            room,
            bell,
            hurried: false,
            begun: false,
            quiet: false,
            ended: false,
            received_bytes: 0,
            incomplete_since: None,
            blocked_since: None,
            unblocked_bytes: 0,
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
        self.unblocked_bytes = 0;
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
        // Most clients close when they have the reply, if not before.
        let flags = if self.room.is_full() {
            RecvFlags::DONTWAIT
        } else {
            RecvFlags::empty()
        };
        match rustix::net::recv(&self.socket, &mut self.outbox, flags) {
            Ok((len, _)) if len > 0 => {}
            Err(Errno::AGAIN | Errno::INTR) => {}
            Ok(_) | Err(_) => return,
        }
        let Some(seat) = self.room.take(self.bell, &self.socket, Instant::now() + DISCARD_WAIT) else {
            return;
        };
        while !seat.is_lost() {
            match rustix::net::recv(&self.socket, &mut self.outbox, RecvFlags::DONTWAIT) {
                Err(Errno::AGAIN) => {
                    if seat.wait(&self.socket, PollFlags::IN).is_err() {
                        return;
                    }
                }
                Ok((len, _)) if len > 0 => {}
                Err(Errno::INTR) => {}
                Ok(_) | Err(_) => return,
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
        let fast = LINGER.saturating_add(time_for(self.received_bytes, BYTES_PER_SECOND_FAST));
        let wait = REQUEST_WAIT.saturating_add(time_for(self.received_bytes, BYTES_PER_SECOND_MIN));
        loop {
            let elapsed = since.elapsed();
            if elapsed >= wait {
                return Err(Errno::TIMEDOUT);
            }
            let is_slow = elapsed >= fast || self.room.is_full();
            let flags = if is_slow {
                RecvFlags::DONTWAIT
            } else {
                RecvFlags::empty()
            };
            match retry(|| rustix::net::recv(&self.socket, &mut *buffer, flags)) {
                Err(Errno::AGAIN) if is_slow => self.wait(PollFlags::IN, since + wait)?,
                Err(Errno::AGAIN) => {}
                other => return other.map(|(len, _)| len),
            }
        }
    }

    /// Wait in the waiting room.
    fn wait(&self, events: PollFlags, deadline: Instant) -> Result<(), Errno> {
        let seat = self.room.take(self.bell, &self.socket, deadline);
        seat.ok_or(Errno::TIMEDOUT)?.wait(&self.socket, events)
    }

    /// Send the outbox and `more`, whole. If that fails, nothing more can be sent.
    fn send_all(&mut self, more: &[u8]) -> Result<(), Errno> {
        let sent = self.send_parts(more);
        self.ended |= sent.is_err();
        sent
    }

    fn send_parts(&mut self, more: &[u8]) -> Result<(), Errno> {
        let _span = enter(Part::Socket);
        let mut head = self.outbox.get(..self.outbox_len).unwrap_or_default();
        let mut body = more;
        self.outbox_len = 0;
        while !(head.is_empty() && body.is_empty()) {
            // The first one waits for a moment: there is room soon if the client reads.
            let flags = match self.blocked_since {
                Some(_) => SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
                None => SendFlags::NOSIGNAL,
            };
            let sent = retry(|| match (head, body) {
                (one, []) | ([], one) => rustix::net::send(&self.socket, one, flags),
                _ => {
                    let slices = [IoSlice::new(head), IoSlice::new(body)];
                    rustix::net::sendmsg(&self.socket, &slices, &mut SendAncillaryBuffer::default(), flags)
                }
            });
            let sent = match sent {
                Err(Errno::AGAIN) => 0,
                Ok(sent) => sent,
                Err(error) => return Err(error),
            };
            let of_head = sent.min(head.len());
            head = head.get(of_head..).unwrap_or_default();
            body = body.get(sent - of_head..).unwrap_or_default();
            if !(head.is_empty() && body.is_empty()) {
                if self.blocked_since.is_some() {
                    self.unblocked_bytes += sent;
                }
                let since = *self.blocked_since.get_or_insert_with(Instant::now);
                let wait = REPLY_WAIT.saturating_add(time_for(self.unblocked_bytes, REPLY_BYTES_PER_SECOND_MIN));
                if since.elapsed() >= wait {
                    return Err(Errno::TIMEDOUT);
                }
                self.wait(PollFlags::OUT, since + wait)?;
            }
        }
        Ok(())
    }
}

/// The time that so many bytes take at this rate.
fn time_for(bytes: usize, bytes_per_second: usize) -> Duration {
    let milliseconds = bytes as u64 * 1000 / bytes_per_second as u64;
    Duration::from_millis(milliseconds)
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
        let span = enter(Part::Socket);
        let received = self.receive(buffer);
        span.end();
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
