//! Arguments, environment, clocks, chance, end; the table of functions.

use std::collections::BTreeSet;
use std::vec::Vec;

use super::machine::{MONOTONIC_START_NS, Machine, REALTIME_START_NS};
use super::{BUFFER, MEMORY_LEN, OUT, environment, text, with_guest, with_input};
use crate::{Errno, Function, Input, Stop};

/// The strings whose addresses are at `pointers`, each up to its NUL.
fn strings(guest: &super::Guest<'_>, pointers: u32, count: u32) -> Vec<std::string::String> {
    let string = |index| {
        let address = guest.u32(pointers + 4 * index) as usize;
        text(guest.memory[address..].split(|byte| *byte == 0).next().unwrap())
    };
    (0..count).map(string).collect()
}

#[test]
fn a_guest_gets_its_arguments_and_environment() {
    let input = Input {
        arguments: &[b"action.wasm", b"{\"name\":\"\xc3\xa4\"}", b""],
        environment: environment(b"__OW_ACTION_NAME=/_/add\0EMPTY=\0"),
        stdin: b"",
    };
    with_input(&Machine::bare(), input, |guest| {
        guest.ok(Function::ArgsSizesGet, &[OUT.into(), (OUT + 4).into()]);
        assert_eq!((guest.u32(OUT), guest.u32(OUT + 4)), (3, 12 + 14 + 1));
        guest.ok(Function::ArgsGet, &[OUT.into(), BUFFER.into()]);
        assert_eq!(strings(guest, OUT, 3), ["action.wasm", "{\"name\":\"ä\"}", ""]);
        assert_eq!(guest.bytes(BUFFER + 27, 1), [0xAA], "nothing behind the text");

        guest.ok(Function::EnvironSizesGet, &[OUT.into(), (OUT + 4).into()]);
        assert_eq!((guest.u32(OUT), guest.u32(OUT + 4)), (2, 31));
        guest.ok(Function::EnvironGet, &[OUT.into(), BUFFER.into()]);
        assert_eq!(strings(guest, OUT, 2), ["__OW_ACTION_NAME=/_/add", "EMPTY="]);
        assert_eq!(guest.bytes(BUFFER + 30, 2), [0, 0xAA]);
        assert_eq!(guest.bytes(OUT + 12, 4), [0xAA; 4], "three pointers were the most");
    });
}

#[test]
fn nothing_given_is_nothing_got() {
    with_guest(&Machine::bare(), |guest| {
        for sizes in [Function::ArgsSizesGet, Function::EnvironSizesGet] {
            guest.ok(sizes, &[OUT.into(), (OUT + 4).into()]);
            assert_eq!((guest.u32(OUT), guest.u32(OUT + 4)), (0, 0));
        }
        // An address outside of memory does no harm if nothing is written there.
        guest.ok(Function::ArgsGet, &[u64::from(u32::MAX), u64::from(u32::MAX)]);
        guest.ok(Function::EnvironGet, &[u64::from(u32::MAX), u64::from(u32::MAX)]);
    });
}

#[test]
fn strings_that_do_not_fit_are_a_fault() {
    let input = Input {
        arguments: &[b"ab", b"cd"],
        environment: environment(b"A=1\0"),
        stdin: b"",
    };
    with_input(&Machine::bare(), input, |guest| {
        let end = u64::from(MEMORY_LEN);
        for (pointers, strings, expected) in [
            (0, end - 6, Errno::Success),
            (0, end - 5, Errno::Fault),
            (end - 8, 0x100, Errno::Success),
            (end - 7, 0x100, Errno::Fault),
            (u64::from(u32::MAX), 0, Errno::Fault),
            (0, u64::from(u32::MAX), Errno::Fault),
        ] {
            assert_eq!(
                guest.call(Function::ArgsGet, &[pointers, strings]),
                expected,
                "{pointers:x} {strings:x}"
            );
        }
        assert_eq!(guest.call(Function::EnvironGet, &[0, end - 3]), Errno::Fault);
        assert_eq!(guest.call(Function::ArgsSizesGet, &[end - 3, 0]), Errno::Fault);
        assert_eq!(guest.call(Function::EnvironSizesGet, &[0, end]), Errno::Fault);
    });
}

#[test]
fn an_environment_is_a_block_of_terminated_variables() {
    assert_eq!(crate::Environment::new(b"A=1"), None);
    assert_eq!(environment(b"").count(), 0);
    assert_eq!(environment(b"A=1\0B=2\0").count(), 2);
}

#[test]
fn two_clocks_and_no_others() {
    let machine = Machine::bare();
    with_guest(&machine, |guest| {
        for (clock, time) in [(0, REALTIME_START_NS), (1, MONOTONIC_START_NS)] {
            guest.ok(Function::ClockTimeGet, &[clock, u64::MAX, OUT.into()]);
            assert_eq!(guest.u64(OUT), time);
            guest.ok(Function::ClockResGet, &[clock, OUT.into()]);
            assert_eq!(guest.u64(OUT), 1_000);
        }
        for clock in [2, 3, 4, u64::from(u32::MAX)] {
            assert_eq!(
                guest.call(Function::ClockTimeGet, &[clock, 0, OUT.into()]),
                Errno::Inval
            );
            assert_eq!(guest.call(Function::ClockResGet, &[clock, OUT.into()]), Errno::Inval);
        }
        let end = u64::from(MEMORY_LEN);
        assert_eq!(guest.call(Function::ClockTimeGet, &[0, 0, end - 7]), Errno::Fault);
        assert_eq!(guest.call(Function::ClockResGet, &[0, end - 7]), Errno::Fault);
    });
}

#[test]
fn a_guest_that_asks_for_random_bytes_can_be_stopped() {
    with_guest(&Machine::bare(), |guest| {
        guest.context.stop_when(&|| true);
        assert_eq!(
            guest.call_or_stop(Function::RandomGet, &[BUFFER.into(), 16]),
            Err(Stop::Interrupted)
        );
        assert_eq!(guest.bytes(BUFFER, 16), [0xAA; 16], "nothing was written");
    });
}

/// Native code may call once more before it sees that it was stopped. All that it asks for is refused: also what is short.
#[test]
fn nothing_is_done_for_a_guest_that_was_stopped() {
    let machine = Machine::with(&[("/data", false)]);
    let ((), output) = with_input(&machine, Input::default(), |guest| {
        guest.context.stop_when(&|| true);
        let before = guest.memory.clone();
        for function in Function::ALL {
            assert_eq!(
                guest.call_or_stop(function, &[BUFFER.into(); 9]),
                Err(Stop::Interrupted),
                "{function:?}"
            );
        }
        assert_eq!(guest.memory, before);
    });
    assert_eq!(output.stdout(), b"");
}

#[test]
fn random_bytes_fill_exactly_the_buffer() {
    with_guest(&Machine::bare(), |guest| {
        guest.ok(Function::RandomGet, &[BUFFER.into(), 16]);
        assert_eq!(guest.bytes(BUFFER, 17), [&[0x5A; 16][..], &[0xAA]].concat());
        let end = u64::from(MEMORY_LEN);
        guest.ok(Function::RandomGet, &[end, 0]);
        guest.ok(Function::RandomGet, &[0, end]);
        assert_eq!(guest.call(Function::RandomGet, &[1, end]), Errno::Fault);
        assert_eq!(guest.call(Function::RandomGet, &[u64::from(u32::MAX); 2]), Errno::Fault);
    });
}

#[test]
fn exit_stops_and_yield_yields() {
    let machine = Machine::bare();
    with_guest(&machine, |guest| {
        for code in [0, 1, 255, u32::MAX] {
            assert_eq!(
                guest.call_or_stop(Function::ProcExit, &[code.into()]),
                Err(Stop::Exit(code))
            );
        }
        guest.ok(Function::SchedYield, &[]);
        guest.ok(Function::SchedYield, &[1, 2]);
        assert_eq!(guest.call(Function::ProcRaise, &[6]), Errno::Notsup);
    });
    assert_eq!(machine.yields.get(), 2);
}

#[test]
fn there_are_no_sockets() {
    with_guest(&Machine::bare(), |guest| {
        for function in [
            Function::SockAccept,
            Function::SockRecv,
            Function::SockSend,
            Function::SockShutdown,
        ] {
            assert_eq!(guest.call(function, &[1, 0, 0, 0, 0, 0]), Errno::Notsock);
            assert_eq!(guest.call(function, &[9, 0, 0, 0, 0, 0]), Errno::Badf);
        }
    });
}

#[test]
fn every_function_checks_its_arity_and_takes_the_lower_half_of_an_i32() {
    with_guest(&Machine::bare(), |guest| {
        for function in Function::ALL {
            let signature = text(function.signature().to_bytes());
            let arity = signature.find(')').unwrap() - 1;
            let slots = [0_u64; 9];
            for few in 0..arity {
                assert_eq!(guest.call(function, &slots[..few]), Errno::Inval, "{function:?} {few}");
            }
        }
        // WAMR leaves what it likes in a slot's upper half.
        let upper = 0xDEAD_BEEF_0000_0000;
        guest.ok(Function::RandomGet, &[upper | u64::from(BUFFER), upper | 4]);
        assert_eq!(guest.call_or_stop(Function::ProcExit, &[upper | 7]), Err(Stop::Exit(7)));
    });
}

#[test]
fn the_table_is_the_specifications() {
    let mut names = BTreeSet::new();
    for (number, function) in Function::ALL.into_iter().enumerate() {
        assert_eq!(function as usize, number);
        assert!(names.insert(function.name()), "{function:?}");
    }
    // The types of the C header's imports `__imported_wasi_snapshot_preview1_*`.
    for (function, name, signature) in [
        (Function::ArgsGet, c"args_get", c"(ii)i"),
        (Function::ClockTimeGet, c"clock_time_get", c"(iIi)i"),
        (Function::FdAdvise, c"fd_advise", c"(iIIi)i"),
        (Function::FdFilestatSetTimes, c"fd_filestat_set_times", c"(iIIi)i"),
        (Function::FdPread, c"fd_pread", c"(iiiIi)i"),
        (Function::FdReaddir, c"fd_readdir", c"(iiiIi)i"),
        (Function::FdSeek, c"fd_seek", c"(iIii)i"),
        (
            Function::PathFilestatSetTimes,
            c"path_filestat_set_times",
            c"(iiiiIIi)i",
        ),
        (Function::PathLink, c"path_link", c"(iiiiiii)i"),
        (Function::PathOpen, c"path_open", c"(iiiiiIIii)i"),
        (Function::PollOneoff, c"poll_oneoff", c"(iiii)i"),
        (Function::ProcExit, c"proc_exit", c"(i)"),
        (Function::SchedYield, c"sched_yield", c"()i"),
        (Function::SockRecv, c"sock_recv", c"(iiiiii)i"),
    ] {
        assert_eq!((function.name(), function.signature()), (name, signature));
    }
}
