//! The state of one run: what the guest was given, and what it has open.
//!
//! Nothing in here outlives the run; two runs share nothing but what lies in the host's directories.

use crate::descriptors::Descriptors;
use crate::host::{Host, Interrupted};
use crate::output::Output;

/// One run of one guest.
pub struct Context<'r, H: Host> {
    pub(crate) host: &'r H,
    pub(crate) input: Input<'r>,
    pub(crate) stdin_rest: &'r [u8],
    pub(crate) output: &'r mut Output,
    pub(crate) descriptors: Descriptors<'r, H>,
    deadline_monotonic_ns: Option<u64>,
    is_stopped: Option<&'r dyn Fn() -> bool>,
}

/// How long a guest sleeps before it is asked again whether it is to be stopped: short for whoever waits for the stop, long for a
/// processor with many sleepers.
const SLEEP_SLICE_NS: u64 = 20_000_000;

/// What a run is given.
#[derive(Clone, Copy, Debug, Default)]
pub struct Input<'r> {
    /// `argv`, the program's name first. Each is without NUL; a guest sees no more than up to one.
    pub arguments: &'r [&'r [u8]],
    /// The environment.
    pub environment: Environment<'r>,
    /// Everything that standard input holds.
    pub stdin: &'r [u8],
}

/// Environment variables, as one block: `KEY=value` and a NUL, for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Environment<'r> {
    block: &'r [u8],
    count: usize,
}

impl<'r> Environment<'r> {
    /// The variables in this block. `None` if it does not end with a NUL; empty is fine.
    #[must_use]
    pub fn new(block: &'r [u8]) -> Option<Self> {
        match block.last() {
            None | Some(0) => Some(Self {
                block,
                count: memchr::memchr_iter(0, block).count(),
            }),
            Some(_) => None,
        }
    }

    /// The block.
    #[must_use]
    pub fn block(&self) -> &'r [u8] {
        self.block
    }

    /// The number of variables.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }
}

impl<'r, H: Host> Context<'r, H> {
    /// A run about to start. What the guest writes goes to `output`, after what is there already.
    pub fn new(host: &'r H, input: Input<'r>, output: &'r mut Output) -> Self {
        Self {
            host,
            input,
            stdin_rest: input.stdin,
            output,
            descriptors: Descriptors::new(host.preopened()),
            deadline_monotonic_ns: None,
            is_stopped: None,
        }
    }

    /// No sleep shall last longer than to this time of [`Host::monotonic_ns`]: then the guest is stopped. (What it computes
    /// is the engine's to stop.)
    pub fn stop_at(&mut self, monotonic_ns: u64) {
        self.deadline_monotonic_ns = Some(monotonic_ns);
    }

    /// When `is_stopped` has become true, the guest is stopped by its next call, and in its sleep at most 20 ms later.
    pub fn stop_when(&mut self, is_stopped: &'r dyn Fn() -> bool) {
        self.is_stopped = Some(is_stopped);
    }

    /// For each host call, and within those that take long: whether the run is to be stopped.
    pub(crate) fn check_stop(&self) -> Result<(), Interrupted> {
        match self.is_stopped {
            Some(is_stopped) if is_stopped() => Err(Interrupted),
            _ => Ok(()),
        }
    }

    /// Block the calling thread, unless the run is to be stopped.
    pub(crate) fn sleep(&self, duration_ns: u64) -> Result<(), Interrupted> {
        let allowed_ns = self.deadline_monotonic_ns.map_or(u64::MAX, |deadline_ns| {
            deadline_ns.saturating_sub(self.host.monotonic_ns())
        });
        let mut rest_ns = duration_ns.min(allowed_ns);
        while rest_ns > 0 {
            self.check_stop()?;
            let slice_ns = match self.is_stopped {
                Some(_) => rest_ns.min(SLEEP_SLICE_NS),
                None => rest_ns,
            };
            self.host.sleep_ns(slice_ns)?;
            rest_ns = rest_ns.saturating_sub(slice_ns);
        }
        if duration_ns > allowed_ns {
            Err(Interrupted)
        } else {
            Ok(())
        }
    }
}
