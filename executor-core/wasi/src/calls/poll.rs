//! `poll_oneoff`: how a guest sleeps.
//!
//! Descriptors are always ready here: standard input is all there, standard output is taken by memory, files are regular. So
//! there is only one thing to wait for, the first clock.

use crate::context::Context;
use crate::descriptors::Descriptor;
use crate::errno::Errno;
use crate::functions::Failure;
use crate::host::{File, Host};
use crate::layout::{Awaited, Event, EventKind, SUBSCRIPTION_BYTES, Subscription};
use crate::memory::GuestMemory;

/// The size of an `event`.
const EVENT_BYTES: u32 = 32;

/// What a write may be said to take at once.
const WRITABLE_BYTES: u64 = 64 * 1024;

/// The clocks when the call began: every subscription is reckoned from here, so that two looks at it agree.
struct Start {
    realtime_ns: Option<u64>,
    monotonic_ns: u64,
}

impl Start {
    fn clock_ns(&self, clock: u32) -> Result<u64, Errno> {
        match clock {
            super::clock::REALTIME => self.realtime_ns.ok_or(Errno::Inval),
            super::clock::MONOTONIC => Ok(self.monotonic_ns),
            _ => Err(Errno::Inval),
        }
    }
}

impl<H: Host> Context<'_, H> {
    pub(crate) fn poll_oneoff(
        &mut self,
        memory: &mut GuestMemory<'_>,
        subscriptions: u32,
        events: u32,
        count: u32,
        stored: u32,
    ) -> Result<(), Failure> {
        if count == 0 {
            return Err(Errno::Inval.into());
        }
        // The arrays must lie in memory whole before anyone waits.
        memory.slice(
            subscriptions,
            count.checked_mul(SUBSCRIPTION_BYTES).ok_or(Errno::Fault)?,
        )?;
        memory.slice(events, count.checked_mul(EVENT_BYTES).ok_or(Errno::Fault)?)?;
        memory.slice(stored, 4)?;

        let start = Start {
            realtime_ns: self.host.realtime_ns(),
            monotonic_ns: self.host.monotonic_ns(),
        };
        let mut first_ns = u64::MAX;
        for index in 0..count {
            let (after_ns, _) = self.event(&start, parse(memory, subscriptions, index)?);
            first_ns = first_ns.min(after_ns);
        }
        if first_ns > 0 {
            self.sleep(first_ns)?;
        }
        let mut happened = 0_u32;
        for index in 0..count {
            let (after_ns, event) = self.event(&start, parse(memory, subscriptions, index)?);
            if after_ns <= first_ns {
                memory.write(element(events, happened, EVENT_BYTES)?, &event.emit())?;
                happened = happened.saturating_add(1);
            }
        }
        memory.write_u32(stored, happened)?;
        Ok(())
    }

    /// The event that a subscription waits for, and how long after the start it happens.
    fn event(&self, start: &Start, subscription: Subscription) -> (u64, Event) {
        let mut event = Event {
            userdata: subscription.userdata,
            error: Errno::Success,
            kind: subscription.event,
            bytes: 0,
            hangup: false,
        };
        let outcome = match subscription.awaited {
            Awaited::Clock {
                clock,
                timeout_ns,
                absolute,
            } => start.clock_ns(clock).map(|now_ns| {
                if absolute {
                    timeout_ns.saturating_sub(now_ns)
                } else {
                    timeout_ns
                }
            }),
            Awaited::Descriptor(fd) => self.ready_bytes(fd, subscription.event).map(|bytes| {
                event.bytes = bytes;
                event.hangup = bytes == 0;
                0
            }),
        };
        let after_ns = outcome.unwrap_or_else(|errno| {
            event.error = errno;
            0
        });
        (after_ns, event)
    }

    /// How much can be read from or written to a descriptor at once.
    fn ready_bytes(&self, fd: u32, kind: EventKind) -> Result<u64, Errno> {
        match (self.descriptors.get(fd)?, kind) {
            (Descriptor::Stdin, EventKind::FdRead) => u64::try_from(self.stdin_rest.len()).map_err(|_| Errno::Overflow),
            (Descriptor::Stdout | Descriptor::Stderr, EventKind::FdWrite) => Ok(WRITABLE_BYTES),
            (Descriptor::File(file), EventKind::FdRead) if file.readable => {
                Ok(file.file.status()?.size.saturating_sub(file.position))
            }
            (Descriptor::File(file), EventKind::FdWrite) if file.writable => Ok(WRITABLE_BYTES),
            _ => Err(Errno::Badf),
        }
    }
}

/// Subscription `index` of the array.
fn parse(memory: &GuestMemory<'_>, array: u32, index: u32) -> Result<Subscription, Errno> {
    Subscription::parse(&memory.array(element(array, index, SUBSCRIPTION_BYTES)?)?)
}

/// The address of an array's element.
fn element(array: u32, index: u32, size: u32) -> Result<u32, Errno> {
    let offset = index.checked_mul(size).ok_or(Errno::Fault)?;
    array.checked_add(offset).ok_or(Errno::Fault)
}
