//! Sleeping, and being woken for good.

use core::sync::atomic::{AtomicBool, Ordering};
use std::vec;

use super::machine::{MONOTONIC_START_NS, Machine, REALTIME_START_NS};
use super::{BUFFER, Guest, LIMITS, MEMORY_LEN, OUT, TEXT, with_guest, with_input};
use crate::{Context, Errno, Function, Input, Output, Stop};

const EVENTS: u32 = BUFFER;
const REALTIME: u32 = 0;
const MONOTONIC: u32 = 1;
const RELATIVE: u16 = 0;
const ABSOLUTE: u16 = 1;

/// A clock's subscription, number `index` in the array at [`TEXT`].
fn clock(guest: &mut Guest<'_>, index: u32, id: u32, timeout_ns: u64, flags: u16) {
    let at = TEXT + 48 * index;
    guest.put(at, &[0; 48]);
    guest.put(at, &u64::from(0x1000 + index).to_le_bytes());
    guest.put(at + 16, &id.to_le_bytes());
    guest.put(at + 24, &timeout_ns.to_le_bytes());
    guest.put(at + 40, &flags.to_le_bytes());
}

/// A descriptor's subscription: type 1 to read, 2 to write.
fn descriptor(guest: &mut Guest<'_>, index: u32, kind: u8, fd: u32) {
    clock(guest, index, fd, 0, 0);
    guest.put(TEXT + 48 * index + 8, &[kind]);
}

fn poll(guest: &mut Guest<'_>, count: u32) -> Result<Errno, Stop> {
    guest.call_or_stop(
        Function::PollOneoff,
        &[TEXT.into(), EVENTS.into(), count.into(), OUT.into()],
    )
}

/// Userdata, error, type, bytes, flags.
fn event(guest: &Guest<'_>, index: u32) -> (u64, u8, u8, u64, u8) {
    let at = EVENTS + 32 * index;
    let bytes = guest.bytes(at, 32);
    (guest.u64(at), bytes[8], bytes[10], guest.u64(at + 16), bytes[24])
}

#[test]
fn a_clock_is_a_sleep() {
    for (id, timeout_ns, flags) in [
        (MONOTONIC, 300_000_000, RELATIVE),
        (REALTIME, 300_000_000, RELATIVE),
        (MONOTONIC, MONOTONIC_START_NS + 300_000_000, ABSOLUTE),
        (REALTIME, REALTIME_START_NS + 300_000_000, ABSOLUTE),
    ] {
        let machine = Machine::bare();
        with_guest(&machine, |guest| {
            clock(guest, 0, id, timeout_ns, flags);
            assert_eq!(poll(guest, 1), Ok(Errno::Success));
            assert_eq!(guest.u32(OUT), 1);
            assert_eq!(event(guest, 0), (0x1000, 0, 0, 0, 0));
        });
        assert_eq!((machine.slept_ns.get(), machine.sleeps.get()), (300_000_000, 1));
    }
}

#[test]
fn a_time_that_is_over_is_no_sleep() {
    let machine = Machine::bare();
    with_guest(&machine, |guest| {
        for (timeout_ns, flags) in [(0, RELATIVE), (0, ABSOLUTE), (MONOTONIC_START_NS, ABSOLUTE)] {
            clock(guest, 0, MONOTONIC, timeout_ns, flags);
            assert_eq!(poll(guest, 1), Ok(Errno::Success));
            assert_eq!(guest.u32(OUT), 1);
        }
    });
    assert_eq!(machine.sleeps.get(), 0);
}

#[test]
fn the_first_clock_ends_the_wait() {
    let machine = Machine::bare();
    with_guest(&machine, |guest| {
        clock(guest, 0, MONOTONIC, 500, RELATIVE);
        clock(guest, 1, MONOTONIC, 200, RELATIVE);
        clock(guest, 2, MONOTONIC, MONOTONIC_START_NS + 200, ABSOLUTE);
        assert_eq!(poll(guest, 3), Ok(Errno::Success));
        assert_eq!(guest.u32(OUT), 2);
        assert_eq!((event(guest, 0).0, event(guest, 1).0), (0x1001, 0x1002));
    });
    assert_eq!(machine.slept_ns.get(), 200);
}

#[test]
fn descriptors_are_ready_at_once() {
    let machine = Machine::with(&[("/data", false)]);
    machine.put_file("/data/file", b"0123456789");
    let input = Input {
        stdin: b"input",
        ..Input::default()
    };
    with_input(&machine, input, |guest| {
        let file = guest.open("file", 0, super::READ, 0).unwrap();
        guest.read(file, 4).unwrap();
        clock(guest, 0, MONOTONIC, 1_000, RELATIVE);
        descriptor(guest, 1, 1, 0);
        descriptor(guest, 2, 2, 1);
        descriptor(guest, 3, 1, file);
        descriptor(guest, 4, 2, file);
        descriptor(guest, 5, 1, 99);
        descriptor(guest, 6, 2, 0);
        assert_eq!(poll(guest, 7), Ok(Errno::Success));
        assert_eq!(guest.u32(OUT), 6);
        let badf = Errno::Badf.code() as u8;
        assert_eq!(event(guest, 0), (0x1001, 0, 1, 5, 0));
        assert_eq!(event(guest, 1), (0x1002, 0, 2, 65_536, 0));
        assert_eq!(event(guest, 2), (0x1003, 0, 1, 6, 0));
        assert_eq!(event(guest, 3).1, badf, "not open for writing");
        assert_eq!(event(guest, 4).1, badf, "not open");
        assert_eq!(event(guest, 5).1, badf, "standard input is not for writing");

        guest.read(0, 100).unwrap();
        descriptor(guest, 0, 1, 0);
        assert_eq!(poll(guest, 1), Ok(Errno::Success));
        assert_eq!(event(guest, 0), (0x1000, 0, 1, 0, 1), "the end of standard input");
    });
    assert_eq!(machine.sleeps.get(), 0);
}

#[test]
fn a_clock_that_there_is_not_is_an_event() {
    let machine = Machine::bare();
    with_guest(&machine, |guest| {
        clock(guest, 0, 2, 1_000, RELATIVE);
        assert_eq!(poll(guest, 1), Ok(Errno::Success));
        assert_eq!((guest.u32(OUT), event(guest, 0).1), (1, Errno::Inval.code() as u8));
    });
    assert_eq!(machine.sleeps.get(), 0);
}

#[test]
fn bad_arrays_are_refused_before_anyone_waits() {
    let machine = Machine::bare();
    with_guest(&machine, |guest| {
        clock(guest, 0, MONOTONIC, 1_000, RELATIVE);
        assert_eq!(poll(guest, 0), Ok(Errno::Inval));
        assert_eq!(poll(guest, u32::MAX), Ok(Errno::Fault));
        let end = u64::from(MEMORY_LEN);
        for arguments in [
            [end - 47, EVENTS.into(), 1, OUT.into()],
            [TEXT.into(), end - 31, 1, OUT.into()],
            [TEXT.into(), EVENTS.into(), 1, end - 3],
            [u64::from(u32::MAX), EVENTS.into(), 1, OUT.into()],
        ] {
            assert_eq!(
                guest.call(Function::PollOneoff, &arguments),
                Errno::Fault,
                "{arguments:x?}"
            );
        }
        guest.put(TEXT + 8, &[3]);
        assert_eq!(poll(guest, 1), Ok(Errno::Inval));
    });
    assert_eq!(machine.sleeps.get(), 0);
}

#[test]
fn the_longest_sleep_is_no_overflow() {
    let machine = Machine::bare();
    with_guest(&machine, |guest| {
        clock(guest, 0, MONOTONIC, u64::MAX, RELATIVE);
        assert_eq!(poll(guest, 1), Ok(Errno::Success));
    });
}

#[test]
fn a_deadline_ends_a_sleep_and_the_guest() {
    let machine = Machine::bare();
    with_guest(&machine, |guest| {
        guest.context.stop_at(MONOTONIC_START_NS + 700);
        clock(guest, 0, MONOTONIC, 500, RELATIVE);
        assert_eq!(poll(guest, 1), Ok(Errno::Success));
        assert_eq!(poll(guest, 1), Err(Stop::Interrupted));
        assert_eq!(machine.slept_ns.get(), 700);
        assert_eq!(poll(guest, 1), Err(Stop::Interrupted), "the deadline is over");
        assert_eq!(machine.slept_ns.get(), 700);
    });
}

#[test]
fn a_flag_ends_a_sleep_and_the_guest() {
    let machine = Machine::bare();
    let flag = AtomicBool::new(false);
    let is_stopped = || flag.load(Ordering::Relaxed);
    let mut output = Output::new(LIMITS);
    let mut guest = Guest {
        context: Context::new(&machine, Input::default(), &mut output),
        memory: vec![0; MEMORY_LEN as usize],
    };
    guest.context.stop_when(&is_stopped);
    clock(&mut guest, 0, MONOTONIC, 50_000_000, RELATIVE);
    assert_eq!(poll(&mut guest, 1), Ok(Errno::Success));
    assert_eq!(
        (machine.slept_ns.get(), machine.sleeps.get()),
        (50_000_000, 3),
        "in slices"
    );
    flag.store(true, Ordering::Relaxed);
    assert_eq!(poll(&mut guest, 1), Err(Stop::Interrupted));
    assert_eq!(machine.sleeps.get(), 3);
}

#[test]
fn the_host_ends_a_sleep_and_the_guest() {
    let machine = Machine::bare();
    machine.interrupt_at_sleep.set(Some(0));
    with_guest(&machine, |guest| {
        clock(guest, 0, MONOTONIC, 50, RELATIVE);
        assert_eq!(poll(guest, 1), Err(Stop::Interrupted));
    });
}
