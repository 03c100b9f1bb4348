//! smoltcp's interface and sockets.
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
//! see [`Gate`].

use alloc::boxed::Box;
use alloc::vec::Vec;

use smoltcp::iface::{
    Config, Interface, PollIngressSingleResult, PollResult, SocketHandle, SocketSet, SocketStorage as Storage,
};
use smoltcp::phy::Device;
use smoltcp::socket::{dhcpv4, tcp};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpCidr, Ipv4Address, Ipv4Cidr};

use super::{Configuration, Gate, Io, Operations};

/// What a client may send ahead. A head of the longest kind fits.
const RECEIVE_BYTES: usize = 8 * 1024;
const SEND_BYTES: usize = 8 * 1024;

/// Who floods the board with frames does not hold up what it does otherwise: the rest is for the next poll.
const FRAMES_AT_ONCE: u32 = 64;

/// A head must have come whole within this time.
const HEAD_WAIT_US: u64 = 10_000_000;
/// A client that does not confirm its connection within this time loses it, if another wants the socket.
const OPENING_WAIT_US: u64 = 1_000_000;
/// A client that has closed its half, or was sent the end, has this time to do the rest.
const CLOSING_WAIT_US: u64 = 2_000_000;
/// If nobody has answered to DHCP by then, the static address is taken.
const DHCP_WAIT_US: u64 = 5_000_000;
/// A peer that does not acknowledge anything for so long is gone.
const PEER_TIMEOUT: Duration = Duration::from_secs(20);
/// A peer that is silent is asked so often whether it is there.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Memory for the table of sockets.
pub type SocketStorage = Storage<'static>;

/// What a connection was accepted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// The port of the one action.
    Action,
    /// The port of many.
    Control,
}

const PORTS: [Port; 2] = [Port::Action, Port::Control];

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

/// The network of a device.
pub struct Network<D: Device> {
    device: Gate<D>,
    interface: Interface,
    sockets: SocketSet<'static>,
    slots: Vec<Slot>,
    dhcp: Option<SocketHandle>,
    configuration: Configuration,
    has_address: bool,
    /// Where a head is looked for.
    scratch: Box<[u8]>,
}

fn instant(now_us: u64) -> Instant {
    Instant::from_micros(i64::try_from(now_us).unwrap_or(i64::MAX))
}

impl<D: Device> Network<D> {
    /// Allocates all that is ever needed. `seed`: another one at each boot.
    pub fn new(device: D, configuration: Configuration, connections: usize, seed: u64, now_us: u64) -> Self {
        let mut device = Gate::new(device);
        let mut config = Config::new(HardwareAddress::Ethernet(EthernetAddress(configuration.mac)));
        config.random_seed = seed;
        let interface = Interface::new(config, &mut device, instant(now_us));
        let storage: Vec<SocketStorage> = (0..=connections).map(|_| SocketStorage::EMPTY).collect();
        let mut sockets = SocketSet::new(storage.leak());
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
                    handle: sockets.add(socket),
                    port: Port::Action,
                    state: State::Free,
                }
            })
            .collect();
        let dhcp = configuration.dhcp.then(|| sockets.add(dhcpv4::Socket::new()));
        let mut network = Network {
            device,
            interface,
            sockets,
            slots,
            dhcp,
            configuration,
            has_address: false,
            scratch: alloc::vec![0; RECEIVE_BYTES].into_boxed_slice(),
        };
        if dhcp.is_none() {
            network.take_static_address();
        }
        network
    }

    fn take_static_address(&mut self) {
        let ([a, b, c, d], prefix) = self.configuration.address;
        let gateway = Ipv4Address::from(self.configuration.gateway);
        self.take_address(Ipv4Cidr::new(Ipv4Address::new(a, b, c, d), prefix), Some(gateway));
    }

    fn take_address(&mut self, address: Ipv4Cidr, router: Option<Ipv4Address>) {
        self.interface.update_ip_addrs(|addresses| {
            addresses.clear();
            // There is room for two.
            let _ = addresses.push(IpCidr::Ipv4(address));
        });
        let routes = self.interface.routes_mut();
        routes.remove_default_ipv4_route();
        if let Some(router) = router {
            // There is room for two.
            let _ = routes.add_default_ipv4_route(router);
        }
        self.has_address = true;
        log::info!(
            "listening on {}:{}, and for many actions on port {}",
            address.address(),
            self.configuration.action_port,
            self.configuration.control_port
        );
    }

    fn poll_dhcp(&mut self, now_us: u64) {
        let Some(handle) = self.dhcp else { return };
        let event = match self.sockets.get_mut::<dhcpv4::Socket<'_>>(handle).poll() {
            Some(dhcpv4::Event::Configured(lease)) => Some((lease.address, lease.router)),
            _ => None,
        };
        if let Some((address, router)) = event {
            if self.interface.ipv4_addr() != Some(address.address()) {
                self.take_address(address, router);
            }
        } else if !self.has_address && now_us > DHCP_WAIT_US {
            log::warn!("nobody answers to DHCP");
            self.take_static_address();
        }
    }

    fn number(&self, port: Port) -> u16 {
        match port {
            Port::Action => self.configuration.action_port,
            Port::Control => self.configuration.control_port,
        }
    }

    fn listening(&self, port: Port) -> usize {
        let listens = |slot: &&Slot| slot.state == State::Listening && slot.port == port;
        self.slots.iter().filter(listens).count()
    }

    /// Move each socket on to what it has become.
    fn update(&mut self, now_us: u64) {
        for slot in &mut self.slots {
            let socket = self.sockets.get_mut::<tcp::Socket<'_>>(slot.handle);
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
        let closed = PORTS.map(|port| (self.listening(port) == 0).then(|| self.number(port)));
        self.device.close(closed);
    }

    fn listen_with(&mut self, index: usize, port: Port) -> bool {
        let number = self.number(port);
        let Some(slot) = self.slots.get_mut(index) else {
            return false;
        };
        let socket = self.sockets.get_mut::<tcp::Socket<'_>>(slot.handle);
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
            self.sockets.get_mut::<tcp::Socket<'_>>(slot.handle).close();
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
        let socket = self.sockets.get_mut::<tcp::Socket<'_>>(slot.handle);
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
        Some(self.sockets.get_mut::<tcp::Socket<'static>>(handle))
    }
}

impl<D: Device + Send> Operations for Network<D> {
    fn poll(&mut self, now_us: u64) {
        let now = instant(now_us);
        self.interface.poll_maintenance(now);
        // Frame by frame: each may take a socket that listened, and the next one needs another.
        for _ in 0..FRAMES_AT_ONCE {
            let came = self
                .interface
                .poll_ingress_single(now, &mut self.device, &mut self.sockets);
            if came == PollIngressSingleResult::None {
                break;
            }
            self.update(now_us);
        }
        while self.interface.poll_egress(now, &mut self.device, &mut self.sockets) == PollResult::SocketStateChanged {}
        self.poll_dhcp(now_us);
        self.update(now_us);
    }

    fn claim(&mut self, now_us: u64) -> Option<(usize, Port)> {
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

    fn others_wait(&mut self, now_us: u64) -> bool {
        (0..self.slots.len()).any(|index| self.has_request(index, now_us))
    }

    fn release(&mut self, index: usize, is_kept: bool, now_us: u64) {
        if is_kept {
            if let Some(slot) = self.slots.get_mut(index) {
                slot.state = State::Idle { since_us: now_us };
            }
        } else {
            self.close(index, now_us);
        }
        self.poll(now_us);
    }

    fn receive(&mut self, index: usize, into: &mut [u8]) -> Io {
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

    fn peek(&mut self, index: usize, into: &mut [u8]) -> usize {
        self.socket(index)
            .map_or(0, |socket| socket.peek_slice(into).unwrap_or(0))
    }

    fn send(&mut self, index: usize, bytes: &[u8]) -> Io {
        match self.socket(index).map(|socket| socket.send_slice(bytes)) {
            Some(Ok(0)) => Io::WouldBlock,
            Some(Ok(len)) => Io::Done(len),
            Some(Err(_)) | None => Io::Broken,
        }
    }

    fn has_gone(&mut self, index: usize) -> bool {
        self.socket(index)
            .is_none_or(|socket| !socket.may_recv() && !socket.can_recv())
    }

    fn has_sent(&mut self, index: usize) -> bool {
        self.socket(index).is_some_and(|socket| socket.can_recv())
    }
}
