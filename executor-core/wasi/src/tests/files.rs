//! Open files and directories.

use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

use super::machine::Machine;
use super::{
    APPEND, BUFFER, CREAT, DIRECTORY, EXCL, Guest, IOVS, MEMORY_LEN, OUT, READ, TEXT, TRUNC, WRITE, text, with_guest,
};
use crate::{Errno, Function};

const SET: u64 = 0;
const CURRENT: u64 = 1;
const END: u64 = 2;

fn machine() -> Machine {
    let machine = Machine::with(&[("/data", false), ("/fixed", true)]);
    machine.put_file("/data/file", b"0123456789");
    machine.put_file("/fixed/file", b"fixed");
    machine
}

fn seek(guest: &mut Guest<'_>, fd: u32, offset: i64, whence: u64) -> Result<u64, Errno> {
    match guest.call(
        Function::FdSeek,
        &[fd.into(), offset.cast_unsigned(), whence, OUT.into()],
    ) {
        Errno::Success => Ok(guest.u64(OUT)),
        errno => Err(errno),
    }
}

#[test]
fn a_file_is_written_and_read_at_its_position() {
    let machine = machine();
    with_guest(&machine, |guest| {
        let file = guest.open("new", CREAT | EXCL, READ | WRITE, 0).unwrap();
        assert_eq!(file, 5, "the lowest number behind the preopened");
        assert_eq!(guest.write(file, b"hello "), Errno::Success);
        assert_eq!(guest.write(file, b"world"), Errno::Success);
        guest.ok(Function::FdTell, &[file.into(), OUT.into()]);
        assert_eq!(guest.u64(OUT), 11);
        assert_eq!(guest.read(file, 9), Ok(vec![]));
        assert_eq!(seek(guest, file, 6, SET), Ok(6));
        assert_eq!(guest.read(file, 3), Ok(b"wor".to_vec()));
        assert_eq!(guest.read(file, 9), Ok(b"ld".to_vec()));
        assert_eq!(guest.open("new", CREAT | EXCL, WRITE, 0), Err(Errno::Exist));
        guest.ok(Function::FdClose, &[file.into()]);
        assert_eq!(guest.read(file, 1), Err(Errno::Badf));
    });
    assert_eq!(machine.file("/data/new").unwrap(), b"hello world");
    assert_eq!(machine.store.open.get(), 2);
}

#[test]
fn a_seek_stays_a_position() {
    with_guest(&machine(), |guest| {
        let file = guest.open("file", 0, READ, 0).unwrap();
        assert_eq!(seek(guest, file, -3, END), Ok(7));
        assert_eq!(seek(guest, file, 2, CURRENT), Ok(9));
        assert_eq!(seek(guest, file, 100, SET), Ok(100));
        assert_eq!(guest.read(file, 1), Ok(vec![]));
        for (offset, whence) in [
            (-1, SET),
            (-101, CURRENT),
            (-11, END),
            (i64::MIN, SET),
            (i64::MAX, CURRENT),
            (0, 3),
        ] {
            assert_eq!(
                seek(guest, file, offset, whence),
                Err(Errno::Inval),
                "{offset} {whence}"
            );
        }
        assert_eq!(seek(guest, file, i64::MAX, SET), Ok(i64::MAX as u64));
        assert_eq!(seek(guest, file, 0, CURRENT), Ok(i64::MAX as u64));
        let end = u64::from(MEMORY_LEN);
        assert_eq!(
            guest.call(Function::FdSeek, &[file.into(), 0, SET, end - 7]),
            Errno::Fault
        );
        assert_eq!(
            seek(guest, file, 0, CURRENT),
            Ok(i64::MAX as u64),
            "the failed one moved nothing"
        );
        assert_eq!(guest.call(Function::FdTell, &[file.into(), end - 7]), Errno::Fault);
    });
}

#[test]
fn reads_and_writes_at_a_position_leave_the_position() {
    let machine = machine();
    with_guest(&machine, |guest| {
        let file = guest.open("file", 0, READ | WRITE, 0).unwrap();
        guest.put(TEXT, b"abcdef");
        let [iovs, count] = guest.iovs(&[(TEXT, 2), (TEXT + 2, 2)]);
        guest.ok(Function::FdPwrite, &[file.into(), iovs, count, 5, OUT.into()]);
        assert_eq!(guest.u32(OUT), 4);
        let [iovs, count] = guest.iovs(&[(BUFFER, 3), (BUFFER + 3, 100)]);
        guest.ok(Function::FdPread, &[file.into(), iovs, count, 4, OUT.into()]);
        assert_eq!(guest.u32(OUT), 6);
        assert_eq!(guest.bytes(BUFFER, 6), b"4abcd9");
        assert_eq!(guest.read(file, 2), Ok(b"01".to_vec()));
        for offset in [1 << 63, u64::MAX] {
            let arguments = [file.into(), iovs, count, offset, OUT.into()];
            assert_eq!(guest.call(Function::FdPread, &arguments), Errno::Inval);
            assert_eq!(guest.call(Function::FdPwrite, &arguments), Errno::Inval);
        }
    });
    assert_eq!(machine.file("/data/file").unwrap(), b"01234abcd9");
}

#[test]
fn appending_writes_at_the_end_wherever_the_position_is() {
    let machine = machine();
    with_guest(&machine, |guest| {
        let file = guest.open("file", 0, READ | WRITE, APPEND).unwrap();
        guest.ok(Function::FdFdstatGet, &[file.into(), OUT.into()]);
        assert_eq!(guest.bytes(OUT + 2, 2), [1, 0]);
        assert_eq!(guest.write(file, b"ab"), Errno::Success);
        assert_eq!(seek(guest, file, 0, CURRENT), Ok(12));
        assert_eq!(seek(guest, file, 0, SET), Ok(0));
        assert_eq!(guest.write(file, b"cd"), Errno::Success);
        guest.ok(Function::FdFdstatSetFlags, &[file.into(), 0]);
        assert_eq!(seek(guest, file, 0, SET), Ok(0));
        assert_eq!(guest.write(file, b"X"), Errno::Success);
    });
    assert_eq!(machine.file("/data/file").unwrap(), b"X123456789abcd");
}

#[test]
fn synchronous_files_are_brought_onto_the_medium() {
    let machine = machine();
    with_guest(&machine, |guest| {
        for (flags, syncs) in [(0, 0), (1 << 1, 1), (1 << 4, 1)] {
            machine.store.syncs.set(0);
            let file = guest.open("file", 0, WRITE, flags).unwrap();
            assert_eq!(guest.write(file, b"x"), Errno::Success);
            assert_eq!(machine.store.syncs.get(), syncs);
            guest.ok(Function::FdSync, &[file.into()]);
            guest.ok(Function::FdDatasync, &[file.into()]);
            guest.ok(Function::FdSync, &[3]);
            assert_eq!(machine.store.syncs.get(), syncs + 3);
        }
    });
}

#[test]
fn a_file_is_used_only_as_it_was_opened() {
    let machine = machine();
    with_guest(&machine, |guest| {
        let reading = guest.open("file", 0, READ, 0).unwrap();
        assert_eq!(guest.write(reading, b"x"), Errno::Notcapable);
        let [iovs, count] = guest.iovs(&[(TEXT, 1)]);
        let pwrite = [reading.into(), iovs, count, 0, OUT.into()];
        assert_eq!(guest.call(Function::FdPwrite, &pwrite), Errno::Notcapable);
        assert_eq!(
            guest.call(Function::FdFilestatSetSize, &[reading.into(), 0]),
            Errno::Notcapable
        );
        assert_eq!(
            guest.call(Function::FdAllocate, &[reading.into(), 0, 1]),
            Errno::Notcapable
        );
        guest.ok(Function::FdFdstatGet, &[reading.into(), OUT.into()]);
        assert_eq!(guest.bytes(OUT, 1), [4], "a regular file");
        assert_eq!(guest.u64(OUT + 8) & (READ | WRITE), READ);

        let writing = guest.open("file", 0, WRITE, 0).unwrap();
        assert_eq!(guest.read(writing, 1), Err(Errno::Notcapable));
        guest.ok(Function::FdFdstatGet, &[writing.into(), OUT.into()]);
        assert_eq!(guest.u64(OUT + 8) & (READ | WRITE), WRITE);
        assert_eq!(
            guest.call(Function::FdReaddir, &[writing.into(), BUFFER.into(), 9, 0, OUT.into()]),
            Errno::Notdir
        );
        guest.ok(Function::FdAdvise, &[writing.into(), 0, u64::MAX, 5]);
        assert_eq!(guest.call(Function::FdAdvise, &[writing.into(), 0, 0, 6]), Errno::Inval);
    });
    assert_eq!(machine.file("/data/file").unwrap(), b"0123456789");
}

#[test]
fn sizes_and_times_can_be_set() {
    let machine = machine();
    with_guest(&machine, |guest| {
        let file = guest.open("file", 0, READ | WRITE, 0).unwrap();
        guest.ok(Function::FdFilestatSetSize, &[file.into(), 4]);
        guest.ok(Function::FdAllocate, &[file.into(), 2, 4]);
        guest.ok(Function::FdFilestatSetTimes, &[file.into(), 111, 222, 0b0101]);
        guest.ok(Function::FdFilestatGet, &[file.into(), OUT.into()]);
        assert_eq!(guest.bytes(OUT + 16, 1), [4]);
        assert_eq!([32, 40, 48, 56].map(|offset| guest.u64(OUT + offset)), [6, 111, 222, 9]);
        guest.ok(Function::FdFilestatSetTimes, &[3, 0, 333, 0b0100]);
        guest.ok(Function::FdFilestatGet, &[3, OUT.into()]);
        assert_eq!((guest.bytes(OUT + 16, 1), guest.u64(OUT + 48)), (&[3][..], 333));
        for (function, arguments, expected) in [
            (Function::FdFilestatSetSize, [file.into(), 1 << 63, 0, 0], Errno::Inval),
            (Function::FdAllocate, [file.into(), 0, 0, 0], Errno::Inval),
            (Function::FdAllocate, [file.into(), u64::MAX, 1, 0], Errno::Fbig),
            (Function::FdAllocate, [file.into(), 1, i64::MAX as u64, 0], Errno::Fbig),
            (Function::FdAllocate, [3, 0, 1, 0], Errno::Isdir),
            (Function::FdFilestatSetTimes, [file.into(), 0, 0, 0b0011], Errno::Inval),
            (
                Function::FdFilestatSetTimes,
                [file.into(), 0, 0, 0b1_0000],
                Errno::Inval,
            ),
            (
                Function::FdFilestatGet,
                [file.into(), u64::from(MEMORY_LEN) - 63, 0, 0],
                Errno::Fault,
            ),
        ] {
            assert_eq!(
                guest.call(function, &arguments),
                expected,
                "{function:?} {arguments:x?}"
            );
        }
    });
    assert_eq!(machine.file("/data/file").unwrap(), b"0123\0\0");
}

#[test]
fn opening_heeds_its_flags() {
    let machine = machine();
    with_guest(&machine, |guest| {
        assert_eq!(guest.open("none", 0, READ, 0), Err(Errno::Noent));
        assert_eq!(guest.open("file", DIRECTORY, READ, 0), Err(Errno::Notdir));
        assert_eq!(guest.open("new", CREAT | DIRECTORY, READ, 0), Err(Errno::Inval));
        assert_eq!(guest.open("file", TRUNC | DIRECTORY, READ, 0), Err(Errno::Inval));
        assert_eq!(guest.open("file", 1 << 4, READ, 0), Err(Errno::Inval));
        assert_eq!(guest.open("file", 0, READ, 1 << 5), Err(Errno::Inval));
        let [path, len] = guest.path(TEXT, "file");
        let lookup = [3, 2, path, len, 0, READ, 0, 0, OUT.into()];
        assert_eq!(guest.call(Function::PathOpen, &lookup), Errno::Inval);
        let empty = guest.open("file", TRUNC, WRITE, 0).unwrap();
        guest.ok(Function::FdFilestatGet, &[empty.into(), OUT.into()]);
        assert_eq!(guest.u64(OUT + 32), 0);
    });
    assert!(!machine.exists("/data/new"));
}

#[test]
fn a_read_only_directory_stays_as_it_is() {
    let machine = machine();
    with_guest(&machine, |guest| {
        let file = guest.open_in(4, "file", 0, READ, 0).unwrap();
        assert_eq!(guest.read(file, 9), Ok(b"fixed".to_vec()));
        assert_eq!(
            guest.call(Function::FdFilestatSetTimes, &[file.into(), 0, 0, 1]),
            Errno::Rofs
        );
        assert_eq!(guest.call(Function::FdFilestatSetTimes, &[4, 0, 0, 1]), Errno::Rofs);
        for (oflags, rights) in [(0, WRITE), (CREAT, READ), (TRUNC, READ), (0, 1 << 8), (0, 1 << 22)] {
            assert_eq!(guest.open_in(4, "file", oflags, rights, 0), Err(Errno::Rofs));
        }
        // A directory that is opened through it is no way round.
        let same = guest.open_in(4, ".", DIRECTORY, READ, 0).unwrap();
        assert_eq!(guest.open_in(same, "file", 0, WRITE, 0), Err(Errno::Rofs));
        guest.ok(Function::FdFdstatGet, &[4, OUT.into()]);
        assert_ne!(
            guest.u64(OUT + 16) & WRITE,
            0,
            "wasi-libc would drop the wish to write without a word"
        );
    });
    assert_eq!(machine.file("/fixed/file").unwrap(), b"fixed");
}

#[test]
fn preopened_directories_have_names() {
    with_guest(&machine(), |guest| {
        for (fd, name) in [(3, "/data"), (4, "/fixed")] {
            guest.ok(Function::FdPrestatGet, &[fd, OUT.into()]);
            assert_eq!((guest.u32(OUT), guest.u32(OUT + 4)), (0, name.len() as u32));
            guest.ok(Function::FdPrestatDirName, &[fd, BUFFER.into(), name.len() as u64]);
            assert_eq!(guest.bytes(BUFFER, name.len()), name.as_bytes());
            let short = [fd, BUFFER.into(), name.len() as u64 - 1];
            assert_eq!(guest.call(Function::FdPrestatDirName, &short), Errno::Nametoolong);
            let end = u64::from(MEMORY_LEN);
            assert_eq!(
                guest.call(Function::FdPrestatDirName, &[fd, end - 2, 100]),
                Errno::Fault
            );
            assert_eq!(guest.call(Function::FdPrestatGet, &[fd, end - 7]), Errno::Fault);
        }
        assert_eq!(guest.call(Function::FdPrestatGet, &[5, OUT.into()]), Errno::Badf);
        // What a guest opens is not preopened.
        let opened = guest.open(".", DIRECTORY, READ, 0).unwrap();
        assert_eq!(
            guest.call(Function::FdPrestatGet, &[opened.into(), OUT.into()]),
            Errno::Badf
        );
        guest.ok(Function::FdClose, &[3]);
        assert_eq!(guest.call(Function::FdPrestatGet, &[3, OUT.into()]), Errno::Badf);
    });
}

#[test]
fn descriptors_run_out_and_come_back() {
    let machine = machine();
    with_guest(&machine, |guest| {
        let opened: Vec<u32> = (5..64).map(|_| guest.open("file", 0, READ, 0).unwrap()).collect();
        assert_eq!(opened, (5..64).collect::<Vec<_>>());
        assert_eq!(guest.open("file", 0, READ, 0), Err(Errno::Mfile));
        assert_eq!(guest.open("new", CREAT, WRITE, 0), Err(Errno::Mfile));
        assert!(!machine.exists("/data/new"), "nothing is created for nobody");
        guest.ok(Function::FdRenumber, &[20, 10]);
        assert_eq!(guest.open("file", 0, READ, 0), Ok(20));
        guest.ok(Function::FdClose, &[30]);
        assert_eq!(guest.open("file", 0, READ, 0), Ok(30));
    });
    assert_eq!(machine.store.open.get(), 2);
}

#[test]
fn an_open_that_cannot_tell_its_number_opens_nothing() {
    let machine = machine();
    with_guest(&machine, |guest| {
        let [path, len] = guest.path(TEXT, "new");
        let arguments = [3, 0, path, len, CREAT, WRITE, 0, 0, u64::from(MEMORY_LEN) - 3];
        assert_eq!(guest.call(Function::PathOpen, &arguments), Errno::Fault);
    });
    assert!(!machine.exists("/data/new"));
}

/// Next cookie, serial number, type and name of each entry in the buffer; an entry that was cut off is left out.
fn entries(bytes: &[u8]) -> Vec<(u64, u64, u8, String)> {
    let mut entries = Vec::new();
    let mut rest = bytes;
    while let Some((head, after)) = rest.split_at_checked(24) {
        let number = |at: usize, len: usize| {
            head[at..at + len]
                .iter()
                .rev()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
        };
        let Some((name, after)) = after.split_at_checked(number(16, 4) as usize) else {
            break;
        };
        entries.push((number(0, 8), number(8, 8), head[20], text(name)));
        rest = after;
    }
    entries
}

fn readdir(guest: &mut Guest<'_>, buf_len: u32, cookie: u64) -> Vec<u8> {
    guest.ok(
        Function::FdReaddir,
        &[3, BUFFER.into(), buf_len.into(), cookie, OUT.into()],
    );
    guest.bytes(BUFFER, guest.u32(OUT) as usize).to_vec()
}

#[test]
fn a_directory_is_read_in_pieces_of_any_size() {
    let machine = machine();
    for number in 0..20 {
        machine.put_file(&format!("/data/name{number:02}"), b"");
    }
    with_guest(&machine, |guest| {
        let all = entries(&readdir(guest, 0x1000, 0));
        let names: Vec<&str> = all.iter().map(|(_, _, _, name)| name.as_str()).collect();
        assert_eq!(names[..4], [".", "..", "file", "name00"]);
        assert_eq!(all.len(), 23);
        assert_eq!(
            all.iter().map(|entry| entry.0).collect::<Vec<_>>(),
            (1..=23).collect::<Vec<_>>()
        );
        assert_eq!((all[0].1, all[0].2), (77, 3));
        assert_eq!(all[2].2, 4);

        for buf_len in [30, 31, 55, 100, 301] {
            let (mut got, mut cookie) = (Vec::new(), 0);
            loop {
                let bytes = readdir(guest, buf_len, cookie);
                assert!(bytes.len() <= buf_len as usize);
                let piece = entries(&bytes);
                if let Some(last) = piece.last() {
                    cookie = last.0;
                }
                got.extend(piece);
                if bytes.len() < buf_len as usize {
                    break;
                }
            }
            assert_eq!(got, all, "{buf_len}");
        }
        assert_eq!(readdir(guest, 0x1000, 23), []);
        assert_eq!(readdir(guest, 0x1000, u64::MAX), []);
        assert_eq!(readdir(guest, 0, 0), []);
        assert_eq!(readdir(guest, 10, 0).len(), 10, "a head that was cut off");
    });
}

#[test]
fn cookies_keep_their_meaning_while_files_go() {
    let machine = machine();
    machine.put_file("/data/second", b"");
    with_guest(&machine, |guest| {
        let first = entries(&readdir(guest, 0x1000, 0));
        let [path, len] = guest.path(TEXT, "file");
        guest.ok(Function::PathUnlinkFile, &[3, path, len]);
        assert_eq!(entries(&readdir(guest, 0x1000, 3))[0], first[3]);
        assert_eq!(
            entries(&readdir(guest, 0x1000, 0)).len(),
            first.len() - 1,
            "from the start: as it is now"
        );
    });
}

#[test]
fn a_directory_is_not_a_file() {
    with_guest(&machine(), |guest| {
        assert_eq!(guest.read(3, 1), Err(Errno::Isdir));
        assert_eq!(guest.write(3, b"x"), Errno::Isdir);
        assert_eq!(seek(guest, 3, 0, SET), Err(Errno::Isdir));
        assert_eq!(
            guest.call(Function::FdPread, &[3, IOVS.into(), 0, 0, OUT.into()]),
            Errno::Isdir
        );
        guest.ok(Function::FdFdstatGet, &[3, OUT.into()]);
        assert_eq!(guest.bytes(OUT, 1), [3]);
        for arguments in [
            [3, u64::from(MEMORY_LEN), 1, 0, OUT.into()],
            [3, BUFFER.into(), u64::from(u32::MAX), 0, OUT.into()],
            [3, BUFFER.into(), 9, 0, u64::from(MEMORY_LEN) - 3],
        ] {
            assert_eq!(
                guest.call(Function::FdReaddir, &arguments),
                Errno::Fault,
                "{arguments:x?}"
            );
        }
    });
}
