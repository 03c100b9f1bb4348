//! Microseconds since the start, from a counter of them that begins again after 2^32.

use core::sync::atomic::{AtomicU32, Ordering};

/// How often the counter had begun again at the last tick, and what it was then. (Ticks are not counted: one that comes before
/// the last was taken is lost, and under an emulator that happens.)
#[derive(Debug)]
pub struct Clock {
    last: AtomicU32,
    wraps: AtomicU32,
    /// The counter of microseconds.
    counter: fn() -> u32,
}

impl Clock {
    /// With a counter that is asked from its start on.
    #[must_use]
    pub const fn new(counter: fn() -> u32) -> Self {
        Clock {
            last: AtomicU32::new(0),
            wraps: AtomicU32::new(0),
            counter,
        }
    }

    /// Microseconds since the counter's start; from the thread and from handlers.
    #[must_use]
    pub fn uptime_us(&self) -> u64 {
        loop {
            let (wraps, last) = (self.wraps.load(Ordering::Relaxed), self.last.load(Ordering::Relaxed));
            let now = (self.counter)();
            // The timer's handler may have come in between.
            if self.last.load(Ordering::Relaxed) == last {
                let wraps = u64::from(wraps) + u64::from(now < last);
                return (wraps << 32) + u64::from(now);
            }
        }
    }

    /// What the timer's handler calls first, once in an hour at least.
    pub fn tick(&self) {
        let now = (self.counter)();
        if now < self.last.load(Ordering::Relaxed) {
            self.wraps.fetch_add(1, Ordering::Relaxed);
        }
        self.last.store(now, Ordering::Relaxed);
    }
}
