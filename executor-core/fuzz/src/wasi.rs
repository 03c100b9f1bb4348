//! Calls of WASI with hostile pointers, lengths, descriptors and paths, on real directories: nothing panics, nothing beyond the
//! guest's memory is touched (AddressSanitizer sees it), no file beside the granted directories is read or changed, none in the
//! read-only one is changed, and every descriptor is closed at the end.
//!
//! An input is the calls, one after the other; what it leaves out is zero. Arguments are small numbers, addresses where something
//! lies, or anything.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use arbitrary::Unstructured;
use executor_linux::supervisor::survive_long_files;
use executor_linux::wasi_files::{Grant, Machine};
use executor_wasi::{Context, Environment, Function, GuestMemory, Host, Input, Output, OutputLimits};
use rustix::process::{Resource, Rlimit, setrlimit};
use tempfile::TempDir;

/// Of no multiple of anything.
const MEMORY_BYTES: usize = 8 * 1024 + 5;

const CALLS_MAX: usize = 48;

/// No file becomes longer: the tests' medium has other uses.
const FILE_MAX_BYTES: u64 = 1024 * 1024;

/// What lies beside the granted directories, in a file whose name is guessed easily.
const SECRET: &[u8] = b"wx5CkEvq0T-nobody-may-read-this";

/// Paths that guests pass, each in a place of its own: 64 bytes apart, from [`PATHS_ADDRESS`] on.
const PATHS: [&str; 16] = [
    ".",
    "a",
    "b",
    "folder",
    "folder/a",
    "link",
    "out",
    "out/secret",
    "..",
    "../outside/secret",
    "folder/../../outside/secret",
    "/etc/passwd",
    "folder/../a",
    "./folder//a/",
    "outside/secret",
    "a\0b",
];
const PATHS_ADDRESS: u64 = 1024;

/// Arrays of buffers: four, of which each lies in memory, but for the last.
const IOVS_ADDRESS: u64 = 4096;
const IOVS: [u32; 8] = [6000, 100, 6050, 100, 0, 8192, 8190, 100];

/// The directories of a process, made once.
struct Place {
    folder: TempDir,
}

impl Place {
    fn get() -> &'static Place {
        static PLACE: OnceLock<Place> = OnceLock::new();
        PLACE.get_or_init(|| {
            survive_long_files().unwrap();
            let bound = Some(FILE_MAX_BYTES);
            setrlimit(
                Resource::Fsize,
                Rlimit {
                    current: bound,
                    maximum: bound,
                },
            )
            .unwrap();
            let folder = tempfile::tempdir().unwrap();
            for name in ["outside", "fixed", "fixed/folder"] {
                fs::create_dir(folder.path().join(name)).unwrap();
            }
            fs::write(folder.path().join("outside/secret"), SECRET).unwrap();
            fs::write(folder.path().join("fixed/a"), b"fixed").unwrap();
            std::os::unix::fs::symlink("../outside", folder.path().join("fixed/out")).unwrap();
            Place { folder }
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The granted directory as it is before each input.
    fn renew(&self) {
        let data = self.path("data");
        if data.exists() {
            fs::remove_dir_all(&data).unwrap();
        }
        fs::create_dir_all(data.join("folder")).unwrap();
        fs::write(data.join("a"), b"content of a file").unwrap();
        fs::write(data.join("folder/a"), b"x").unwrap();
        std::os::unix::fs::symlink("folder/a", data.join("link")).unwrap();
        std::os::unix::fs::symlink("../outside", data.join("out")).unwrap();
    }
}

/// The input as calls, on a machine with a granted and a read-only directory.
pub fn check(data: &[u8]) {
    let place = Place::get();
    place.renew();
    let kept = || (contents(&place.path("outside")), contents(&place.path("fixed")));
    let (before, descriptors) = (kept(), open_descriptors());
    let grant = |guest: &str, folder: &str, read_only| Grant {
        guest: guest.to_owned(),
        host: place.path(folder),
        read_only,
    };
    let machine = Machine::new(&[grant("/data", "data", false), grant("/fixed", "fixed", true)]).unwrap();
    let mut memory = memory();
    let mut output = Output::new(OutputLimits {
        log_bytes: 4096,
        result_bytes: 4096,
    });
    call(data, &machine, &mut memory, &mut output);
    drop(machine);
    assert_eq!(kept(), before, "what was not granted for writing has changed");
    assert_eq!(open_descriptors(), descriptors, "a descriptor is left open");
    for seen in [&memory[..], output.stdout(), output.stderr()] {
        assert!(
            !seen.windows(SECRET.len()).any(|bytes| bytes == SECRET),
            "what was not granted was read"
        );
    }
}

fn call(data: &[u8], machine: &Machine, memory: &mut [u8], output: &mut Output) {
    let input = Input {
        arguments: &[b"action", b"argument"],
        environment: Environment::new(b"KEY=value\0OTHER=\0").unwrap(),
        stdin: b"what the run was given",
    };
    let mut context = Context::new(machine, input, output);
    // Nobody sleeps: the run's time is over.
    context.stop_at(machine.monotonic_ns());
    let mut data = Unstructured::new(data);
    for _ in 0..CALLS_MAX {
        if data.is_empty() {
            break;
        }
        let Ok(function) = data.choose(&Function::ALL) else {
            break;
        };
        let mut arguments = [0; 9];
        for argument in &mut arguments {
            *argument = alleged(&mut data);
        }
        // An end (proc_exit, an interrupted sleep) is this call's. The calls after it do more than a guest could.
        let _ = context.call(*function, &mut GuestMemory::new(memory), &arguments);
    }
}

/// An argument: often one that makes sense for something.
fn alleged(data: &mut Unstructured<'_>) -> u64 {
    let kind: u8 = data.arbitrary().unwrap_or(0);
    let next = |data: &mut Unstructured<'_>| u64::from(data.arbitrary::<u8>().unwrap_or(0));
    match kind {
        // Descriptors, flags, counts, lengths.
        0..96 => u64::from(kind % 16),
        96..160 => PATHS_ADDRESS + 64 * u64::from(kind % 16),
        160..176 => next(data),
        176..192 => IOVS_ADDRESS + 8 * u64::from(kind % 4),
        192..208 => 6000 + next(data),
        // Around the memory's end, around 2^32, around 2^63.
        208..216 => MEMORY_BYTES as u64 - 16 + next(data) % 32,
        216..224 => u64::from(u32::MAX) - next(data) % 32,
        224..228 => (1 << 63) - 16 + next(data) % 32,
        // All rights; a bit.
        228..232 => u64::MAX,
        232..240 => 1 << (next(data) % 64),
        _ => data.arbitrary().unwrap_or(0),
    }
}

fn memory() -> Vec<u8> {
    let mut memory = vec![0; MEMORY_BYTES];
    for (path, place) in PATHS.iter().zip(memory[index(PATHS_ADDRESS)..].chunks_mut(64)) {
        place[..path.len()].copy_from_slice(path.as_bytes());
    }
    for (word, place) in IOVS.iter().zip(memory[index(IOVS_ADDRESS)..].chunks_mut(4)) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    memory
}

fn index(address: u64) -> usize {
    usize::try_from(address).unwrap()
}

/// Each path below a folder, with the file's content and the permissions.
fn contents(folder: &Path) -> BTreeMap<PathBuf, (fs::Permissions, Vec<u8>)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let status = fs::symlink_metadata(&path).unwrap();
        let content = if status.is_dir() {
            found.append(&mut contents(&path));
            Vec::new()
        } else if status.is_symlink() {
            fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
        } else {
            fs::read(&path).unwrap()
        };
        found.insert(path, (status.permissions(), content));
    }
    found
}

/// Those of this process, of all threads: in the ordinary tests, other inputs are checked at the same time.
fn open_descriptors() -> Option<usize> {
    cfg!(feature = "libfuzzer").then(|| fs::read_dir("/proc/self/fd").unwrap().count())
}
