//! A run that has ended: its answer, and the return of its instance once the reply has left.

use alloc::sync::Arc;
use core::ops::Range;

use executor_wasi::Output;
use lock_api::RawMutex;

use super::action::Action;
use super::shared::Ready;
use crate::runtime::{self, Logs, RunError};

/// A run that has ended. Dropping it makes the instance ready for the next run.
pub struct Finished<L: RawMutex> {
    pub(super) action: Arc<Action<L>>,
    /// The instance, unless none could be made.
    pub(super) ready: Option<Ready>,
    /// Every call into the guest returned: the instance can be made fresh.
    pub(super) is_reusable: bool,
    pub(super) answer: Result<Answer, RunError>,
    pub(super) output: Output,
}

/// Where an answer lies.
pub enum Answer {
    /// In the guest's memory.
    Memory(Range<usize>),
    /// In what the guest printed.
    LastLine,
}

impl<L: RawMutex> runtime::Finished for Finished<L> {
    fn answer(&self) -> Result<&[u8], RunError> {
        match (self.answer.as_ref(), &self.ready) {
            (Ok(Answer::LastLine), _) => Ok(self.output.last_line()),
            (Ok(Answer::Memory(range)), Some(ready)) => {
                ready.instance.memory().get(range.clone()).ok_or(RunError::BadAnswer)
            }
            (Ok(Answer::Memory(_)), None) => Err(RunError::BadAnswer),
            (Err(error), _) => Err(*error),
        }
    }

    fn logs(&self) -> Logs<'_> {
        let stdout = match self.answer {
            Ok(Answer::LastLine) => self.output.log(),
            _ => self.output.stdout(),
        };
        Logs {
            stdout,
            stderr: self.output.stderr(),
        }
    }
}

impl<L: RawMutex> Drop for Finished<L> {
    fn drop(&mut self) {
        let (Some(mut ready), true) = (self.ready.take(), self.is_reusable) else {
            return;
        };
        if ready.fresh.restore(&mut ready.instance).is_ok() {
            self.action.put_back(ready);
        }
    }
}
