//! How many requests are being served, and whether the process is about to leave.
//!
//! A request counts from its first byte until its reply and its logs have left. The supervisor waits for the last one
//! before it ends the process.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

/// Shared by the workers, the node and the supervisor.
#[derive(Debug)]
pub struct Activity {
    requests: AtomicUsize,
    draining: AtomicBool,
    /// Becomes readable when the last request ends while the process drains.
    ended: OwnedFd,
}

impl Activity {
    /// Nothing is being served.
    ///
    /// # Errors
    /// What the kernel says if it has no descriptor for the wake-up.
    pub fn new() -> Result<Self, Errno> {
        let ended = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Activity {
            requests: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            ended,
        })
    }

    // `SeqCst` throughout: a request that began before the drain has either been counted when the supervisor looks, or
    // sees the drain and is refused.

    /// A request's first byte has come.
    pub fn begin(&self) {
        self.requests.fetch_add(1, Ordering::SeqCst);
    }

    /// A request's reply and logs have left.
    pub fn end(&self) {
        if self.requests.fetch_sub(1, Ordering::SeqCst) == 1 && self.is_draining() {
            // Fails only if 2^64 - 1 wake-ups are pending: then the supervisor is awake already.
            let _ = rustix::io::write(&self.ended, &1_u64.to_ne_bytes());
        }
    }

    /// The wake-up has been seen.
    pub fn acknowledge(&self) {
        // Fails if there was none.
        let _ = rustix::io::read(&self.ended, &mut [0; 8]);
    }

    /// How many requests are being served.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// From now on new work is refused.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    /// Whether new work is refused.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }
}

/// Readable when the last request has ended while the process drains.
impl AsFd for Activity {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ended.as_fd()
    }
}
