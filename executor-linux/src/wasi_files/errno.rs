//! The kernel's error numbers as WASI's.

use std::io;

use executor_wasi::Errno;
use rustix::io::Errno as Kernel;

/// What went wrong, for the guest.
pub(super) fn from_io(error: &io::Error) -> Errno {
    match Kernel::from_io_error(error) {
        Some(error) => from_kernel(error),
        None => match error.kind() {
            // cap-std's own: the path led out of the directory. (The kernel's refusals carry a number.)
            io::ErrorKind::PermissionDenied => Errno::Notcapable,
            io::ErrorKind::InvalidInput => Errno::Inval,
            io::ErrorKind::NotFound => Errno::Noent,
            _ => Errno::Io,
        },
    }
}

/// The number of the same name; what can come of files and has no such is an I/O error.
pub(super) fn from_kernel(error: Kernel) -> Errno {
    match error {
        Kernel::ACCESS => Errno::Acces,
        Kernel::AGAIN => Errno::Again,
        Kernel::BADF => Errno::Badf,
        Kernel::BUSY => Errno::Busy,
        Kernel::DQUOT => Errno::Dquot,
        Kernel::EXIST => Errno::Exist,
        Kernel::FAULT => Errno::Fault,
        Kernel::FBIG => Errno::Fbig,
        Kernel::ILSEQ => Errno::Ilseq,
        Kernel::INTR => Errno::Intr,
        Kernel::INVAL => Errno::Inval,
        Kernel::ISDIR => Errno::Isdir,
        Kernel::LOOP => Errno::Loop,
        Kernel::MFILE => Errno::Mfile,
        Kernel::MLINK => Errno::Mlink,
        Kernel::NAMETOOLONG => Errno::Nametoolong,
        Kernel::NFILE => Errno::Nfile,
        Kernel::NODEV => Errno::Nodev,
        Kernel::NOENT => Errno::Noent,
        Kernel::NOMEM => Errno::Nomem,
        Kernel::NOSPC => Errno::Nospc,
        Kernel::NOSYS => Errno::Nosys,
        Kernel::NOTDIR => Errno::Notdir,
        Kernel::NOTEMPTY => Errno::Notempty,
        Kernel::NOTSUP => Errno::Notsup,
        Kernel::NXIO => Errno::Nxio,
        Kernel::OVERFLOW => Errno::Overflow,
        Kernel::PERM => Errno::Perm,
        Kernel::PIPE => Errno::Pipe,
        Kernel::RANGE => Errno::Range,
        Kernel::ROFS => Errno::Rofs,
        Kernel::SPIPE => Errno::Spipe,
        Kernel::STALE => Errno::Stale,
        Kernel::TXTBSY => Errno::Txtbsy,
        Kernel::XDEV => Errno::Xdev,
        _ => Errno::Io,
    }
}
