//! The directories of guests, on a real file system: what they can do, and that they cannot leave.

#![allow(clippy::unwrap_used, reason = "a test fails so")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Barrier;
use std::time::Instant;

use executor_wasi::host::{Kind, Open, Opened, SetTime, Times};
use executor_wasi::{Directory, Errno, File, Host};
use tempfile::TempDir;

use super::{Folder, Grant, Machine, RegularFile};

const READ: Open = Open {
    read: true,
    write: false,
    create: false,
    exclusive: false,
    truncate: false,
    directory: false,
    follow: true,
};
const CREATE: Open = Open {
    write: true,
    create: true,
    ..READ
};

/// `inside/` is granted; `outside/`, with a file and an empty directory, lies beside it.
struct World {
    root: TempDir,
    machine: Machine,
}

impl World {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("inside")).unwrap();
        fs::create_dir(root.path().join("outside")).unwrap();
        fs::write(root.path().join("inside/file"), "0123456789").unwrap();
        fs::create_dir(root.path().join("outside/empty")).unwrap();
        fs::write(root.path().join("outside/secret"), "secret").unwrap();
        let grant = Grant {
            guest: "/data".to_owned(),
            host: root.path().join("inside"),
            read_only: false,
        };
        World {
            machine: Machine::new(&[grant]).unwrap(),
            root,
        }
    }

    fn folder(&self) -> &Folder {
        &self.machine.preopened()[0].directory
    }

    fn inside(&self, name: &str) -> PathBuf {
        self.root.path().join("inside").join(name)
    }

    fn outside(&self, name: &str) -> PathBuf {
        self.root.path().join("outside").join(name)
    }

    #[track_caller]
    fn file(&self, path: &str, how: Open) -> RegularFile {
        match self.folder().open(path, how) {
            Ok(Opened::File(file)) => file,
            other => panic!("{path}: {other:?}"),
        }
    }
}

fn errno(folder: &Folder, path: &str, how: Open) -> Errno {
    folder.open(path, how).map(drop).unwrap_err()
}

/// Paths that lead to the secret, or to its directory, in every way there is.
fn escapes(world: &World) -> Vec<String> {
    let outside = world.root.path().join("outside");
    symlink(&outside, world.inside("absolute_link")).unwrap();
    symlink("../outside", world.inside("relative_link")).unwrap();
    symlink("relative_link", world.inside("link_to_link")).unwrap();
    symlink("/", world.inside("root_link")).unwrap();
    fs::create_dir(world.inside("sub")).unwrap();
    symlink("../../outside", world.inside("sub/link")).unwrap();
    let absolute = outside.to_str().unwrap();
    vec![
        absolute.to_owned(),
        "../outside".to_owned(),
        "./../outside".to_owned(),
        "sub/../../outside".to_owned(),
        "sub/../sub/../../outside".to_owned(),
        "absolute_link".to_owned(),
        "relative_link".to_owned(),
        "link_to_link".to_owned(),
        "sub/link".to_owned(),
        "sub/../relative_link".to_owned(),
        format!("root_link{absolute}"),
    ]
}

#[test]
fn no_path_leads_out() {
    let world = World::new();
    let folder = world.folder();
    let times = Times {
        accessed: SetTime::At(0),
        modified: SetTime::At(0),
    };
    for directory in escapes(&world) {
        let secret = format!("{directory}/secret");
        let new = format!("{directory}/new");
        for how in [
            READ,
            CREATE,
            Open { truncate: true, ..READ },
            Open { follow: false, ..READ },
        ] {
            assert_eq!(errno(folder, &secret, how), Errno::Notcapable, "{secret}");
        }
        assert_eq!(
            errno(
                folder,
                &directory,
                Open {
                    directory: true,
                    ..READ
                }
            ),
            Errno::Notcapable,
            "{directory}"
        );
        assert_eq!(errno(folder, &new, CREATE), Errno::Notcapable);
        assert_eq!(folder.status_at(&secret, true), Err(Errno::Notcapable));
        assert_eq!(folder.status_at(&secret, false), Err(Errno::Notcapable));
        assert_eq!(folder.set_times_at(&secret, true, times), Err(Errno::Notcapable));
        assert_eq!(folder.set_times_at(&secret, false, times), Err(Errno::Notcapable));
        assert_eq!(folder.create_directory(&new), Err(Errno::Notcapable));
        assert_eq!(
            folder.remove_directory(&format!("{directory}/empty")),
            Err(Errno::Notcapable)
        );
        assert_eq!(folder.unlink_file(&secret), Err(Errno::Notcapable));
        assert_eq!(folder.rename(&secret, folder, "stolen"), Err(Errno::Notcapable));
        assert_eq!(folder.rename("file", folder, &new), Err(Errno::Notcapable));
        assert_eq!(folder.link(&secret, folder, "stolen"), Err(Errno::Notcapable));
        assert_eq!(folder.link("file", folder, &new), Err(Errno::Notcapable));
        assert_eq!(folder.symlink("file", &new), Err(Errno::Notcapable));
        assert_eq!(folder.read_link(&secret), Err(Errno::Notcapable));
    }
    assert_eq!(fs::read(world.outside("secret")).unwrap(), b"secret");
    assert_eq!(fs::read_dir(world.outside("")).unwrap().count(), 2);
    assert_ne!(
        fs::metadata(world.outside("secret")).unwrap().modified().unwrap(),
        std::time::UNIX_EPOCH
    );
    assert!(world.inside("file").exists() && !world.inside("stolen").exists());
}

#[test]
fn a_guest_cannot_make_itself_a_way_out() {
    let world = World::new();
    let folder = world.folder();
    let absolute = world.outside("secret");
    assert_eq!(
        folder.symlink(absolute.to_str().unwrap(), "link"),
        Err(Errno::Notcapable)
    );
    // What a link holds is its own business; what it leads to is not.
    folder.symlink("../outside/secret", "link").unwrap();
    assert_eq!(errno(folder, "link", READ), Errno::Notcapable);
    // Not even what is relative to a directory that moves.
    folder.create_directory("sub").unwrap();
    folder.symlink("../file", "sub/link").unwrap();
    folder.open("sub/link", READ).unwrap();
    let Ok(Opened::Directory(sub)) = folder.open("sub", READ) else {
        panic!("a directory")
    };
    assert_eq!(
        errno(&sub, "link", READ),
        Errno::Notcapable,
        "it leads out of this directory"
    );
    assert_eq!(errno(&sub, "../file", READ), Errno::Notcapable);
}

#[test]
fn a_link_to_an_absolute_path_is_not_shown() {
    let world = World::new();
    symlink("/etc/passwd", world.inside("link")).unwrap();
    assert_eq!(world.folder().read_link("link"), Err(Errno::Notcapable));
    assert_eq!(errno(world.folder(), "link", READ), Errno::Notcapable);
    // Without following it is only a link: it has a status, and can be removed.
    assert_eq!(
        world.folder().status_at("link", false).unwrap().kind,
        Kind::SymbolicLink
    );
    world.folder().unlink_file("link").unwrap();
}

#[test]
fn a_swap_of_a_directory_for_a_link_wins_nothing() {
    let world = World::new();
    fs::create_dir(world.inside("swap")).unwrap();
    fs::write(world.inside("swap/secret"), "public").unwrap();
    let (real, link) = (world.inside("real"), world.inside("link"));
    symlink("../outside", &link).unwrap();
    let rounds = 2_000;
    let start = Barrier::new(2);
    let swap = world.inside("swap");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            start.wait();
            for _ in 0..rounds {
                fs::rename(&swap, &real).unwrap();
                fs::rename(&link, &swap).unwrap();
                fs::rename(&swap, &link).unwrap();
                fs::rename(&real, &swap).unwrap();
            }
        });
        start.wait();
        for _ in 0..rounds {
            if let Ok(Opened::File(file)) = world.folder().open("swap/secret", READ) {
                let mut bytes = [0; 6];
                file.read_at(&mut bytes, 0).unwrap();
                assert_eq!(&bytes, b"public");
            }
        }
    });
}

#[test]
fn files_are_read_and_written_at_positions() {
    let world = World::new();
    let file = world.file(
        "new",
        Open {
            exclusive: true,
            ..CREATE
        },
    );
    assert_eq!(file.write_at(b"abc", 2), Ok(3));
    assert_eq!(file.append(b"def"), Ok((3, 8)));
    let mut bytes = [9; 10];
    assert_eq!(file.read_at(&mut bytes, 1), Ok(7));
    assert_eq!(&bytes[..7], b"\0abcdef");
    assert_eq!(file.read_at(&mut bytes, 100), Ok(0));
    file.sync(true).unwrap();
    file.sync(false).unwrap();
    assert_eq!(fs::read(world.inside("new")).unwrap(), b"\0\0abcdef");
    assert_eq!(
        errno(
            world.folder(),
            "new",
            Open {
                exclusive: true,
                ..CREATE
            }
        ),
        Errno::Exist
    );
    assert_eq!(
        world
            .file("new", Open { truncate: true, ..READ })
            .status()
            .unwrap()
            .size,
        0
    );
}

#[test]
fn appends_of_many_lose_nothing() {
    let world = World::new();
    let start = Barrier::new(4);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let file = world.file("log", CREATE);
                start.wait();
                for _ in 0..500 {
                    assert_eq!(file.append(b"line\n").unwrap().0, 5);
                }
            });
        }
    });
    assert_eq!(fs::read(world.inside("log")).unwrap(), b"line\n".repeat(2_000));
}

#[test]
fn sizes_and_times_are_the_kernels() {
    let world = World::new();
    let file = world.file("file", CREATE);
    file.set_size(4).unwrap();
    file.allocate(2, 4).unwrap();
    let times = Times {
        accessed: SetTime::At(1_500_000_000_000_000_001),
        modified: SetTime::At(7),
    };
    file.set_times(times).unwrap();
    let status = file.status().unwrap();
    assert_eq!((status.kind, status.size, status.links), (Kind::RegularFile, 6, 1));
    assert_eq!((status.accessed_ns, status.modified_ns), (1_500_000_000_000_000_001, 7));
    assert_eq!(world.folder().status_at("file", true), Ok(status));

    file.set_times(Times {
        accessed: SetTime::Keep,
        modified: SetTime::Now,
    })
    .unwrap();
    let now = file.status().unwrap();
    assert_eq!(now.accessed_ns, status.accessed_ns);
    assert!(now.modified_ns > 1_600_000_000_000_000_000);

    let at = Times {
        accessed: SetTime::At(3_000_000_000),
        modified: SetTime::At(4_000_000_000),
    };
    world.folder().set_times(at).unwrap();
    assert_eq!(world.folder().status().unwrap().modified_ns, 4_000_000_000);
    world.folder().symlink("file", "link").unwrap();
    world.folder().set_times_at("link", false, at).unwrap();
    assert_eq!(
        world.folder().status_at("link", false).unwrap().modified_ns,
        4_000_000_000
    );
    assert_eq!(
        world.folder().status_at("link", true).unwrap().modified_ns,
        now.modified_ns
    );
    world.folder().set_times_at("link", true, at).unwrap();
    assert_eq!(file.status().unwrap().accessed_ns, 3_000_000_000);
}

#[test]
fn a_directory_lists_what_is_in_it() {
    let world = World::new();
    let folder = world.folder();
    folder.create_directory("sub").unwrap();
    folder.symlink("file", "link").unwrap();
    let mut listing = folder.list().unwrap();
    listing.sort_by(|a, b| a.name.cmp(&b.name));
    let shown: Vec<_> = listing.iter().map(|entry| (entry.name.as_str(), entry.kind)).collect();
    assert_eq!(
        shown,
        [
            ("file", Kind::RegularFile),
            ("link", Kind::SymbolicLink),
            ("sub", Kind::Directory)
        ]
    );
    assert_eq!(listing[0].inode, folder.status_at("file", true).unwrap().inode);
    folder.sync().unwrap();
    let Ok(Opened::Directory(sub)) = folder.open(
        "sub",
        Open {
            directory: true,
            ..READ
        },
    ) else {
        panic!("a directory")
    };
    assert_eq!(sub.list(), Ok(vec![]));
    sub.sync().unwrap();
    assert_eq!(sub.status().unwrap().kind, Kind::Directory);
}

#[test]
fn names_are_made_moved_and_removed() {
    let world = World::new();
    let folder = world.folder();
    folder.create_directory("sub").unwrap();
    let Ok(Opened::Directory(sub)) = folder.open("sub", READ) else {
        panic!("a directory")
    };
    folder.link("file", &sub, "same").unwrap();
    folder.rename("file", &sub, "moved").unwrap();
    assert_eq!(
        fs::read(world.inside("sub/moved")).unwrap(),
        fs::read(world.inside("sub/same")).unwrap()
    );
    assert_eq!(sub.status_at("moved", true).unwrap().links, 2);
    folder.symlink("sub/moved", "link").unwrap();
    assert_eq!(folder.read_link("link").unwrap(), "sub/moved");
    for (result, expected) in [
        (folder.remove_directory("sub"), Errno::Notempty),
        (folder.unlink_file("sub"), Errno::Isdir),
        (folder.unlink_file("none"), Errno::Noent),
        (folder.create_directory("sub"), Errno::Exist),
        (folder.create_directory("none/sub"), Errno::Noent),
        (folder.remove_directory("sub/moved"), Errno::Notdir),
        (folder.unlink_file(""), Errno::Noent),
        (folder.unlink_file(&"x".repeat(256)), Errno::Nametoolong),
        (folder.rename("none", folder, "x"), Errno::Noent),
        (folder.link("file", folder, "x"), Errno::Noent),
        (folder.symlink("x", "sub"), Errno::Exist),
        (folder.read_link("sub").map(drop), Errno::Inval),
    ] {
        assert_eq!(result, Err(expected));
    }
    sub.unlink_file("same").unwrap();
    sub.unlink_file("moved").unwrap();
    folder.remove_directory("sub").unwrap();
}

#[test]
fn opening_says_what_is_wrong() {
    let world = World::new();
    let folder = world.folder();
    folder.create_directory("sub").unwrap();
    symlink("loop", world.inside("loop")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, world.inside("pipe"), rustix::fs::Mode::RWXU).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(world.inside("socket")).unwrap();
    for (path, how, expected) in [
        ("none", READ, Errno::Noent),
        ("file/x", READ, Errno::Notdir),
        (
            "file",
            Open {
                directory: true,
                ..READ
            },
            Errno::Notdir,
        ),
        ("sub", CREATE, Errno::Isdir),
        ("loop", READ, Errno::Loop),
        ("pipe", READ, Errno::Notsup),
        ("pipe", Open { write: true, ..READ }, Errno::Notsup),
        (
            "pipe",
            Open {
                read: false,
                write: true,
                ..READ
            },
            Errno::Nxio,
        ),
        ("socket", READ, Errno::Nxio),
        ("", READ, Errno::Noent),
    ] {
        assert_eq!(errno(folder, path, how), expected, "{path}");
    }
    folder.symlink("file", "link").unwrap();
    assert_eq!(errno(folder, "link", Open { follow: false, ..READ }), Errno::Loop);
    world.file("link", READ);
}

#[test]
fn a_grant_must_be_a_directory() {
    let world = World::new();
    for host in [world.inside("file"), world.inside("none")] {
        let grant = Grant {
            guest: "/data".to_owned(),
            host,
            read_only: false,
        };
        let (refused, _) = Machine::new(std::slice::from_ref(&grant)).unwrap_err();
        assert_eq!(refused, grant);
    }
    assert!(Machine::default().preopened().is_empty());
}

#[test]
fn clocks_go_chance_varies_and_sleep_lasts() {
    let machine = Machine::default();
    let (realtime, monotonic) = (machine.realtime_ns().unwrap(), machine.monotonic_ns());
    let start = Instant::now();
    machine.sleep_ns(20_000_000).unwrap();
    let slept_ns = u64::try_from(start.elapsed().as_nanos()).unwrap();
    assert!(slept_ns >= 20_000_000);
    assert!(machine.monotonic_ns() - monotonic >= slept_ns);
    assert!(realtime > 1_700_000_000_000_000_000);
    assert!(machine.clock_resolution_ns() > 0);
    machine.yield_now();
    let (mut first, mut second) = (vec![0; 100_000], vec![0; 100_000]);
    machine.random(&mut first).unwrap();
    machine.random(&mut second).unwrap();
    assert_ne!(first, second);
    assert!(
        first.chunks(100).all(|chunk| chunk.iter().any(|byte| *byte != 0)),
        "filled to the end"
    );
}
