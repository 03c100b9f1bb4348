//! Standard input, output and error.

use std::vec;
use std::vec::Vec;

use super::machine::Machine;
use super::{BUFFER, IOVS, MEMORY_LEN, OUT, TEXT, with_guest, with_input};
use crate::{Errno, Function, Input};

#[test]
fn standard_input_is_read_once_through() {
    let input = Input {
        stdin: b"{\"param1\":2}",
        ..Input::default()
    };
    with_input(&Machine::bare(), input, |guest| {
        assert_eq!(guest.read(0, 5), Ok(b"{\"par".to_vec()));
        assert_eq!(guest.read(0, 0), Ok(vec![]));
        assert_eq!(guest.read(0, 100), Ok(b"am1\":2}".to_vec()));
        assert_eq!(guest.read(0, 100), Ok(vec![]));
    });
}

#[test]
fn a_read_fills_one_buffer_after_the_other() {
    let input = Input {
        stdin: b"abcdefgh",
        ..Input::default()
    };
    with_input(&Machine::bare(), input, |guest| {
        // The second is empty, the third overlaps the first, the last is not reached.
        let [iovs, count] = guest.iovs(&[
            (BUFFER, 3),
            (BUFFER + 100, 0),
            (BUFFER + 1, 4),
            (BUFFER + 20, 9),
            (BUFFER + 40, 9),
        ]);
        guest.ok(Function::FdRead, &[0, iovs, count, OUT.into()]);
        assert_eq!(guest.u32(OUT), 8);
        assert_eq!(guest.bytes(BUFFER, 6), b"adefg\xAA");
        assert_eq!(guest.bytes(BUFFER + 20, 2), b"h\xAA");
    });
}

#[test]
fn writes_gather_their_buffers() {
    let ((), output) = with_input(&Machine::bare(), Input::default(), |guest| {
        guest.put(TEXT, b"one two ");
        let [iovs, count] = guest.iovs(&[(TEXT, 4), (TEXT, 0), (TEXT + 4, 4), (TEXT, 3)]);
        guest.ok(Function::FdWrite, &[1, iovs, count, OUT.into()]);
        assert_eq!(guest.u32(OUT), 11);
        guest.ok(Function::FdWrite, &[2, iovs, 1, OUT.into()]);
        guest.ok(Function::FdWrite, &[2, iovs, 0, OUT.into()]);
        assert_eq!(guest.u32(OUT), 0);
    });
    assert_eq!((output.stdout(), output.stderr()), (&b"one two one"[..], &b"one "[..]));
}

#[test]
fn a_stream_has_one_direction() {
    with_guest(&Machine::bare(), |guest| {
        assert_eq!(guest.write(0, b"x"), Errno::Notcapable);
        assert_eq!(guest.read(1, 1), Err(Errno::Notcapable));
        assert_eq!(guest.read(2, 1), Err(Errno::Notcapable));
    });
}

#[test]
fn a_bad_array_moves_nothing() {
    let end = u64::from(MEMORY_LEN);
    let input = Input {
        stdin: b"abc",
        ..Input::default()
    };
    let ((), output) = with_input(&Machine::bare(), input, |guest| {
        for (buffers, expected) in [
            (&[(TEXT, 4), (MEMORY_LEN, 1)][..], Errno::Fault),
            (&[(TEXT, 4), (u32::MAX, u32::MAX)], Errno::Fault),
            (&[(TEXT, 4), (MEMORY_LEN - 1, 2)], Errno::Fault),
            (&[(TEXT, 4), (0, u32::MAX)], Errno::Fault),
        ] {
            let [iovs, count] = guest.iovs(buffers);
            for (fd, function) in [(0, Function::FdRead), (1, Function::FdWrite)] {
                assert_eq!(
                    guest.call(function, &[fd, iovs, count, OUT.into()]),
                    expected,
                    "{buffers:x?}"
                );
            }
        }
        let [iovs, _] = guest.iovs(&[(TEXT, 1)]);
        for (fd, function) in [(0, Function::FdRead), (1, Function::FdWrite)] {
            assert_eq!(guest.call(function, &[fd, iovs, 1025, OUT.into()]), Errno::Inval);
            assert_eq!(
                guest.call(function, &[fd, iovs, u64::from(u32::MAX), OUT.into()]),
                Errno::Inval
            );
            assert_eq!(guest.call(function, &[fd, end - 7, 1, OUT.into()]), Errno::Fault);
            assert_eq!(
                guest.call(function, &[fd, u64::from(u32::MAX), 1, OUT.into()]),
                Errno::Fault
            );
            assert_eq!(guest.call(function, &[fd, iovs, 1, end - 3]), Errno::Fault);
        }
        assert_eq!(guest.read(0, 9), Ok(b"abc".to_vec()), "nothing was read before");
    });
    assert_eq!(output.stdout(), b"");
}

#[test]
fn an_array_that_is_its_own_buffer_stays_within_memory() {
    // The first read overwrites the array with 0xFF: the next entry alleges 4 GiB at 4 GiB.
    let input = Input {
        stdin: &[0xFF; 64],
        ..Input::default()
    };
    with_input(&Machine::bare(), input, |guest| {
        let [iovs, count] = guest.iovs(&[(IOVS, 16), (BUFFER, 16)]);
        guest.ok(Function::FdRead, &[0, iovs, count, OUT.into()]);
        assert_eq!(guest.u32(OUT), 16, "what was moved before the fault");
        assert_eq!(guest.bytes(BUFFER, 1), [0xAA]);
    });
}

#[test]
fn one_call_moves_no_more_than_its_share() {
    let memory_len = 1 << 20;
    let ((), output) = with_input(&Machine::bare(), Input::default(), |guest| {
        guest.memory = vec![b' '; memory_len];
        let entries: Vec<_> = (0..1024).map(|_| (0, memory_len as u32)).collect();
        // The array lies in the buffer too, and is written out as part of it.
        let [iovs, count] = guest.iovs(&entries);
        guest.ok(Function::FdWrite, &[1, iovs, count, OUT.into()]);
        assert_eq!(guest.u32(OUT), 1 << 20);
    });
    assert!(output.stdout().len() <= super::LIMITS.log_bytes + super::LIMITS.result_bytes + 2);
}

#[test]
fn streams_are_neither_files_nor_terminals() {
    with_guest(&Machine::bare(), |guest| {
        for (fd, rights) in [(0, 1 << 1 | 1 << 27), (1, 1 << 6 | 1 << 27), (2, 1 << 6 | 1 << 27)] {
            guest.ok(Function::FdFdstatGet, &[fd, OUT.into()]);
            assert_eq!(guest.bytes(OUT, 1), [0], "type: unknown");
            assert_eq!((guest.u64(OUT + 8), guest.u64(OUT + 16)), (rights, 0));
            guest.ok(Function::FdFilestatGet, &[fd, OUT.into()]);
            assert_eq!(guest.bytes(OUT, 64), [0; 64]);
            guest.ok(Function::FdFdstatSetFlags, &[fd, 4]);
            assert_eq!(guest.call(Function::FdFdstatSetFlags, &[fd, 32]), Errno::Inval);
            assert_eq!(guest.call(Function::FdSeek, &[fd, 0, 0, OUT.into()]), Errno::Spipe);
            assert_eq!(guest.call(Function::FdTell, &[fd, OUT.into()]), Errno::Spipe);
            assert_eq!(guest.call(Function::FdAdvise, &[fd, 0, 0, 0]), Errno::Spipe);
            assert_eq!(guest.call(Function::FdAllocate, &[fd, 0, 1]), Errno::Spipe);
            assert_eq!(guest.call(Function::FdFilestatSetSize, &[fd, 0]), Errno::Spipe);
            assert_eq!(
                guest.call(Function::FdPread, &[fd, IOVS.into(), 0, 0, OUT.into()]),
                Errno::Spipe
            );
            assert_eq!(
                guest.call(Function::FdPwrite, &[fd, IOVS.into(), 0, 0, OUT.into()]),
                Errno::Spipe
            );
            assert_eq!(guest.call(Function::FdSync, &[fd]), Errno::Inval);
            assert_eq!(guest.call(Function::FdDatasync, &[fd]), Errno::Inval);
            assert_eq!(guest.call(Function::FdFilestatSetTimes, &[fd, 0, 0, 0]), Errno::Inval);
            assert_eq!(
                guest.call(Function::FdReaddir, &[fd, BUFFER.into(), 9, 0, OUT.into()]),
                Errno::Notdir
            );
            assert_eq!(guest.call(Function::FdPrestatGet, &[fd, OUT.into()]), Errno::Badf);
            assert_eq!(
                guest.call(Function::FdPrestatDirName, &[fd, OUT.into(), 9]),
                Errno::Badf
            );
            assert_eq!(guest.call(Function::FdFdstatSetRights, &[fd, 0, 0]), Errno::Notsup);
        }
        assert_eq!(
            guest.call(Function::PathOpen, &[1, 0, TEXT.into(), 1, 0, 2, 0, 0, OUT.into()]),
            Errno::Notdir
        );
    });
}

#[test]
fn a_stream_can_be_closed_and_replaced() {
    let ((), output) = with_input(&Machine::bare(), Input::default(), |guest| {
        guest.ok(Function::FdRenumber, &[2, 1]);
        assert_eq!(guest.write(1, b"to stderr"), Errno::Success);
        assert_eq!(guest.write(2, b"x"), Errno::Badf);
        guest.ok(Function::FdClose, &[1]);
        assert_eq!(guest.write(1, b"x"), Errno::Badf);
        assert_eq!(guest.call(Function::FdClose, &[1]), Errno::Badf);
        guest.ok(Function::FdRenumber, &[0, 0]);
        assert_eq!(
            guest.call(Function::FdRenumber, &[0, 1]),
            Errno::Badf,
            "both must be open"
        );
        assert_eq!(guest.call(Function::FdRenumber, &[9, 0]), Errno::Badf);
        assert_eq!(guest.read(0, 1), Ok(vec![]));
    });
    assert_eq!((output.stdout(), output.stderr()), (&b""[..], &b"to stderr"[..]));
}
