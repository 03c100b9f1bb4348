//! How much memory bodies and code may take, all together.
//!
//! A count of bytes, not an allocator: who wants a buffer takes a [`Share`] first, and dropping that gives it back.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::runtime::OutOfMemory;

/// What there is, and how much of it is taken.
#[derive(Debug)]
pub struct Budget {
    max_bytes: usize,
    taken_bytes: AtomicUsize,
}

/// A part of a budget. Dropping it gives it back.
#[derive(Debug)]
pub struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    /// Nothing is taken.
    pub fn new(max_bytes: usize) -> Self {
        Budget {
            max_bytes,
            taken_bytes: AtomicUsize::new(0),
        }
    }

    /// Take `bytes`.
    ///
    /// # Errors
    /// [`OutOfMemory`]: less is left.
    pub fn take(self: &Arc<Self>, bytes: usize) -> Result<Share, OutOfMemory> {
        self.add(bytes)?;
        Ok(Share {
            budget: self.clone(),
            bytes,
        })
    }

    fn add(&self, bytes: usize) -> Result<(), OutOfMemory> {
        // Nothing else is published by this number: relaxed is enough.
        self.taken_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
                taken.checked_add(bytes).filter(|sum| *sum <= self.max_bytes)
            })
            .map(|_| ())
            .map_err(|_| OutOfMemory)
    }
}

impl Share {
    /// Take `more` bytes.
    ///
    /// # Errors
    /// [`OutOfMemory`]: less is left. The share is as it was.
    pub fn grow(&mut self, more: usize) -> Result<(), OutOfMemory> {
        self.budget.add(more)?;
        self.bytes += more;
        Ok(())
    }

    /// Give back all but `bytes`.
    pub fn shrink_to(&mut self, bytes: usize) {
        let surplus = self.bytes.saturating_sub(bytes);
        self.bytes -= surplus;
        self.budget.taken_bytes.fetch_sub(surplus, Ordering::Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_given_than_there_is() {
        let budget = Arc::new(Budget::new(100));
        let first = budget.take(60).ok();
        assert!(first.is_some());
        assert!(budget.take(41).is_err());
        assert!(
            budget.take(usize::MAX).is_err(),
            "a sum that does not fit is not a small one"
        );
        assert!(budget.take(40).is_ok());
        drop(first);
        assert!(budget.take(100).is_ok(), "everything was given back");
    }

    #[test]
    fn a_share_grows_within_the_budget() {
        let budget = Arc::new(Budget::new(100));
        let Ok(mut share) = budget.take(10) else {
            panic!("it is there")
        };
        assert!(share.grow(91).is_err());
        assert!(share.grow(usize::MAX).is_err());
        assert!(share.grow(90).is_ok());
        assert!(budget.take(1).is_err());
        drop(share);
        assert!(budget.take(100).is_ok(), "everything was given back");
    }

    #[test]
    fn a_part_of_a_share_can_be_given_back() {
        let budget = Arc::new(Budget::new(100));
        let Ok(mut share) = budget.take(100) else {
            panic!("it is there")
        };
        share.shrink_to(1000);
        assert!(budget.take(1).is_err(), "it does not grow");
        share.shrink_to(30);
        assert!(budget.take(71).is_err());
        let other = budget.take(70);
        assert!(other.is_ok());
        drop(share);
        assert!(budget.take(30).is_ok());
    }
}
