//! What is done by path.

use super::machine::Machine;
use super::{BUFFER, DIRECTORY, Guest, MEMORY_LEN, OUT, READ, TEXT, with_guest};
use crate::{Errno, Function};

const NEW: u32 = TEXT + 0x100;

/// Descriptor 3 may be written, 4 not.
fn machine() -> Machine {
    let machine = Machine::with(&[("/data", false), ("/fixed", true)]);
    machine.put_file("/data/file", b"content");
    machine.put_file("/fixed/file", b"fixed");
    machine
}

/// A function of a descriptor and a path.
fn at(guest: &mut Guest<'_>, function: Function, fd: u64, path: &str) -> Errno {
    let [path, len] = guest.path(TEXT, path);
    guest.call(function, &[fd, path, len])
}

fn rename(guest: &mut Guest<'_>, old_fd: u64, old: &str, new_fd: u64, new: &str) -> Errno {
    let ([old, old_len], [new, new_len]) = (guest.path(TEXT, old), guest.path(NEW, new));
    guest.call(Function::PathRename, &[old_fd, old, old_len, new_fd, new, new_len])
}

fn link(guest: &mut Guest<'_>, lookup: u64, old_fd: u64, old: &str, new_fd: u64, new: &str) -> Errno {
    let ([old, old_len], [new, new_len]) = (guest.path(TEXT, old), guest.path(NEW, new));
    guest.call(
        Function::PathLink,
        &[old_fd, lookup, old, old_len, new_fd, new, new_len],
    )
}

fn symlink(guest: &mut Guest<'_>, target: &str, fd: u64, path: &str) -> Errno {
    let ([target, target_len], [path, len]) = (guest.path(TEXT, target), guest.path(NEW, path));
    guest.call(Function::PathSymlink, &[target, target_len, fd, path, len])
}

#[test]
fn directories_are_created_and_removed() {
    let machine = machine();
    with_guest(&machine, |guest| {
        assert_eq!(at(guest, Function::PathCreateDirectory, 3, "sub"), Errno::Success);
        assert_eq!(at(guest, Function::PathCreateDirectory, 3, "sub"), Errno::Exist);
        let sub = guest.open("sub", DIRECTORY, READ, 0).unwrap();
        assert_eq!(
            at(guest, Function::PathCreateDirectory, sub.into(), "deeper"),
            Errno::Success
        );
        assert!(machine.exists("/data/sub/deeper"));
        assert_eq!(
            at(guest, Function::PathRemoveDirectory, sub.into(), "deeper"),
            Errno::Success
        );
        assert_eq!(at(guest, Function::PathRemoveDirectory, 3, "file"), Errno::Notdir);
        assert_eq!(at(guest, Function::PathUnlinkFile, 3, "sub"), Errno::Isdir);
        assert_eq!(at(guest, Function::PathRemoveDirectory, 3, "sub"), Errno::Success);
        assert_eq!(at(guest, Function::PathUnlinkFile, 3, "file"), Errno::Success);
        assert_eq!(at(guest, Function::PathUnlinkFile, 3, "file"), Errno::Noent);
    });
    assert!(!machine.exists("/data/sub") && !machine.exists("/data/file"));
}

#[test]
fn files_are_renamed_and_linked() {
    let machine = machine();
    with_guest(&machine, |guest| {
        assert_eq!(link(guest, 0, 3, "file", 3, "other"), Errno::Success);
        assert_eq!(
            link(guest, 1, 3, "file", 3, "another"),
            Errno::Inval,
            "links are not followed"
        );
        assert_eq!(link(guest, 0, 3, "none", 3, "another"), Errno::Noent);
        assert_eq!(rename(guest, 3, "file", 3, "moved"), Errno::Success);
        assert_eq!(rename(guest, 3, "file", 3, "moved"), Errno::Noent);
    });
    assert_eq!(machine.file("/data/other").unwrap(), b"content");
    assert_eq!(machine.file("/data/moved").unwrap(), b"content");
    assert!(!machine.exists("/data/file"));
}

#[test]
fn symbolic_links_are_made_read_and_followed_when_asked() {
    let machine = machine();
    with_guest(&machine, |guest| {
        assert_eq!(symlink(guest, "file", 3, "link"), Errno::Success);
        let [path, len] = guest.path(TEXT, "link");
        guest.ok(Function::PathReadlink, &[3, path, len, BUFFER.into(), 100, OUT.into()]);
        assert_eq!((guest.u32(OUT), guest.bytes(BUFFER, 5)), (4, &b"file\xAA"[..]));
        guest.ok(Function::PathReadlink, &[3, path, len, BUFFER.into(), 2, OUT.into()]);
        assert_eq!(guest.u32(OUT), 2, "cut off");
        guest.ok(Function::PathReadlink, &[3, path, len, BUFFER.into(), 0, OUT.into()]);
        let end = u64::from(MEMORY_LEN);
        for (buffer, used) in [(end - 1, OUT.into()), (BUFFER.into(), end - 3)] {
            assert_eq!(
                guest.call(Function::PathReadlink, &[3, path, len, buffer, 2, used]),
                Errno::Fault
            );
        }
        for (lookup, kind, size) in [(0, 7, 4), (1, 4, 7)] {
            guest.ok(Function::PathFilestatGet, &[3, lookup, path, len, OUT.into()]);
            assert_eq!((guest.bytes(OUT + 16, 1)[0], guest.u64(OUT + 32)), (kind, size));
        }
        assert_eq!(
            guest.call(Function::PathFilestatGet, &[3, 2, path, len, OUT.into()]),
            Errno::Inval
        );
        assert_eq!(
            guest.call(Function::PathFilestatGet, &[3, 0, path, len, end - 63]),
            Errno::Fault
        );
        guest.ok(Function::PathFilestatSetTimes, &[3, 1, path, len, 11, 22, 0b0101]);
        guest.ok(Function::PathFilestatGet, &[3, 1, path, len, OUT.into()]);
        assert_eq!((guest.u64(OUT + 40), guest.u64(OUT + 48)), (11, 22));
        assert_eq!(
            guest.call(Function::PathFilestatSetTimes, &[3, 1, path, len, 0, 0, 0b0011]),
            Errno::Inval
        );
    });
}

#[test]
fn a_read_only_directory_refuses_every_change() {
    let machine = machine();
    with_guest(&machine, |guest| {
        for function in [
            Function::PathCreateDirectory,
            Function::PathRemoveDirectory,
            Function::PathUnlinkFile,
        ] {
            assert_eq!(at(guest, function, 4, "file"), Errno::Rofs, "{function:?}");
        }
        assert_eq!(rename(guest, 4, "file", 3, "stolen"), Errno::Rofs);
        assert_eq!(rename(guest, 3, "file", 4, "added"), Errno::Rofs);
        assert_eq!(link(guest, 0, 4, "file", 3, "way_round"), Errno::Rofs);
        assert_eq!(link(guest, 0, 3, "file", 4, "added"), Errno::Rofs);
        assert_eq!(symlink(guest, "file", 4, "added"), Errno::Rofs);
        let [path, len] = guest.path(TEXT, "file");
        assert_eq!(
            guest.call(Function::PathFilestatSetTimes, &[4, 0, path, len, 1, 1, 0b0101]),
            Errno::Rofs
        );
        guest.ok(Function::PathFilestatGet, &[4, 0, path, len, OUT.into()]);
        assert_eq!(guest.u64(OUT + 32), 5);
    });
    for name in ["/data/stolen", "/data/way_round", "/fixed/added"] {
        assert!(!machine.exists(name), "{name}");
    }
}

#[test]
fn a_path_is_text_in_memory() {
    with_guest(&machine(), |guest| {
        let end = u64::from(MEMORY_LEN);
        let function = Function::PathUnlinkFile;
        assert_eq!(guest.call(function, &[3, end - 1, 2]), Errno::Fault);
        assert_eq!(guest.call(function, &[3, 0, u64::from(u32::MAX)]), Errno::Fault);
        assert_eq!(
            guest.call(function, &[3, u64::from(u32::MAX), u64::from(u32::MAX)]),
            Errno::Fault
        );
        assert_eq!(at(guest, function, 3, "file\0x"), Errno::Inval);
        guest.put(TEXT, b"fil\xFF");
        assert_eq!(guest.call(function, &[3, TEXT.into(), 4]), Errno::Ilseq);
        assert_eq!(at(guest, function, 9, "file"), Errno::Badf);
        assert_eq!(at(guest, function, 1, "file"), Errno::Notdir);
        assert_eq!(at(guest, function, 3, ""), Errno::Noent);
        assert_eq!(at(guest, function, 3, "../data/file"), Errno::Notcapable);
    });
}
