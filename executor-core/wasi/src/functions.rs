//! The table of functions for an engine's linker, and the one door through which a guest's calls come.
//!
//! An engine registers every [`Function`] of [`Function::ALL`] under [`MODULE`] and its name, with the type that
//! [`Function::signature`] gives, and hands each call to [`Context::call`] with the arguments as 64-bit slots (an `i32` in the
//! lower half; the upper is ignored). The types in the table are the types with which the slots are decoded: both come from
//! one list.

use core::ffi::CStr;

use crate::context::Context;
use crate::errno::Errno;
use crate::host::{Host, Interrupted};
use crate::memory::GuestMemory;

/// The module name of every import.
pub const MODULE: &CStr = c"wasi_snapshot_preview1";

/// The guest must not go on: the engine ends the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The guest called `proc_exit` with this code.
    Exit(u32),
    /// The guest slept, and its deadline came, it was told to stop, or the host asked for it.
    Interrupted,
}

/// Why a function did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The guest is told.
    Errno(Errno),
    /// The guest ends.
    Stop(Stop),
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Failure::Errno(errno)
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        Failure::Stop(stop)
    }
}

impl From<Interrupted> for Failure {
    fn from(Interrupted: Interrupted) -> Self {
        Failure::Stop(Stop::Interrupted)
    }
}

/// A parameter's type, out of a 64-bit slot.
trait Parameter {
    fn from_slot(slot: u64) -> Self;
}

impl Parameter for u32 {
    #[expect(clippy::cast_possible_truncation, reason = "an i32 is the lower half of its slot")]
    fn from_slot(slot: u64) -> Self {
        slot as u32
    }
}

impl Parameter for u64 {
    fn from_slot(slot: u64) -> Self {
        slot
    }
}

/// WAMR's letter of a parameter's type.
macro_rules! letter {
    (u32) => {
        "i"
    };
    (u64) => {
        "I"
    };
}

/// The letter of a function's result, if it has one.
macro_rules! result {
    (errno) => {
        ")i\0"
    };
    (none) => {
        ")\0"
    };
}

macro_rules! functions {
    ($($(#[$doc:meta])* $variant:ident = $name:ident($($parameter:ident: $type:ident),*) -> $result:ident;)*) => {
        /// A function of WASI preview 1.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Function {
            $($(#[$doc])* $variant,)*
        }

        impl Function {
            /// Every function, in the order of their numbers: `ALL[f as usize] == f`.
            pub const ALL: [Function; [$(Function::$variant),*].len()] = [$(Function::$variant),*];

            /// The import's name.
            #[must_use]
            pub const fn name(self) -> &'static CStr {
                match self {
                    $(Function::$variant => terminated(concat!(stringify!($name), "\0")),)*
                }
            }

            /// The import's type in WAMR's notation, with plain `i` (`i32`) and `I` (`i64`): `(iiI)i`.
            #[must_use]
            pub const fn signature(self) -> &'static CStr {
                match self {
                    $(Function::$variant => terminated(concat!("(", $(letter!($type),)* result!($result))),)*
                }
            }
        }

        impl<H: Host> Context<'_, H> {
            /// Call a function. `arguments` are the guest's, a slot each; too few are [`Errno::Inval`].
            ///
            /// The result goes back to the guest as an `i32` (`proc_exit` has none: it always stops).
            ///
            /// # Errors
            /// [`Stop`]: the guest must not go on.
            pub fn call(
                &mut self,
                function: Function,
                memory: &mut GuestMemory<'_>,
                arguments: &[u64],
            ) -> Result<Errno, Stop> {
                // Nothing is done for a run that is over: native code may come here before it sees that it was stopped, with an
                // instruction's work undone.
                if self.check_stop().is_err() {
                    return Err(Stop::Interrupted);
                }
                match self.dispatch(function, memory, arguments) {
                    Ok(()) => Ok(Errno::Success),
                    Err(Failure::Errno(errno)) => Ok(errno),
                    Err(Failure::Stop(stop)) => Err(stop),
                }
            }

            fn dispatch(
                &mut self,
                function: Function,
                memory: &mut GuestMemory<'_>,
                arguments: &[u64],
            ) -> Result<(), Failure> {
                match function {
                    $(Function::$variant => match *arguments {
                        [$($parameter,)* ..] => {
                            self.$name(memory, $(<$type>::from_slot($parameter)),*)?;
                            Ok(())
                        }
                        #[allow(unreachable_patterns, reason = "sched_yield has no parameters")]
                        _ => Err(Errno::Inval.into()),
                    })*
                }
            }
        }
    };
}

/// The text up to its NUL, for the table above.
const fn terminated(text: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(text.as_bytes()) {
        Ok(text) => text,
        Err(_) => c"",
    }
}

functions! {
    /// Write the arguments.
    ArgsGet = args_get(argv: u32, argv_buf: u32) -> errno;
    /// The number of arguments and the size of their text.
    ArgsSizesGet = args_sizes_get(count: u32, size: u32) -> errno;
    /// Write the environment.
    EnvironGet = environ_get(environ: u32, environ_buf: u32) -> errno;
    /// The number of variables and the size of their text.
    EnvironSizesGet = environ_sizes_get(count: u32, size: u32) -> errno;
    /// A clock's step.
    ClockResGet = clock_res_get(clock: u32, resolution: u32) -> errno;
    /// A clock's time.
    ClockTimeGet = clock_time_get(clock: u32, precision: u64, time: u32) -> errno;
    /// Announce how a file will be used: accepted, no effect.
    FdAdvise = fd_advise(fd: u32, offset: u64, length: u64, advice: u32) -> errno;
    /// Make room in a file.
    FdAllocate = fd_allocate(fd: u32, offset: u64, length: u64) -> errno;
    /// Close a descriptor.
    FdClose = fd_close(fd: u32) -> errno;
    /// Bring a file's data onto the medium.
    FdDatasync = fd_datasync(fd: u32) -> errno;
    /// A descriptor's type, flags and rights.
    FdFdstatGet = fd_fdstat_get(fd: u32, fdstat: u32) -> errno;
    /// Set a descriptor's flags: `append` only.
    FdFdstatSetFlags = fd_fdstat_set_flags(fd: u32, flags: u32) -> errno;
    /// Drop rights: [`Errno::Notsup`], as the standard's successors have none.
    FdFdstatSetRights = fd_fdstat_set_rights(fd: u32, base: u64, inheriting: u64) -> errno;
    /// A file's status.
    FdFilestatGet = fd_filestat_get(fd: u32, filestat: u32) -> errno;
    /// Cut or lengthen a file.
    FdFilestatSetSize = fd_filestat_set_size(fd: u32, size: u64) -> errno;
    /// Set a file's times.
    FdFilestatSetTimes = fd_filestat_set_times(fd: u32, accessed: u64, modified: u64, flags: u32) -> errno;
    /// Read at a position.
    FdPread = fd_pread(fd: u32, iovs: u32, iovs_len: u32, offset: u64, nread: u32) -> errno;
    /// Whether a descriptor is preopened, and its name's length.
    FdPrestatGet = fd_prestat_get(fd: u32, prestat: u32) -> errno;
    /// A preopened directory's name.
    FdPrestatDirName = fd_prestat_dir_name(fd: u32, path: u32, path_len: u32) -> errno;
    /// Write at a position.
    FdPwrite = fd_pwrite(fd: u32, iovs: u32, iovs_len: u32, offset: u64, nwritten: u32) -> errno;
    /// Read.
    FdRead = fd_read(fd: u32, iovs: u32, iovs_len: u32, nread: u32) -> errno;
    /// Read a directory.
    FdReaddir = fd_readdir(fd: u32, buf: u32, buf_len: u32, cookie: u64, used: u32) -> errno;
    /// Move a descriptor to another number.
    FdRenumber = fd_renumber(from: u32, to: u32) -> errno;
    /// Move a file's position.
    FdSeek = fd_seek(fd: u32, offset: u64, whence: u32, position: u32) -> errno;
    /// Bring a file onto the medium.
    FdSync = fd_sync(fd: u32) -> errno;
    /// A file's position.
    FdTell = fd_tell(fd: u32, position: u32) -> errno;
    /// Write.
    FdWrite = fd_write(fd: u32, iovs: u32, iovs_len: u32, nwritten: u32) -> errno;
    /// Create a directory.
    PathCreateDirectory = path_create_directory(fd: u32, path: u32, path_len: u32) -> errno;
    /// The status of what is at a path.
    PathFilestatGet = path_filestat_get(fd: u32, flags: u32, path: u32, path_len: u32, filestat: u32) -> errno;
    /// Set the times of what is at a path.
    PathFilestatSetTimes = path_filestat_set_times(
        fd: u32, lookup: u32, path: u32, path_len: u32, accessed: u64, modified: u64, flags: u32
    ) -> errno;
    /// Create a hard link.
    PathLink = path_link(
        old_fd: u32, lookup: u32, old_path: u32, old_path_len: u32, new_fd: u32, new_path: u32, new_path_len: u32
    ) -> errno;
    /// Open a path.
    PathOpen = path_open(
        fd: u32, lookup: u32, path: u32, path_len: u32, oflags: u32, base: u64, inheriting: u64, fdflags: u32, opened: u32
    ) -> errno;
    /// What a symbolic link holds.
    PathReadlink = path_readlink(fd: u32, path: u32, path_len: u32, buf: u32, buf_len: u32, used: u32) -> errno;
    /// Remove a directory.
    PathRemoveDirectory = path_remove_directory(fd: u32, path: u32, path_len: u32) -> errno;
    /// Rename or move.
    PathRename = path_rename(
        fd: u32, old_path: u32, old_path_len: u32, new_fd: u32, new_path: u32, new_path_len: u32
    ) -> errno;
    /// Create a symbolic link.
    PathSymlink = path_symlink(target: u32, target_len: u32, fd: u32, path: u32, path_len: u32) -> errno;
    /// Remove a file.
    PathUnlinkFile = path_unlink_file(fd: u32, path: u32, path_len: u32) -> errno;
    /// Wait for clocks and descriptors.
    PollOneoff = poll_oneoff(subscriptions: u32, events: u32, count: u32, stored: u32) -> errno;
    /// End the guest.
    ProcExit = proc_exit(code: u32) -> none;
    /// Send a signal to itself: [`Errno::Notsup`], there are no signals.
    ProcRaise = proc_raise(signal: u32) -> errno;
    /// Fill a buffer with random bytes.
    RandomGet = random_get(buf: u32, buf_len: u32) -> errno;
    /// Let others run.
    SchedYield = sched_yield() -> errno;
    /// Accept a connection: there are no sockets.
    SockAccept = sock_accept(fd: u32, flags: u32, opened: u32) -> errno;
    /// Receive: there are no sockets.
    SockRecv = sock_recv(fd: u32, iovs: u32, iovs_len: u32, flags: u32, nread: u32, oflags: u32) -> errno;
    /// Send: there are no sockets.
    SockSend = sock_send(fd: u32, iovs: u32, iovs_len: u32, flags: u32, nwritten: u32) -> errno;
    /// Shut a connection down: there are no sockets.
    SockShutdown = sock_shutdown(fd: u32, how: u32) -> errno;
}

const _: () = assert!(Function::ALL.len() == 46, "preview 1 has 46 functions");
