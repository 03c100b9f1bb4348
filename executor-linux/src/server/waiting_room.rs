//! Where workers wait for slow clients: a bounded number of seats.
//!
//! A worker that waits for the rest of a request, for room for a reply, or for a refused client to go away serves nobody
//! else. If nothing bounded how many do, as many clients as there are workers could stop a server by sending a byte now and
//! then (slowloris). So a worker takes a seat before it waits, and seats are for half of the workers: the others are always
//! there for clients whose requests come at once.
//!
//! When all seats are taken, who comes last does not have to go: a client that pauses for a moment is not the one to give
//! up. The seat is taken from the network address that has the most, there from the client whose time runs out first. That
//! is who has been waited for longest for the least: time is given for bytes ([`super::connection`]). A client whose seat is
//! taken gets 408, as if its time were over.
//!
//! A request that arrives at once never comes here. Parking such connections with what has come of their requests instead
//! would keep more clients, but an inbox of 256 KiB for each, and would turn the one way of a request into a state machine.

use std::cell::OnceCell;
use std::cmp::Reverse;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use log::{debug, warn};
use parking_lot::Mutex;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;

/// All seats. Shared by the workers.
#[derive(Debug)]
pub struct WaitingRoom {
    seats_max: usize,
    taken: Mutex<Vec<Taken>>,
    /// How many that are, to be read without the lock.
    taken_count: AtomicUsize,
}

#[derive(Debug)]
struct Taken {
    deadline: Instant,
    network: u128,
    bell: Arc<OwnedFd>,
}

/// Wakes one worker. Made when it first waits.
#[derive(Debug, Default)]
pub struct Bell(OnceCell<Arc<OwnedFd>>);

/// Leave to wait. Dropping it frees the seat.
#[derive(Debug)]
pub struct Seat<'r> {
    room: &'r WaitingRoom,
    deadline: Instant,
    bell: Arc<OwnedFd>,
}

impl WaitingRoom {
    /// A room with so many seats, at least one.
    pub fn new(seats_max: usize) -> Self {
        WaitingRoom {
            seats_max: seats_max.max(1),
            taken: Mutex::new(Vec::new()),
            taken_count: AtomicUsize::new(0),
        }
    }

    /// True if all seats are taken: a worker had better not wait elsewhere either.
    pub fn is_full(&self) -> bool {
        self.taken_count.load(Ordering::Relaxed) >= self.seats_max
    }

    /// Take a seat to wait for the client of `socket`, until `deadline` at most. `None`: it is this client that has to go.
    pub fn take(&self, bell: &Bell, socket: impl AsFd, deadline: Instant) -> Option<Seat<'_>> {
        let bell = bell.get()?;
        let network = network(socket)?;
        let mut taken = self.taken.lock();
        if taken.len() >= self.seats_max {
            // Who has the most seats, this one counted; of those, whose time runs out first.
            let rank = |of: u128, deadline: Instant| {
                let seats = taken.iter().filter(|other| other.network == of).count();
                (seats + usize::from(of == network), Reverse(deadline))
            };
            let ranks = taken.iter().map(|other| rank(other.network, other.deadline));
            let (index, greatest) = ranks.enumerate().max_by_key(|(_, rank)| *rank)?;
            if rank(network, deadline) >= greatest {
                return None;
            }
            let given_up = taken.swap_remove(index);
            debug!("a slow client was given up for another");
            // Fails only if 2^64 - 1 calls are pending: then that worker is awake already.
            let _ = rustix::io::write(&given_up.bell, &1_u64.to_ne_bytes());
        }
        taken.push(Taken {
            deadline,
            network,
            bell: bell.clone(),
        });
        self.taken_count.store(taken.len(), Ordering::Relaxed);
        drop(taken);
        Some(Seat {
            room: self,
            deadline,
            bell,
        })
    }
}

impl Bell {
    fn get(&self) -> Option<Arc<OwnedFd>> {
        if let Some(bell) = self.0.get() {
            return Some(bell.clone());
        }
        match eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK) {
            Ok(event) => Some(self.0.get_or_init(|| Arc::new(event)).clone()),
            Err(error) => {
                warn!("eventfd: {error}");
                None
            }
        }
    }
}

impl Seat<'_> {
    /// Wait until the socket is ready.
    ///
    /// # Errors
    /// `ETIMEDOUT`: the time is over, or the seat is another's.
    pub fn wait(&self, socket: impl AsFd, events: PollFlags) -> Result<(), Errno> {
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Errno::TIMEDOUT);
            }
            let left = Timespec::try_from(left).map_err(|_| Errno::INVAL)?;
            let mut sources = [PollFd::new(&socket, events), PollFd::new(&self.bell, PollFlags::IN)];
            match poll(&mut sources, Some(&left)) {
                Ok(0) => return Err(Errno::TIMEDOUT),
                Ok(_) if !sources[1].revents().is_empty() => return Err(Errno::TIMEDOUT),
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether the time is over, or the seat is another's.
    pub fn is_lost(&self) -> bool {
        let is_mine = |taken: &Taken| Arc::ptr_eq(&taken.bell, &self.bell);
        Instant::now() >= self.deadline || !self.room.taken.lock().iter().any(is_mine)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut taken = self.room.taken.lock();
        match taken.iter().position(|taken| Arc::ptr_eq(&taken.bell, &self.bell)) {
            Some(index) => drop(taken.swap_remove(index)),
            // The bell was rung under the lock. It shall not ring the next time.
            None => drop(rustix::io::read(&self.bell, &mut [0; 8])),
        }
        self.room.taken_count.store(taken.len(), Ordering::Relaxed);
    }
}

/// The client's network. `None`: the client has gone.
fn network(socket: impl AsFd) -> Option<u128> {
    let peer = rustix::net::getpeername(socket).ok()??;
    Some(network_of(SocketAddr::try_from(peer).ok()?.ip()))
}

/// What one client can choose its addresses from: one of IPv4, 64 bits of IPv6.
fn network_of(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits() & (u128::MAX << 64),
    }
}

#[cfg(test)]
mod tests;
