//! The lock of a machine with one core and no threads.
//!
//! The thread and the timer's handler share data. The handler only tries ([`RawMutex::try_lock`]) and leaves what is held for
//! its next turn; so whoever locks finds the lock free, unless this program locks twice, which is a mistake in it.
#![allow(unsafe_code)] // `lock_api` asks for it

use core::sync::atomic::{AtomicBool, Ordering};

use lock_api::{GuardSend, RawMutex};

/// A lock that nobody waits for.
#[derive(Debug)]
pub struct OneCore(AtomicBool);

/// A mutex on it.
pub type Mutex<T> = lock_api::Mutex<OneCore, T>;

// SAFETY: `try_lock` succeeds for one caller until `unlock`: an atomic exchange decides.
unsafe impl RawMutex for OneCore {
    const INIT: Self = OneCore(AtomicBool::new(false));

    type Guard = GuardSend;

    fn lock(&self) -> GuardSend {
        self.try_lock().expect("the only thread takes no lock twice")
    }

    fn try_lock(&self) -> Option<GuardSend> {
        (!self.0.swap(true, Ordering::Acquire)).then(GuardSend::default)
    }

    unsafe fn unlock(&self, _: GuardSend) {
        self.0.store(false, Ordering::Release);
    }

    fn is_locked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
