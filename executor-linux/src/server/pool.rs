//! Workers: threads that wait for work together and serve what they get by themselves.
//!
//! A request is accepted, read, run and answered by one thread, without a hand-over. A thread that blocks in a guest
//! blocks nobody else: whenever the last waiting worker takes work, it starts another one first. Workers that have
//! nothing to do leave after a while. Workers that wait for a client in the midst of a request are at most half of all:
//! see [`super::waiting_room`].

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use log::{debug, warn};

use super::activity::Activity;
use super::connection::Connection;
use super::reactor::{Event, Idle, Reactor};
use super::waiting_room::{Bell, WaitingRoom};
use crate::rarely::Rarely;

/// Workers that wait for work even if there has been none for long: as many as clients usually come at once on a small
/// machine, so that starting threads is not on a request's way.
const WAITING_MIN: usize = 4;

/// How long the others wait.
const WAITING_PATIENCE: Duration = Duration::from_secs(10);

/// Workers that may wait for one client's next request at the same time. Many clients that send now and then shall not hold
/// as many threads: the connections of the others are parked at once.
const LINGERING_MAX: usize = 16;

/// A worker's stack. It is address space until it is used; compiled guests run on it.
const STACK_BYTES: usize = 512 * 1024;

/// A worker is started only where so much address space is left: its stack, its desk, and what the standard library and the
/// allocator take for a thread, without a way to say that there is none (they end the process). On 64-bit machines it is more
/// than that, because glibc takes a shorter piece that is freed for a hint to stop giving such pieces back to the system
/// (`M_MMAP_THRESHOLD` in mallopt(3), 32 MiB at most).
const HEADROOM_BYTES: usize = if cfg!(target_pointer_width = "64") {
    33 << 20
} else {
    4 << 20
};

fn has_headroom() -> bool {
    let mut room = Vec::<u8>::new();
    let is_there = room.try_reserve_exact(HEADROOM_BYTES).is_ok();
    // An allocation that nobody looks at would be optimised away.
    std::hint::black_box(&mut room);
    is_there
}

/// What is served.
pub trait Service: Send + Sync + 'static {
    /// Names a listener.
    type Listener: Copy + Send + Sync + 'static;
    /// What each worker keeps for itself: buffers, the engine's state of a thread. Made, used and dropped on one thread.
    type Desk;
    /// What has come from one client and is not used yet; its memory is the desk's.
    type Inbox<'d>;

    /// Prepare a worker's thread.
    ///
    /// # Errors
    /// The thread cannot serve: no memory.
    fn desk(&self) -> io::Result<Self::Desk>;

    /// An empty inbox for a connection.
    fn inbox<'d>(&self, desk: &'d mut Self::Desk) -> Self::Inbox<'d>;

    /// Serve one request.
    fn serve(&self, inbox: &mut Self::Inbox<'_>, connection: &mut Connection<'_>, listener: Self::Listener) -> After;

    /// How many workers are held by something that cannot be stopped.
    fn given_up(&self) -> usize {
        0
    }
}

/// What becomes of a connection after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// It stays open.
    KeepAlive,
    /// It stays open, and the next request's first bytes are in the inbox.
    More,
    /// It is closed.
    Close,
}

/// All workers.
#[derive(Debug)]
pub struct Pool<S: Service> {
    service: S,
    reactor: Arc<Reactor<S::Listener>>,
    activity: Arc<Activity>,
    threads_max: usize,
    threads: AtomicUsize,
    /// Workers that wait for an event.
    waiting: AtomicUsize,
    /// Workers that wait for a client whose connection they hold.
    lingering: AtomicUsize,
    /// Where workers wait for the rest of requests, and for slow readers.
    waiting_room: WaitingRoom,
    /// That a worker could not be started has been told.
    trouble: Rarely,
}

impl<S: Service> Pool<S> {
    /// Start the first worker. Up to `threads_max` (at least one) will serve at once.
    ///
    /// # Errors
    /// No thread could be started.
    pub fn start(
        service: S,
        reactor: Arc<Reactor<S::Listener>>,
        activity: Arc<Activity>,
        threads_max: usize,
    ) -> io::Result<Arc<Self>> {
        let pool = Arc::new(Pool {
            service,
            reactor,
            activity,
            threads_max: threads_max.max(1),
            threads: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            lingering: AtomicUsize::new(0),
            waiting_room: WaitingRoom::new(threads_max / 2),
            trouble: Rarely::default(),
        });
        pool.spawn()?;
        Ok(pool)
    }

    /// What is served.
    pub fn service(&self) -> &S {
        &self.service
    }

    /// Workers that are given up do not count, up to as many again: they hold a processor each.
    fn threads_max(&self) -> usize {
        self.threads_max + self.service.given_up().min(self.threads_max)
    }

    /// Start a worker if none waits: some are given up, or none could be started when the last one took work. Call this now
    /// and then.
    pub fn ensure_waiting(self: &Arc<Self>) {
        if self.waiting.load(Ordering::Relaxed) == 0 {
            self.spawn_or_tell();
        }
    }

    /// Start a worker, or go on with those that there are.
    fn spawn_or_tell(self: &Arc<Self>) {
        if let Err(error) = self.spawn()
            && self.trouble.is_due()
        {
            let threads = self.threads.load(Ordering::Relaxed);
            warn!("cannot start a worker beside the {threads} that there are: {error}");
        }
    }

    fn spawn(self: &Arc<Self>) -> io::Result<()> {
        let room = |threads: usize| (threads < self.threads_max()).then_some(threads + 1);
        let Ok(threads) = self.threads.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room) else {
            return Ok(());
        };
        if !has_headroom() {
            self.threads.fetch_sub(1, Ordering::Relaxed);
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let pool = self.clone();
        let started = thread::Builder::new()
            .name("worker".into())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                pool.work();
                pool.threads.fetch_sub(1, Ordering::Relaxed);
            });
        if let Err(error) = started {
            self.threads.fetch_sub(1, Ordering::Relaxed);
            return Err(error);
        }
        debug!("started worker {} of at most {}", threads + 1, self.threads_max);
        Ok(())
    }

    fn work(self: &Arc<Self>) {
        let mut desk = match self.service.desk() {
            Ok(desk) => desk,
            Err(error) if self.trouble.is_due() => return warn!("cannot start a worker: {error}"),
            Err(_) => return,
        };
        let bell = Bell::default();
        while let Some(event) = self.await_event() {
            if let Some(idle) = self.reactor.take(event) {
                self.attend(&mut desk, &bell, idle);
            }
        }
    }

    /// `None`: enough others wait, and this worker has waited long enough.
    fn await_event(self: &Arc<Self>) -> Option<Event> {
        let others = self.waiting.fetch_add(1, Ordering::Relaxed);
        let mut patience = (others >= WAITING_MIN).then_some(WAITING_PATIENCE);
        loop {
            if let Some(event) = self.reactor.wait(patience) {
                if self.waiting.fetch_sub(1, Ordering::Relaxed) == 1 {
                    self.spawn_or_tell();
                }
                return Some(event);
            }
            let leave = |waiting: usize| (waiting > WAITING_MIN).then(|| waiting - 1);
            if self
                .waiting
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, leave)
                .is_ok()
            {
                return None;
            }
            patience = None;
        }
    }

    /// Whether this worker must not wait for a client: enough others do, or nobody else could serve.
    fn is_hurried(&self) -> bool {
        self.lingering.load(Ordering::Relaxed) >= LINGERING_MAX
            || self.waiting.load(Ordering::Relaxed) == 0 && self.threads.load(Ordering::Relaxed) >= self.threads_max()
    }

    fn attend(&self, desk: &mut S::Desk, bell: &Bell, idle: Idle<S::Listener>) {
        let (listener, registered) = (idle.listener, idle.is_registered());
        let mut inbox = self.service.inbox(desk);
        let mut connection = Connection::new(idle.socket, &self.activity, &self.lingering, &self.waiting_room, bell);
        let mut begun = false;
        loop {
            connection.begin_request(self.is_hurried(), begun);
            let after = self.service.serve(&mut inbox, &mut connection, listener);
            connection.end_request();
            match after {
                _ if connection.is_quiet() => return self.reactor.park(connection.into_socket(), listener, registered),
                After::KeepAlive => begun = false,
                After::More => begun = true,
                After::Close => return connection.close(),
            }
        }
    }
}

#[cfg(test)]
mod tests;
