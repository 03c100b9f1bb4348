//! The containers' own ports.
//!
//! A container of an invoker has a listener on the invoker's address, at any free port or at one of a range. A range is
//! walked round and round, so that a port rests for as long as possible before another container gets it: a client with
//! an old port meets nobody rather than a stranger.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;

use executor_core::executor::ContainerKey;
use executor_core::node::NoPort;
use executor_core::openwhisk::Listener;
use log::{debug, warn};
use parking_lot::Mutex;
use rustix::io::Errno;

use crate::server::reactor::{Door, Reactor};

/// Opens and closes ports.
#[derive(Debug)]
pub struct Ports {
    reactor: Arc<Reactor<Listener>>,
    address: IpAddr,
    range: Option<RangeInclusive<u16>>,
    open_max: usize,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    doors: HashMap<ContainerKey, Door>,
    /// How far the walk through the range is.
    next: usize,
}

impl Ports {
    /// Ports on `address`, `open_max` at once; without a range the kernel picks them.
    pub fn new(
        reactor: Arc<Reactor<Listener>>,
        address: IpAddr,
        range: Option<RangeInclusive<u16>>,
        open_max: usize,
    ) -> Self {
        Ports {
            reactor,
            address,
            range,
            open_max,
            open: Mutex::new(Open {
                doors: HashMap::new(),
                next: 0,
            }),
        }
    }

    /// Listen for a container.
    ///
    /// # Errors
    /// [`NoPort`]: every port of the range is taken, or the process has no descriptor for one.
    pub fn open(&self, container: ContainerKey) -> Result<u16, NoPort> {
        let mut open = self.open.lock();
        if open.doors.len() >= self.open_max || open.doors.try_reserve(1).is_err() {
            debug!("{} ports are open: as many as there may be", open.doors.len());
            return Err(NoPort);
        }
        let (door, address) = match &self.range {
            None => self.listen(container, 0),
            Some(range) => self.listen_in(range.clone(), &mut open.next, container),
        }
        .map_err(|error| {
            warn!("no port for a container: {error}");
            NoPort
        })?;
        open.doors.insert(container, door);
        Ok(address.port())
    }

    /// Stop listening for a container.
    pub fn close(&self, container: ContainerKey) {
        if let Some(door) = self.open.lock().doors.remove(&container) {
            self.reactor.close(door);
        }
    }

    fn listen(&self, container: ContainerKey, port: u16) -> Result<(Door, SocketAddr), Errno> {
        self.reactor
            .open(SocketAddr::new(self.address, port), Listener::Container(container))
    }

    fn listen_in(
        &self,
        range: RangeInclusive<u16>,
        next: &mut usize,
        container: ContainerKey,
    ) -> Result<(Door, SocketAddr), Errno> {
        let len = range.len();
        for _ in 0..len {
            let port = range.clone().nth(*next % len).ok_or(Errno::ADDRINUSE)?;
            *next = (*next + 1) % len;
            match self.listen(container, port) {
                // Ours, or another program's; ports below 1024 want a privilege.
                Err(Errno::ADDRINUSE | Errno::ACCESS) => {}
                other => return other,
            }
        }
        Err(Errno::ADDRINUSE)
    }
}
