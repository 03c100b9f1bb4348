//! The watchdog: one thread that stops guests whose time is over, or whose client has gone.
//!
//! Each worker has a slot. A run fills it when it begins and empties it when it ends: an uncontended lock each, no system
//! call and no allocation. The watchdog looks at all slots every [`TICK`] and at the next deadline, as long as there are
//! runs; when there have been none for a while it sleeps until one begins, which wakes it.
//!
//! **Invariants.** A guest is stopped under its slot's lock, while its run is in the slot: once [`Watch::end`] has returned,
//! nothing of the run is touched. A run shorter than a tick costs no look at its client.
//!
//! **A client that closes** its connection, or half of it, has gone: the kernel does not tell the two apart until something
//! is sent. HTTP knows no half-closed client that still waits (RFC 9112, 9.6, lets a server close then), and OpenWhisk's
//! invoker closes whole.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::{Duration, Instant, SystemTime};
use std::{io, mem};

use executor_core::limits::PREPARATION_MAX_MS;
use executor_core::runtime::{Occasion, StopReason, Stopper, Watch};
use log::warn;
use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How often the watchdog looks while guests run: a deadline that was set meanwhile, or a client that goes, is noticed so
/// much later at most.
const TICK: Duration = Duration::from_millis(10);

/// After so many looks without a run, the watchdog sleeps until the next one begins. A client that sends a request every
/// second does not have to wake it each time.
const QUIET_TICKS: u32 = 150;

/// A guest that still runs so long after it was stopped does not look whether it was: its worker is given up.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(1);

/// Watches over the guests of all workers. It lives as long as the process.
#[derive(Debug)]
pub struct Watchdog<S> {
    run_max: Duration,
    slots: Mutex<Vec<Arc<Slot<S>>>>,
    /// A guest has begun since the last look.
    has_begun: AtomicBool,
    /// The watchdog sleeps until someone wakes it.
    is_asleep: AtomicBool,
    thread: OnceLock<Thread>,
    /// Workers that are given up.
    given_up: AtomicUsize,
}

/// A worker's place with the watchdog. It serves one thread.
#[derive(Debug)]
pub struct Seat<S> {
    watchdog: Arc<Watchdog<S>>,
    slot: Arc<Slot<S>>,
}

/// A worker's place, for the requests of one client.
#[derive(Debug)]
pub struct Attended<'s, S> {
    seat: &'s Seat<S>,
    /// Who waits for the reply, if it is someone who can go.
    client: Option<&'s Arc<OwnedFd>>,
}

#[derive(Debug)]
struct Slot<S>(Mutex<Option<Guest<S>>>);

/// A guest that runs.
#[derive(Debug)]
struct Guest<S> {
    stopper: S,
    client: Option<Arc<OwnedFd>>,
    is_preparation: bool,
    until: Instant,
    limit_ms: u64,
    /// The watchdog has seen it at an earlier look.
    is_known: bool,
    stopped: Option<(Instant, StopReason)>,
    is_given_up: bool,
}

/// What a look at the slots has shown.
#[derive(Clone, Copy)]
struct Seen {
    /// When the next guest's time is over.
    next: Option<Instant>,
    /// A guest runs, or has run since the last look.
    is_active: bool,
}

impl<S: Stopper> Watchdog<S> {
    /// Start watching. No guest runs for longer than `run_max`. `confine` is what the thread does before anything else.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn start(run_max: Duration, confine: impl FnOnce() + Send + 'static) -> io::Result<Arc<Self>> {
        let watchdog = Arc::new(Watchdog {
            run_max,
            slots: Mutex::default(),
            has_begun: AtomicBool::new(false),
            is_asleep: AtomicBool::new(false),
            thread: OnceLock::new(),
            given_up: AtomicUsize::new(0),
        });
        let watching = watchdog.clone();
        let thread = thread::Builder::new()
            .name("watchdog".into())
            .stack_size(128 * 1024)
            .spawn(move || {
                confine();
                watching.watch();
            })?;
        let _ = watchdog.thread.set(thread.thread().clone());
        Ok(watchdog)
    }

    /// A place for the calling thread.
    pub fn seat(self: &Arc<Self>) -> Seat<S> {
        let slot = Arc::new(Slot(Mutex::new(None)));
        self.slots.lock().push(slot.clone());
        Seat {
            watchdog: self.clone(),
            slot,
        }
    }

    /// How many workers are held by guests that were stopped, and run on.
    pub fn given_up(&self) -> usize {
        self.given_up.load(Ordering::Relaxed)
    }

    /// How long a guest may run from now on: as a time, and in milliseconds.
    fn limit(&self, occasion: Occasion) -> (Duration, u64) {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let max_ms = milliseconds(self.run_max);
        let limit_ms = match occasion {
            Occasion::Preparation => max_ms.min(PREPARATION_MAX_MS),
            Occasion::Run {
                deadline_epoch_ms: None,
            } => max_ms,
            Occasion::Run {
                deadline_epoch_ms: Some(deadline_ms),
            } => {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
                max_ms.min(deadline_ms.saturating_sub(now.map_or(0, milliseconds)))
            }
        };
        (Duration::from_millis(limit_ms), limit_ms)
    }

    fn watch(&self) {
        let mut quiet_ticks = 0;
        loop {
            let now = Instant::now();
            let seen = self.look(now);
            quiet_ticks = if seen.is_active { 0 } else { quiet_ticks + 1 };
            if quiet_ticks < QUIET_TICKS {
                let until_next = seen.next.map_or(TICK, |next| next.saturating_duration_since(now));
                thread::park_timeout(until_next.min(TICK));
                continue;
            }
            self.is_asleep.store(true, Ordering::SeqCst);
            // Whoever begins now either is seen here, or takes its slot's lock after this look and so sees that the watchdog
            // is asleep.
            if !self.look(now).is_active {
                while self.is_asleep.load(Ordering::SeqCst) {
                    thread::park();
                }
            }
            self.is_asleep.store(false, Ordering::SeqCst);
            quiet_ticks = 0;
        }
    }

    /// A guest has begun.
    fn note_begin(&self) {
        // Workers share the flag: it is written only where it changes.
        if !self.has_begun.load(Ordering::Relaxed) {
            self.has_begun.store(true, Ordering::Relaxed);
        }
        if self.is_asleep.load(Ordering::SeqCst) && self.is_asleep.swap(false, Ordering::SeqCst) {
            // It is set long before the watchdog falls asleep for the first time.
            if let Some(thread) = self.thread.get() {
                thread.unpark();
            }
        }
    }

    fn look(&self, now: Instant) -> Seen {
        let mut seen = Seen {
            next: None,
            is_active: self.has_begun.swap(false, Ordering::Relaxed),
        };
        for slot in &*self.slots.lock() {
            let mut slot = slot.0.lock();
            let Some(guest) = &mut *slot else { continue };
            seen.is_active = true;
            guest.look(now);
            match guest.stopped {
                None => seen.next = Some(seen.next.map_or(guest.until, |next| next.min(guest.until))),
                Some((at, _)) if !guest.is_given_up && now.saturating_duration_since(at) > GIVEN_UP_AFTER => {
                    guest.is_given_up = true;
                    self.given_up.fetch_add(1, Ordering::Relaxed);
                    warn!(
                        "a guest was stopped and runs on: it was compiled without interrupts. Its worker is given up"
                    );
                }
                Some(_) => {}
            }
        }
        seen
    }
}

impl<S: Stopper> Guest<S> {
    fn look(&mut self, now: Instant) {
        if self.stopped.is_some() {
            return;
        }
        if now >= self.until {
            self.stop(now, self.time_limit());
        } else if mem::replace(&mut self.is_known, true)
            && let Some(client) = &self.client
        {
            if self.is_preparation {
                if has_sent(client) {
                    self.stop(now, self.time_limit());
                }
            } else if has_gone(client) {
                self.stop(now, StopReason::ClientGone);
            }
        }
    }

    fn time_limit(&self) -> StopReason {
        StopReason::TimeLimit {
            limit_ms: self.limit_ms,
        }
    }

    fn stop(&mut self, now: Instant, reason: StopReason) {
        self.stopped = Some((now, reason));
        self.stopper.stop();
    }
}

impl<S: Stopper> Seat<S> {
    /// Watch for a client who waits on this connection.
    pub fn attend<'s>(&'s self, client: Option<&'s Arc<OwnedFd>>) -> Attended<'s, S> {
        Attended { seat: self, client }
    }
}

impl<S> Drop for Seat<S> {
    fn drop(&mut self) {
        self.watchdog.slots.lock().retain(|slot| !Arc::ptr_eq(slot, &self.slot));
    }
}

impl<S: Stopper> Watch<S> for Attended<'_, S> {
    fn begin(&self, stopper: S, occasion: Occasion) {
        let watchdog = &self.seat.watchdog;
        let (limit, limit_ms) = watchdog.limit(occasion);
        let since = Instant::now();
        let mut guest = Guest {
            stopper,
            client: self.client.cloned(),
            is_preparation: occasion == Occasion::Preparation,
            until: since.checked_add(limit).unwrap_or(since),
            limit_ms,
            is_known: false,
            stopped: None,
            is_given_up: false,
        };
        if limit.is_zero() {
            guest.stop(since, guest.time_limit());
        }
        *self.seat.slot.0.lock() = Some(guest);
        watchdog.note_begin();
    }

    fn end(&self) -> Option<StopReason> {
        let guest = self.seat.slot.0.lock().take()?;
        if guest.is_given_up {
            self.seat.watchdog.given_up.fetch_sub(1, Ordering::Relaxed);
        }
        guest.stopped.map(|(_, reason)| reason)
    }
}

/// Whether the client has closed the connection, or its half of it.
fn has_gone(client: &OwnedFd) -> bool {
    events(client).intersects(GONE)
}

/// Whether something of the client's next request has come.
fn has_sent(client: &OwnedFd) -> bool {
    let events = events(client);
    events.contains(PollFlags::IN) && !events.intersects(GONE)
}

const GONE: PollFlags = PollFlags::RDHUP.union(PollFlags::HUP).union(PollFlags::ERR);

/// What can be said of a connection now.
fn events(client: &OwnedFd) -> PollFlags {
    let mut sources = [PollFd::new(client, PollFlags::IN | PollFlags::RDHUP)];
    // An error would tell nothing of the client: the run goes on, to its deadline at most.
    match poll(&mut sources, Some(&Timespec::default())) {
        Ok(_) => sources[0].revents(),
        Err(_) => PollFlags::empty(),
    }
}

#[cfg(test)]
mod tests;
