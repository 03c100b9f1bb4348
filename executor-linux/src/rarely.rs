//! Telling the same thing now and then, however often it happens.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How long what was told is not told again.
const PAUSE: Duration = Duration::from_secs(10);

/// When something was told last.
#[derive(Debug, Default)]
pub struct Rarely(Mutex<Option<Instant>>);

impl Rarely {
    /// Whether to tell it now.
    pub fn is_due(&self) -> bool {
        let now = Instant::now();
        let mut last = self.0.lock();
        let is_due = last.is_none_or(|last| now.duration_since(last) >= PAUSE);
        if is_due {
            *last = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_not_told_again_at_once() {
        let rarely = Rarely::default();
        assert!(rarely.is_due());
        assert!(!rarely.is_due());
        *rarely.0.lock() = Instant::now().checked_sub(PAUSE);
        assert!(rarely.is_due());
    }
}
