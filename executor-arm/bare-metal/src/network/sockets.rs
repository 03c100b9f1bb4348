//! The sockets, and which of them has a request.
//!
//! | a socket | becomes |
//! | --- | --- |
//! | free | listening, on the port that has the fewest |
//! | listening | opening, when a client's first segment comes; then waiting, when the connection stands |
//! | waiting | served, when a request's head has come whole (or the buffer is full, or the client has sent all, or it is late) |
//! | served | waiting, for the client's next request; or closing |
//! | closing | free, when the client has closed, too, or does not in time |
//!
//! So a client that sends a head byte by byte keeps nobody waiting. A connection without a request is closed when its socket is
//! wanted: the one that has been idle for longest. A client's first segment is dropped while nobody listens, and comes again:
//! see [`super::Gate`].

use alloc::boxed::Box;
use alloc::vec::Vec;

use smoltcp::iface::{SocketHandle, SocketSet, SocketStorage};
use smoltcp::socket::tcp;
use smoltcp::time::Duration;

use super::Io;

/// What a client may send ahead. A head of the longest kind fits, and another segment: a sender waits long with what would fill a
/// window to its last byte.
const RECEIVE_BYTES: usize = 10 * 1024;
const SEND_BYTES: usize = 8 * 1024;

/// A head must have come whole within this time.
const HEAD_WAIT_US: u64 = 10_000_000;
/// A client that does not confirm its connection within this time loses it, if another wants the socket.
const OPENING_WAIT_US: u64 = 1_000_000;
/// A client that has closed its half, or was sent the end, has this time to do the rest.
const CLOSING_WAIT_US: u64 = 2_000_000;
/// A peer that does not acknowledge anything for so long is gone.
const PEER_TIMEOUT: Duration = Duration::from_secs(20);
/// A peer that is silent is asked so often whether it is there.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// What a connection was accepted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// The port of the one action.
    Action,
    /// The port of many.
    Control,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Listening,
    /// The client has still to say that the connection stands.
    Opening {
        since_us: u64,
    },
    /// Nothing has come since then.
    Idle {
        since_us: u64,
    },
    /// A part of a head has come.
    Incomplete {
        since_us: u64,
        looked_at: usize,
    },
    /// A head has come whole, or no more of it will.
    Ready {
        since_us: u64,
    },
    Served,
    Closing {
        since_us: u64,
    },
    Free,
}

impl State {
    fn is_opening_for(self, wait_us: u64, now_us: u64) -> bool {
        matches!(self, State::Opening { since_us } if now_us.saturating_sub(since_us) > wait_us)
    }
}

struct Slot {
    handle: SocketHandle,
    port: Port,
    state: State,
}

/// All of them.
pub struct Sockets {
    set: SocketSet<'static>,
    slots: Vec<Slot>,
    /// The numbers of the two ports.
    ports: [u16; 2],
    /// Where a head is looked for.
    scratch: Box<[u8]>,
}

impl Sockets {
    /// So many connections on these ports, and room for `others` that are no connections.
    pub(super) fn new(ports: [u16; 2], connections: usize, others: usize) -> Self {
        let storage: Vec<SocketStorage<'_>> = (0..connections + others).map(|_| SocketStorage::EMPTY).collect();
        let mut set = SocketSet::new(storage.leak());
        let buffer = |bytes: usize| tcp::SocketBuffer::new(alloc::vec![0; bytes].leak());
        let slots = (0..connections)
            .map(|_| {
                let mut socket = tcp::Socket::new(buffer(RECEIVE_BYTES), buffer(SEND_BYTES));
                socket.set_timeout(Some(PEER_TIMEOUT));
                socket.set_keep_alive(Some(KEEP_ALIVE));
                // Replies leave in one piece, and nothing follows them that would be worth waiting for.
                socket.set_nagle_enabled(false);
                socket.set_ack_delay(None);
                Slot {
                    handle: set.add(socket),
                    port: Port::Action,
                    state: State::Free,
                }
            })
            .collect();
        Sockets {
            set,
            slots,
            ports,
            scratch: alloc::vec![0; RECEIVE_BYTES].into_boxed_slice(),
        }
    }

    /// smoltcp's own table.
    pub(super) fn set(&mut self) -> &mut SocketSet<'static> {
        &mut self.set
    }

    /// The ports on which nobody listens, by their numbers.
    pub(super) fn closed_ports(&self) -> [Option<u16>; 2] {
        [Port::Action, Port::Control].map(|port| (self.listening(port) == 0).then_some(self.number(port)))
    }

    fn number(&self, port: Port) -> u16 {
        let [action, control] = self.ports;
        match port {
            Port::Action => action,
            Port::Control => control,
        }
    }

    fn listening(&self, port: Port) -> usize {
        let listens = |slot: &&Slot| slot.state == State::Listening && slot.port == port;
        self.slots.iter().filter(listens).count()
    }

    /// Move each socket on to what it has become.
    pub(super) fn update(&mut self, now_us: u64) {
        for slot in &mut self.slots {
            let socket = self.set.get_mut::<tcp::Socket<'_>>(slot.handle);
            match slot.state {
                State::Listening if socket.is_active() => slot.state = State::Opening { since_us: now_us },
                State::Opening { .. } if socket.may_send() => slot.state = State::Idle { since_us: now_us },
                // Reset before it stood: smoltcp lets it listen again.
                State::Opening { .. } if socket.is_listening() => slot.state = State::Listening,
                State::Opening { .. } if !socket.is_active() => slot.state = State::Free,
                State::Idle { .. } | State::Incomplete { .. } | State::Ready { .. } if !socket.is_active() => {
                    slot.state = State::Free;
                }
                State::Idle { .. } if !socket.may_recv() && !socket.can_recv() => {
                    socket.close();
                    slot.state = State::Closing { since_us: now_us };
                }
                State::Idle { .. } if socket.can_recv() => {
                    slot.state = State::Incomplete {
                        since_us: now_us,
                        looked_at: 0,
                    };
                }
                State::Closing { since_us } => {
                    // What still comes is not read: a socket that is freed with unread bytes would reset the connection, and
                    // take the reply from its client.
                    let _ = socket.recv(|bytes| (bytes.len(), ()));
                    if !socket.is_active() {
                        slot.state = State::Free;
                    } else if now_us.saturating_sub(since_us) > CLOSING_WAIT_US {
                        socket.abort();
                        slot.state = State::Free;
                    }
                }
                _ => {}
            }
        }
        self.listen(now_us);
    }

    /// Let free sockets listen, and make one free if a port has none.
    fn listen(&mut self, now_us: u64) {
        while let Some(index) = self.position(|slot| slot.state == State::Free) {
            let port = if self.listening(Port::Action) <= self.listening(Port::Control) {
                Port::Action
            } else {
                Port::Control
            };
            if !self.listen_with(index, port) {
                break;
            }
        }
        for (port, other) in [(Port::Action, Port::Control), (Port::Control, Port::Action)] {
            if self.listening(port) > 0 {
                continue;
            }
            let spare = (self.listening(other) > 1)
                .then(|| self.position(|slot| slot.state == State::Listening && slot.port == other))
                .flatten();
            let given_up = || self.position(|slot| slot.state.is_opening_for(OPENING_WAIT_US, now_us));
            if let Some(index) = spare.or_else(given_up) {
                self.listen_with(index, port);
            } else if let Some(index) = self.longest_idle(now_us) {
                self.close(index, now_us);
            }
        }
    }

    fn listen_with(&mut self, index: usize, port: Port) -> bool {
        let number = self.number(port);
        let Some(slot) = self.slots.get_mut(index) else {
            return false;
        };
        let socket = self.set.get_mut::<tcp::Socket<'_>>(slot.handle);
        // In TIME-WAIT, say: nothing more is expected of it.
        socket.abort();
        if socket.listen(number).is_err() {
            return false;
        }
        slot.port = port;
        slot.state = State::Listening;
        true
    }

    fn position(&self, is_wanted: impl Fn(&Slot) -> bool) -> Option<usize> {
        self.slots.iter().position(is_wanted)
    }

    fn longest_idle(&self, now_us: u64) -> Option<usize> {
        let idle = |(index, slot): (usize, &Slot)| match slot.state {
            // A client that has connected just now is about to send.
            State::Idle { since_us } if now_us.saturating_sub(since_us) > 100_000 => Some((since_us, index)),
            _ => None,
        };
        self.slots
            .iter()
            .enumerate()
            .filter_map(idle)
            .min()
            .map(|(_, index)| index)
    }

    fn close(&mut self, index: usize, now_us: u64) {
        if let Some(slot) = self.slots.get_mut(index) {
            self.set.get_mut::<tcp::Socket<'_>>(slot.handle).close();
            slot.state = State::Closing { since_us: now_us };
        }
    }

    /// Whether the thread should turn to it: not to a head that is still coming.
    fn has_request(&mut self, index: usize, now_us: u64) -> bool {
        let Some(slot) = self.slots.get_mut(index) else {
            return false;
        };
        let (since_us, looked_at) = match slot.state {
            State::Ready { .. } => return true,
            State::Incomplete { since_us, looked_at } => (since_us, looked_at),
            _ => return false,
        };
        let socket = self.set.get_mut::<tcp::Socket<'_>>(slot.handle);
        let len = socket.recv_queue();
        let is_late = now_us.saturating_sub(since_us) > HEAD_WAIT_US;
        let is_ready = len == socket.recv_capacity() || !socket.may_recv() || is_late || {
            len != looked_at && {
                let came = socket.peek_slice(&mut self.scratch).unwrap_or(0);
                let bytes = self.scratch.get(..came).unwrap_or_default();
                // RFC 9112 §2.2: a bare LF may end a line, so that an empty line is one of two.
                bytes.windows(4).any(|end| end == b"\r\n\r\n") || bytes.windows(2).any(|end| end == b"\n\n")
            }
        };
        slot.state = if is_ready {
            State::Ready { since_us }
        } else {
            State::Incomplete {
                since_us,
                looked_at: len,
            }
        };
        is_ready
    }

    fn socket(&mut self, index: usize) -> Option<&mut tcp::Socket<'static>> {
        let handle = self.slots.get(index)?.handle;
        Some(self.set.get_mut::<tcp::Socket<'static>>(handle))
    }
    /// A connection that has a request, of those that nobody serves: it is the caller's until [`Sockets::release`].
    pub(crate) fn claim(&mut self, now_us: u64) -> Option<(usize, Port)> {
        // Who has waited for longest comes first.
        let index = (0..self.slots.len())
            .filter_map(|index| {
                let is_ready = self.has_request(index, now_us);
                match self.slots.get(index)?.state {
                    State::Ready { since_us } if is_ready => Some((since_us, index)),
                    _ => None,
                }
            })
            .min()
            .map(|(_, index)| index)?;
        let slot = self.slots.get_mut(index)?;
        slot.state = State::Served;
        Some((index, slot.port))
    }

    /// Whether another connection than those that are served has a request.
    pub(crate) fn others_wait(&mut self, now_us: u64) -> bool {
        (0..self.slots.len()).any(|index| self.has_request(index, now_us))
    }

    /// The request of a connection has been served.
    pub(crate) fn release(&mut self, index: usize, is_kept: bool, now_us: u64) {
        if is_kept {
            if let Some(slot) = self.slots.get_mut(index) {
                slot.state = State::Idle { since_us: now_us };
            }
        } else {
            self.close(index, now_us);
        }
    }

    /// Take what has come.
    pub(crate) fn receive(&mut self, index: usize, into: &mut [u8]) -> Io {
        let Some(socket) = self.socket(index) else {
            return Io::Broken;
        };
        match socket.recv_slice(into) {
            Ok(0) if !socket.is_active() => Io::Broken,
            Ok(0) => Io::WouldBlock,
            Ok(len) => Io::Done(len),
            Err(tcp::RecvError::Finished) => Io::End,
            Err(tcp::RecvError::InvalidState) => Io::Broken,
        }
    }

    /// Copy what has come without taking it. So many bytes.
    pub(crate) fn peek(&mut self, index: usize, into: &mut [u8]) -> usize {
        self.socket(index)
            .map_or(0, |socket| socket.peek_slice(into).unwrap_or(0))
    }

    /// Give bytes away, as many as there is room for.
    pub(crate) fn send(&mut self, index: usize, bytes: &[u8]) -> Io {
        match self.socket(index).map(|socket| socket.send_slice(bytes)) {
            Some(Ok(0)) => Io::WouldBlock,
            Some(Ok(len)) => Io::Done(len),
            Some(Err(_)) | None => Io::Broken,
        }
    }

    /// Whether the client has closed its connection, or its half of it.
    pub(crate) fn has_gone(&mut self, index: usize) -> bool {
        self.socket(index)
            .is_none_or(|socket| !socket.may_recv() && !socket.can_recv())
    }

    /// Whether bytes have come that were not read.
    pub(crate) fn has_sent(&mut self, index: usize) -> bool {
        self.socket(index).is_some_and(|socket| socket.can_recv())
    }
}
