//! One epoll instance for everything that can happen: new connections and requests on parked ones.
//!
//! Every worker waits here; the kernel wakes the one that waited last, whose caches are warm. Everything is registered
//! for one event only (`EPOLLONESHOT`), so that no two workers get the same socket; who has handled it arms it again.
//!
//! Who comes is never turned away for want of room: at most so many connections are parked, and beyond that, or when
//! descriptors run out, the one that has been idle for longest is closed. An idle client loses a connection that it has to
//! be ready to lose anyway (RFC 9112 §9.5); a crowd of idle connections locks out nobody. A refusal with 503 would not do:
//! OpenWhisk takes it for the end of this node.

use std::fmt;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::{debug, warn};
use parking_lot::Mutex;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;

use super::listening;
use super::registry::{Registry, Token};
use crate::rarely::Rarely;

/// Marks the token of a listener.
const LISTENER_BIT: u64 = 1 << 63;

const LISTENER_EVENTS: EventFlags = EventFlags::IN.union(EventFlags::ONESHOT);
const CONNECTION_EVENTS: EventFlags = EventFlags::IN.union(EventFlags::RDHUP).union(EventFlags::ONESHOT);

/// How long accepting pauses when the machine has no descriptor or memory for a connection, and none can be given up.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);

/// A connection that no worker serves, and what belongs to it.
#[derive(Debug)]
pub struct Idle<L> {
    /// The connected socket. It is shared with who looks whether the client is still there.
    pub socket: Arc<OwnedFd>,
    /// Through which listener it came.
    pub listener: L,
    /// Whether epoll knows it.
    registered: bool,
    since: Instant,
}

/// Says which listener has been opened, to close it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Door(Token);

#[derive(Debug)]
struct Listener<L> {
    socket: OwnedFd,
    name: L,
}

/// The sources of work. `L` names a listener.
pub struct Reactor<L> {
    epoll: OwnedFd,
    listeners: Mutex<Registry<Arc<Listener<L>>>>,
    idle: Mutex<Registry<Idle<L>>>,
    idle_max: usize,
    /// That nobody can be accepted has been told.
    trouble: Rarely,
}

impl<L: Copy> Reactor<L> {
    /// No sources yet; at most `idle_max` parked connections.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn new(idle_max: usize) -> Result<Self, Errno> {
        Ok(Reactor {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            listeners: Mutex::new(Registry::new()),
            idle: Mutex::new(Registry::new()),
            idle_max,
            trouble: Rarely::default(),
        })
    }

    /// Listen on `address`; connections will carry `name`. Gives the bound address.
    ///
    /// # Errors
    /// What the kernel says, most often that the address is in use.
    pub fn open(&self, address: SocketAddr, name: L) -> Result<(Door, SocketAddr), Errno> {
        let socket = listening::listen(address)?;
        let address = listening::local_address(&socket)?;
        let listener = Arc::new(Listener { socket, name });
        let token = self
            .listeners
            .lock()
            .insert(listener.clone())
            .map_err(|_| Errno::NOMEM)?;
        let data = EventData::new_u64(token.to_bits() | LISTENER_BIT);
        if let Err(error) = epoll::add(&self.epoll, &listener.socket, data, LISTENER_EVENTS) {
            self.listeners.lock().remove(token);
            return Err(error);
        }
        Ok((Door(token), address))
    }

    /// Stop listening. Connections that came this way stay.
    pub fn close(&self, door: Door) {
        let listener = self.listeners.lock().remove(door.0);
        if let Some(listener) = listener {
            // A worker that accepts just now holds the socket a little longer.
            let _ = epoll::delete(&self.epoll, &listener.socket);
        }
    }

    /// Wait until something happens, at most for `patience`.
    pub fn wait(&self, patience: Option<Duration>) -> Option<Event> {
        let patience = patience.and_then(|patience| Timespec::try_from(patience).ok());
        let mut events = [epoll::Event {
            flags: EventFlags::empty(),
            data: EventData::new_u64(0),
        }];
        loop {
            match epoll::wait(&self.epoll, &mut events, patience.as_ref()) {
                Ok(0) => return None,
                Ok(_) => return Some(Event(events[0].data.u64())),
                Err(Errno::INTR) => {}
                Err(error) => {
                    // Only a broken program gets here; it shall not spin.
                    warn!("epoll: {error}");
                    std::thread::sleep(EXHAUSTED_PAUSE);
                }
            }
        }
    }

    /// The connection that an event is about. `None`: another worker or the client was faster.
    pub fn take(&self, event: Event) -> Option<Idle<L>> {
        let token = Token::from_bits(event.0);
        if event.0 & LISTENER_BIT == 0 {
            return self.idle.lock().remove(token);
        }
        let listener = self.listeners.lock().get(token).cloned()?;
        let accepted = self.accept(&listener);
        // Arm it again before the connection is served: the next one is another worker's. It fails if the listener has
        // been closed meanwhile.
        let _ = epoll::modify(
            &self.epoll,
            &listener.socket,
            EventData::new_u64(event.0),
            LISTENER_EVENTS,
        );
        Some(Idle {
            socket: Arc::new(accepted?),
            listener: listener.name,
            registered: false,
            since: Instant::now(),
        })
    }

    fn accept(&self, listener: &Listener<L>) -> Option<OwnedFd> {
        loop {
            match listening::accept(&listener.socket) {
                Ok(socket) => return Some(socket),
                Err(Errno::AGAIN) => return None,
                // The listener is armed again, and the client may be the next.
                Err(error @ (Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)) => {
                    let given_up = self.idle.lock().remove_oldest_if(|_| true);
                    if given_up.is_none() {
                        if self.trouble.is_due() {
                            warn!("cannot accept a connection: {error}");
                        }
                        std::thread::sleep(EXHAUSTED_PAUSE);
                        return None;
                    }
                    debug!("{error}: closed the connection that was idle for longest");
                }
                Err(error) => {
                    debug!("accept: {error}");
                    return None;
                }
            }
        }
    }

    /// Keep a connection without a worker until its client sends something.
    pub fn park(&self, socket: Arc<OwnedFd>, listener: L, registered: bool) {
        let mut idle = self.idle.lock();
        // Dropped after the lock: closing takes time.
        let _given_up = if idle.count() >= self.idle_max {
            idle.remove_oldest_if(|_| true)
        } else {
            None
        };
        let parked = idle.insert(Idle {
            socket,
            listener,
            registered: true,
            since: Instant::now(),
        });
        // Without memory for it, it is closed.
        let Ok(token) = parked else { return };
        let data = EventData::new_u64(token.to_bits());
        let Some(parked) = idle.get(token) else { return };
        let armed = if registered {
            epoll::modify(&self.epoll, &parked.socket, data, CONNECTION_EVENTS)
        } else {
            epoll::add(&self.epoll, &parked.socket, data, CONNECTION_EVENTS)
        };
        if let Err(error) = armed {
            warn!("epoll: {error}");
            idle.remove(token);
        }
    }

    /// Close connections that have been parked for `age` or longer.
    pub fn expire(&self, age: Duration) {
        let now = Instant::now();
        loop {
            // One at a time, so that workers get their turn at the lock.
            let expired = self
                .idle
                .lock()
                .remove_oldest_if(|idle| now.duration_since(idle.since) >= age);
            if expired.is_none() {
                return;
            }
        }
    }

    /// How many connections are parked.
    pub fn parked(&self) -> usize {
        self.idle.lock().count()
    }
}

impl<L> Idle<L> {
    /// Whether epoll knows the socket already.
    pub fn is_registered(&self) -> bool {
        self.registered
    }
}

/// Something has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event(u64);

impl<L> fmt::Debug for Reactor<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor")
            .field("epoll", &self.epoll)
            .finish_non_exhaustive()
    }
}
