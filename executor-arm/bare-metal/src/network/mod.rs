//! TCP/IP: a few sockets on two ports.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`stack`] | smoltcp's interface, and its address |
//! | [`sockets`] | which sockets listen, are served, or have a request |
//! | [`gate`] | backpressure: a connection that no socket is free for is not refused, but tried again by its client |
//! | [`connection`] | a connection as `embedded_io` sees it, whose reads and writes have deadlines |
//!
//! **Invariants.** What is sent or received is polled by the thread whenever it waits, and by the timer's handler while a guest
//! runs. Nothing here allocates after the start.

pub mod connection;
mod gate;
mod sockets;
mod stack;

use crate::one_core::Mutex;

pub use gate::Gate;
pub use sockets::{Port, Sockets};
pub use stack::Network;

/// How a board is reached.
#[derive(Clone, Copy, Debug)]
pub struct Configuration {
    /// The Ethernet address.
    pub mac: [u8; 6],
    /// Ask for an address by DHCP, and take the static one if nobody answers.
    pub dhcp: bool,
    /// The static address and the length of its prefix.
    pub address: ([u8; 4], u8),
    /// The static router.
    pub gateway: [u8; 4],
    /// The port of the one action.
    pub action_port: u16,
    /// The port of many.
    pub control_port: u16,
}

/// Received bytes, or why there are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Io {
    /// So many bytes.
    Done(usize),
    /// Nothing now.
    WouldBlock,
    /// The client has closed its half, and everything was read.
    End,
    /// The connection is gone.
    Broken,
}

/// The network, whatever the device.
pub(crate) trait Operations: Send {
    /// Let frames in and out.
    fn poll(&mut self, now_us: u64);
    /// Its sockets. What they are told leaves with the next poll.
    fn sockets(&mut self) -> &mut Sockets;
}

/// The one network. The timer's handler leaves it alone while the thread has it.
pub(crate) static NETWORK: Mutex<Option<&'static mut dyn Operations>> = Mutex::new(None);

/// Use the network, from the thread.
pub(crate) fn with<T>(work: impl FnOnce(&mut (dyn Operations + 'static)) -> T) -> Option<T> {
    let mut network = NETWORK.lock();
    network.as_deref_mut().map(work)
}
