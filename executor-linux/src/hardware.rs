//! What the machine has: processors and memory, as far as this process may use them.
//!
//! Everything is read from files of the kernel. What is not there, or not as expected, is not known: no error.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::thread;

use rustix::process::{Resource, getrlimit};

/// What this process may use of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hardware {
    /// Processors.
    pub cores: usize,
    /// The machine's memory.
    pub memory_bytes: Option<u64>,
    /// The least limit of memory among the control groups that this process is in, if it is below the machine's memory.
    pub group_bytes: Option<u64>,
}

impl Hardware {
    /// Ask the kernel.
    pub fn read() -> Self {
        Self::read_below(Path::new("/"))
    }

    fn read_below(root: &Path) -> Self {
        let memory_bytes = machine_memory(root);
        Hardware {
            cores: thread::available_parallelism().map_or(1, usize::from),
            memory_bytes,
            group_bytes: group_limit(root).filter(|limit| memory_bytes.is_none_or(|memory| *limit < memory)),
        }
    }

    /// The memory that there is for this process and all others beside it.
    pub fn available_bytes(&self) -> Option<u64> {
        self.group_bytes.or(self.memory_bytes)
    }
}

/// The limit of this process's address space (`ulimit -v`), if it has one.
pub fn address_space_limit() -> Option<u64> {
    getrlimit(Resource::As).current
}

/// `MemTotal`: what the firmware (and a board's graphics) leaves to the kernel.
fn machine_memory(root: &Path) -> Option<u64> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// The least limit on the way from this process's group to the top: each of them binds.
fn group_limit(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    groups.lines().filter_map(|line| limit_of(root, line)).min()
}

/// One hierarchy, `NUMBER:CONTROLLERS:PATH`: the second version has no controllers here; of the first, there is one of its own
/// for memory.
fn limit_of(root: &Path, line: &str) -> Option<u64> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (controllers, path) = (parts.next()?, parts.next()?);
    let (top, file) = if controllers.is_empty() {
        ("sys/fs/cgroup", "memory.max")
    } else if controllers.split(',').any(|controller| controller == "memory") {
        ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
    } else {
        return None;
    };
    // In a container the path may be the host's, which is not mounted here; the container's own group is the top then.
    let path: PathBuf = Path::new(path)
        .components()
        .filter(|component| matches!(component, Component::Normal(_)))
        .collect();
    let limit = |folder: &Path| {
        let text = fs::read_to_string(root.join(top).join(folder).join(file)).ok()?;
        // "max" is no limit; nor is the first version's number, which is greater than any memory.
        text.trim().parse::<u64>().ok()
    };
    path.ancestors().filter_map(limit).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that looks like `/`.
    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        root
    }

    const MEMORY: (&str, &str) = ("proc/meminfo", "MemTotal:         441000 kB\nMemFree:  1 kB\n");
    const MEMORY_BYTES: u64 = 441_000 * 1024;

    #[test]
    fn the_least_limit_of_all_groups_counts() {
        for (files, expected) in [
            (&[][..], None),
            (&[("proc/self/cgroup", "0::/\n")], None),
            (
                &[
                    ("proc/self/cgroup", "0::/\n"),
                    ("sys/fs/cgroup/memory.max", "134217728\n"),
                ],
                Some(128 << 20),
            ),
            (
                &[
                    ("proc/self/cgroup", "0::/system.slice/executor.service\n"),
                    ("sys/fs/cgroup/system.slice/memory.max", "67108864\n"),
                    ("sys/fs/cgroup/system.slice/executor.service/memory.max", "max\n"),
                ],
                Some(64 << 20),
            ),
            (
                &[
                    ("proc/self/cgroup", "0::/a\n"),
                    ("sys/fs/cgroup/a/memory.max", "99999999999\n"),
                ],
                None,
            ),
            (
                &[
                    ("proc/self/cgroup", "5:cpu:/x\n4:memory:/docker/0123\n0::/\n"),
                    ("sys/fs/cgroup/memory/memory.limit_in_bytes", "33554432\n"),
                    ("sys/fs/cgroup/cpu/x/memory.limit_in_bytes", "1\n"),
                ],
                Some(32 << 20),
            ),
            (
                &[
                    ("proc/self/cgroup", "4:memory:/\n"),
                    ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
                ],
                None,
            ),
            (&[("proc/self/cgroup", "nonsense\n0:\n::/../..\n")], None),
        ] {
            let root = machine(&[files, &[MEMORY]].concat());
            let hardware = Hardware::read_below(root.path());
            assert_eq!(hardware.memory_bytes, Some(MEMORY_BYTES));
            assert_eq!(hardware.group_bytes, expected, "{files:?}");
            assert_eq!(hardware.available_bytes(), expected.or(Some(MEMORY_BYTES)));
        }
    }

    #[test]
    fn what_is_not_there_is_not_known() {
        for files in [
            &[][..],
            &[("proc/meminfo", "MemTotal: many kB\n")],
            &[("proc/meminfo", "MemTotal: 99999999999999999999 kB\n")],
            &[("proc/meminfo", "\0")],
        ] {
            let hardware = Hardware::read_below(machine(files).path());
            assert_eq!(hardware.available_bytes(), None, "{files:?}");
            assert!(hardware.cores > 0);
        }
    }

    #[test]
    fn this_machine_has_memory() {
        assert!(Hardware::read().available_bytes().is_some_and(|bytes| bytes > 1 << 20));
    }
}
