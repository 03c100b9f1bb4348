//! Where the time of a request goes: spans of its stages, for the evaluation.
//!
//! Takes the beginning ([`enter`]) and the end (a [`Span`] that goes out of scope) of a part. With the feature `spans` it keeps them,
//! and needs the standard library for its clock; without, a span is a value of no size, and both are nothing at all: the calls
//! may stand on the hot path.

/// A part of a request. Parts lie in one another: what is inside another counts for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All that is done for a request, from the wait for its first byte until its connection is free for the next.
    Request,
    /// In the kernel: `recv` and `send`, with the wait for the client.
    Socket,
    /// The head, understood.
    Head,
    /// The body's place, and what of it came with the head.
    Body,
    /// The body, understood.
    Command,
    /// Base64.
    Decode,
    /// The artifact found in its bundle, hashed, and held against its signature.
    Locate,
    /// The module, loaded or found loaded.
    Load,
    /// An instance of it, with its initialiser run.
    Instantiate,
    /// The guest.
    Guest,
    /// The reply, written.
    Reply,
    /// What comes after the reply.
    Settle,
}

impl Part {
    /// Its name in what is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Part::Request => "request",
            Part::Socket => "socket",
            Part::Head => "head",
            Part::Body => "body",
            Part::Command => "command",
            Part::Decode => "decode",
            Part::Locate => "locate",
            Part::Load => "load",
            Part::Instantiate => "instantiate",
            Part::Guest => "guest",
            Part::Reply => "reply",
            Part::Settle => "settle",
        }
    }
}

#[cfg(not(feature = "spans"))]
pub use off::{Span, enter};
#[cfg(feature = "spans")]
pub use on::{Record, Span, enter, records};

#[cfg(not(feature = "spans"))]
mod off {
    use super::Part;

    /// A part that has begun.
    #[must_use]
    pub struct Span;

    impl Span {
        /// It ends here.
        #[inline(always)]
        pub fn end(self) {}
    }

    /// A part begins. It ends with the span.
    #[inline(always)]
    pub fn enter(_part: Part) -> Span {
        Span
    }

    const _: () = assert!(size_of::<Span>() == 0 && !core::mem::needs_drop::<Span>());
}

#[cfg(feature = "spans")]
mod on {
    extern crate std;

    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::{Mutex, OnceLock, PoisonError};
    use std::time::Instant;
    use std::vec::Vec;

    use super::Part;

    /// A part that has ended.
    #[derive(Clone, Copy, Debug)]
    pub struct Record {
        /// Which part.
        pub part: Part,
        /// On which thread: parts lie in others of the same one.
        pub thread: u32,
        /// When it began, in nanoseconds since the first one.
        pub begin_ns: u64,
        /// How long it took.
        pub length_ns: u64,
    }

    static START: OnceLock<Instant> = OnceLock::new();
    static RECORDS: Mutex<Vec<Record>> = Mutex::new(Vec::new());
    static THREADS: AtomicU32 = AtomicU32::new(0);

    std::thread_local! {
        static THREAD: u32 = THREADS.fetch_add(1, Ordering::Relaxed);
    }

    /// A part that has begun.
    #[must_use]
    pub struct Span {
        part: Part,
        begin: Instant,
    }

    /// A part begins. It ends with the span.
    pub fn enter(part: Part) -> Span {
        let begin = Instant::now();
        START.get_or_init(|| begin);
        Span { part, begin }
    }

    impl Span {
        /// It ends here.
        pub fn end(self) {}
    }

    impl Drop for Span {
        fn drop(&mut self) {
            let nanoseconds = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
            let since = START.get().map_or(self.begin, |start| *start);
            let record = Record {
                part: self.part,
                thread: THREAD.with(|thread| *thread),
                length_ns: nanoseconds(self.begin.elapsed()),
                begin_ns: nanoseconds(self.begin.saturating_duration_since(since)),
            };
            RECORDS.lock().unwrap_or_else(PoisonError::into_inner).push(record);
        }
    }

    /// All parts that have ended, which are then forgotten.
    pub fn records() -> Vec<Record> {
        std::mem::take(&mut *RECORDS.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[cfg(test)]
    mod tests {
        #[test]
        fn parts_lie_in_one_another() {
            super::records();
            let outer = super::enter(super::Part::Load);
            drop(super::enter(super::Part::Instantiate));
            drop(outer);
            // Other tests of this process make records, too.
            let records = super::records();
            let at = |part| records.iter().find(|record| record.part == part);
            let (inner, outer) = (at(super::Part::Instantiate), at(super::Part::Load));
            let (inner, outer) = (inner.expect("it ended"), outer.expect("it ended"));
            assert!(outer.begin_ns <= inner.begin_ns);
            assert!(inner.begin_ns + inner.length_ns <= outer.begin_ns + outer.length_ns);
        }
    }
}
