//! The timer's interrupt: it stops guests whose time is over or whose client has gone, and feeds the watchdog while something
//! moves.
//!
//! Interpreter and native code poll a flag (`wamr-sys/c/stop.c`); this sets it. While a guest runs, the handler also lets the
//! network move, so that a client's close is seen and new connections are taken. The watchdog is fed as long as
//!
//! - a guest runs that has time left, or was told to stop less than [`STOPPED_WAIT_MS`] ago;
//! - or the thread has passed one of its loops' heads less than [`PROGRESS_WAIT_MS`] ago.
//!
//! Otherwise the cause is noted in the boot record, and the watchdog resets the board. It also does if this interrupt itself no
//! longer comes.

use core::sync::atomic::{AtomicU32, Ordering};

use executor_core::limits::PREPARATION_MAX_MS;
use executor_core::runtime::{Occasion, StopReason, Stopper as _, Watch};
use executor_core::wamr::RunStopper;

use crate::board::{self, Board};
use crate::boot_record::BootRecord;
use crate::network::NETWORK;
use crate::one_core::Mutex;

/// A guest that still runs so long after it was stopped does not look whether it was.
const STOPPED_WAIT_MS: u64 = 2_000;

/// As long as nothing that the thread does by itself takes: loading the largest module, inflating it.
const PROGRESS_WAIT_MS: u32 = 20_000;

static GUEST: Mutex<Option<Guest>> = Mutex::new(None);

/// When the thread was last seen to move. 32 bits of milliseconds: differences count.
static PROGRESS_MS: AtomicU32 = AtomicU32::new(0);

static CLOCK: Mutex<Clock> = Mutex::new(Clock::Unknown);

/// The longest that a guest may run.
static RUN_MAX_MS: AtomicU32 = AtomicU32::new(0);

/// A guest that runs.
struct Guest {
    stopper: RunStopper,
    /// The connection of the client that waits.
    client: Option<usize>,
    is_preparation: bool,
    until_ms: u64,
    limit_ms: u64,
    stopped: Option<(u64, StopReason)>,
}

/// The date, from a clock that tells seconds: the moment at which they change is waited for, tick by tick.
#[derive(Clone, Copy)]
enum Clock {
    Unknown,
    /// It said so many seconds when it was last asked, at this time.
    Coarse {
        epoch_s: u64,
        asked_ms: u64,
    },
    /// It was so late at the start.
    Fine {
        start_epoch_ms: u64,
    },
}

impl Clock {
    fn look(&mut self, board: &dyn Board, now_ms: u64) {
        match *self {
            Clock::Fine { .. } => {}
            Clock::Unknown => {
                if let Some(epoch_s) = board.epoch_s() {
                    *self = Clock::Coarse {
                        epoch_s,
                        asked_ms: now_ms,
                    };
                }
            }
            Clock::Coarse {
                epoch_s: before,
                asked_ms,
            } => {
                let Some(epoch_s) = board.epoch_s() else { return };
                *self = if epoch_s == before {
                    Clock::Coarse {
                        epoch_s,
                        asked_ms: now_ms,
                    }
                } else {
                    // It changed between the two questions. The earlier time is taken: deadlines may be noticed a tick early,
                    // and not late.
                    Clock::Fine {
                        start_epoch_ms: epoch_s.saturating_mul(1000).saturating_sub(asked_ms),
                    }
                };
            }
        }
    }

    fn epoch_ms(self, now_ms: u64) -> Option<u64> {
        match self {
            Clock::Unknown => None,
            // The middle of what it may be.
            Clock::Coarse { epoch_s, .. } => Some(epoch_s * 1000 + 500),
            Clock::Fine { start_epoch_ms } => Some(start_epoch_ms + now_ms),
        }
    }
}

/// Milliseconds since the Unix epoch, if the board knows the date.
pub(crate) fn epoch_ms() -> Option<u64> {
    CLOCK.try_lock()?.epoch_ms(board::uptime_ms())
}

/// Whether the date is known as exactly as ticks come.
pub(crate) fn knows_date() -> bool {
    CLOCK
        .try_lock()
        .is_some_and(|clock| matches!(*clock, Clock::Fine { .. }))
}

/// The thread moves.
pub(crate) fn note_progress() {
    #[expect(clippy::cast_possible_truncation, reason = "differences count")]
    PROGRESS_MS.store(board::uptime_ms() as u32, Ordering::Relaxed);
}

pub(crate) fn set_run_max(run_max_ms: u64) {
    RUN_MAX_MS.store(u32::try_from(run_max_ms).unwrap_or(u32::MAX), Ordering::Relaxed);
}

/// What the timer's interrupt does, about every 10 ms. `record` gets the cause if the board is given up.
pub fn tick(board: &dyn Board, record: &BootRecord) {
    let now_ms = board.uptime_us() / 1000;
    if let Some(mut clock) = CLOCK.try_lock() {
        clock.look(board, now_ms);
    }
    let is_alive = match GUEST.try_lock() {
        // It is about to begin or to end, which is the thread's doing.
        None => is_thread_alive(now_ms, record),
        Some(mut guest) => match &mut *guest {
            Some(guest) => {
                guest.look(now_ms);
                guest.is_alive(now_ms, record)
            }
            None => is_thread_alive(now_ms, record),
        },
    };
    if is_alive {
        board.feed_watchdog();
    }
}

fn is_thread_alive(now_ms: u64, record: &BootRecord) -> bool {
    #[expect(clippy::cast_possible_truncation, reason = "differences count")]
    let still_ms = (now_ms as u32).wrapping_sub(PROGRESS_MS.load(Ordering::Relaxed));
    // A difference that is negative: the thread was here between the look at the clock and this one.
    let is_alive = !(PROGRESS_WAIT_MS..=u32::MAX / 2).contains(&still_ms);
    if !is_alive {
        record.note(format_args!("the watchdog: nothing has moved for {still_ms} ms"));
    }
    is_alive
}

impl Guest {
    fn look(&mut self, now_ms: u64) {
        let Some(mut network) = NETWORK.try_lock() else { return };
        let Some(network) = network.as_deref_mut() else { return };
        network.poll(now_ms * 1000);
        if self.stopped.is_some() {
            return;
        }
        if now_ms >= self.until_ms {
            self.stop(now_ms, self.time_limit());
        } else if let Some(client) = self.client {
            if self.is_preparation {
                if network.sockets().has_sent(client) {
                    self.stop(now_ms, self.time_limit());
                }
            } else if network.sockets().has_gone(client) {
                self.stop(now_ms, StopReason::ClientGone);
            }
        }
    }

    fn time_limit(&self) -> StopReason {
        StopReason::TimeLimit {
            limit_ms: self.limit_ms,
        }
    }

    fn stop(&mut self, now_ms: u64, reason: StopReason) {
        self.stopped = Some((now_ms, reason));
        self.stopper.stop();
    }

    fn is_alive(&self, now_ms: u64, record: &BootRecord) -> bool {
        match self.stopped {
            Some((at_ms, _)) if now_ms.saturating_sub(at_ms) > STOPPED_WAIT_MS => {
                record.note(format_args!(
                    "the watchdog: a guest was stopped and ran on: it was compiled without interrupts"
                ));
                false
            }
            _ => true,
        }
    }
}

/// The thread's place with the watch, for the requests of one client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat {
    client: Option<usize>,
}

impl Seat {
    /// Nobody waits.
    pub(crate) const UNATTENDED: Self = Seat { client: None };

    /// The client of this connection waits.
    pub(crate) fn of_client(client: usize) -> Self {
        Seat { client: Some(client) }
    }
}

impl Watch<RunStopper> for Seat {
    fn begin(&self, stopper: RunStopper, occasion: Occasion) {
        note_progress();
        let now_ms = board::uptime_ms();
        let max_ms = u64::from(RUN_MAX_MS.load(Ordering::Relaxed));
        let limit_ms = match occasion {
            Occasion::Preparation => max_ms.min(PREPARATION_MAX_MS),
            Occasion::Run { deadline_epoch_ms } => match (deadline_epoch_ms, epoch_ms()) {
                (Some(deadline_ms), Some(now_ms)) => max_ms.min(deadline_ms.saturating_sub(now_ms)),
                // Without a date the client's close says that the time is over.
                _ => max_ms,
            },
        };
        let mut guest = Guest {
            stopper,
            client: self.client,
            is_preparation: occasion == Occasion::Preparation,
            until_ms: now_ms + limit_ms,
            limit_ms,
            stopped: None,
        };
        if limit_ms == 0 {
            guest.stop(now_ms, guest.time_limit());
        }
        *GUEST.lock() = Some(guest);
    }

    fn end(&self) -> Option<StopReason> {
        note_progress();
        // The handler drops nothing: it only looks.
        let guest = GUEST.lock().take()?;
        guest.stopped.map(|(_, reason)| reason)
    }
}
