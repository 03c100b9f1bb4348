//! Backpressure.
//!
//! smoltcp refuses a connection (RST) if no socket listens on its port. A client takes that for a node that is not there. This
//! drops the first segment of such a connection instead: the client's TCP sends it again after a second or so, as it does when
//! a Linux machine's backlog is full.

use smoltcp::phy::{Device, DeviceCapabilities, RxToken};
use smoltcp::time::Instant;

/// A device behind a gate.
#[derive(Debug)]
pub struct Gate<D> {
    device: D,
    /// The ports on which a connection is to be tried again.
    closed: [Option<u16>; 2],
}

/// A frame that has passed, or is empty.
#[derive(Debug)]
pub struct GatedFrame<R> {
    frame: R,
    closed: [Option<u16>; 2],
}

impl<D> Gate<D> {
    /// An open gate.
    pub fn new(device: D) -> Self {
        Gate {
            device,
            closed: [None; 2],
        }
    }

    /// Let no new connection to these ports pass from now on.
    pub fn close(&mut self, ports: [Option<u16>; 2]) {
        self.closed = ports;
    }
}

impl<D: Device> Device for Gate<D> {
    type RxToken<'a>
        = GatedFrame<D::RxToken<'a>>
    where
        Self: 'a;
    type TxToken<'a>
        = D::TxToken<'a>
    where
        Self: 'a;

    fn receive(&mut self, now: Instant) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        let closed = self.closed;
        let (frame, reply) = self.device.receive(now)?;
        Some((GatedFrame { frame, closed }, reply))
    }

    fn transmit(&mut self, now: Instant) -> Option<Self::TxToken<'_>> {
        self.device.transmit(now)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.device.capabilities()
    }
}

impl<R: RxToken> RxToken for GatedFrame<R> {
    fn consume<T, F: FnOnce(&[u8]) -> T>(self, take: F) -> T {
        let closed = self.closed;
        self.frame.consume(|frame| match first_of_connection(frame) {
            // An empty frame is malformed, and so ignored.
            Some(port) if closed.contains(&Some(port)) => take(&[]),
            _ => take(frame),
        })
    }
}

/// The port of a frame that holds the first segment of a TCP connection (SYN without ACK), over IPv4 on Ethernet.
fn first_of_connection(frame: &[u8]) -> Option<u16> {
    let (ethernet, packet) = frame.split_at_checked(14)?;
    let header_len = usize::from(packet.first()? & 0x0f) * 4;
    if ethernet.get(12..)? != [0x08, 0x00] || *packet.get(9)? != 6 {
        return None;
    }
    let segment = packet.get(header_len..)?;
    let flags = segment.get(13)? & 0x12;
    let port = segment.get(2..4)?.try_into().ok()?;
    (flags == 0x02).then(|| u16::from_be_bytes(port))
}
