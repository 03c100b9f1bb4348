//! The structures of preview 1 in guest memory, byte by byte, and their flags.
//!
//! Source: `typenames.witx`; the offsets are those of its C header `wasi/api.h`. Padding is written as zeros.

use crate::errno::Errno;
use crate::host::{Kind, SetTime, Status, Times};

/// `rights`: what a descriptor can be used for.
pub(crate) mod rights {
    pub(crate) const FD_DATASYNC: u64 = 1 << 0;
    pub(crate) const FD_READ: u64 = 1 << 1;
    pub(crate) const FD_SEEK: u64 = 1 << 2;
    pub(crate) const FD_FDSTAT_SET_FLAGS: u64 = 1 << 3;
    pub(crate) const FD_SYNC: u64 = 1 << 4;
    pub(crate) const FD_TELL: u64 = 1 << 5;
    pub(crate) const FD_WRITE: u64 = 1 << 6;
    pub(crate) const FD_ADVISE: u64 = 1 << 7;
    pub(crate) const FD_ALLOCATE: u64 = 1 << 8;
    pub(crate) const FD_READDIR: u64 = 1 << 14;
    pub(crate) const FD_FILESTAT_GET: u64 = 1 << 21;
    pub(crate) const FD_FILESTAT_SET_SIZE: u64 = 1 << 22;
    pub(crate) const FD_FILESTAT_SET_TIMES: u64 = 1 << 23;
    pub(crate) const POLL_FD_READWRITE: u64 = 1 << 27;

    /// `path_create_directory` to `path_open`, `path_readlink` to `path_filestat_set_times`, `path_symlink` to
    /// `path_unlink_file`.
    const PATHS: u64 = 0x1f << 9 | 0x3f << 15 | 0x7 << 24;

    /// What any file can be used for, whichever way it was opened.
    pub(crate) const FILE: u64 = FD_SEEK
        | FD_FDSTAT_SET_FLAGS
        | FD_SYNC
        | FD_TELL
        | FD_ADVISE
        | FD_FILESTAT_GET
        | FD_FILESTAT_SET_TIMES
        | POLL_FD_READWRITE;

    /// What a file opened for writing can be used for, beyond [`FILE`].
    pub(crate) const FILE_WRITE: u64 = FD_WRITE | FD_DATASYNC | FD_ALLOCATE | FD_FILESTAT_SET_SIZE;

    /// What a directory can be used for.
    pub(crate) const DIRECTORY: u64 =
        PATHS | FD_READDIR | FD_FDSTAT_SET_FLAGS | FD_SYNC | FD_DATASYNC | FD_FILESTAT_GET | FD_FILESTAT_SET_TIMES;

    /// What may be asked for when something is opened in a directory.
    pub(crate) const INHERITING: u64 = DIRECTORY | FILE | FILE_WRITE | FD_READ;
}

/// `fdflags`.
pub(crate) mod fdflags {
    pub(crate) const APPEND: u16 = 1 << 0;
    pub(crate) const DSYNC: u16 = 1 << 1;
    pub(crate) const NONBLOCK: u16 = 1 << 2;
    pub(crate) const RSYNC: u16 = 1 << 3;
    pub(crate) const SYNC: u16 = 1 << 4;
    pub(crate) const ALL: u16 = APPEND | DSYNC | NONBLOCK | RSYNC | SYNC;
}

/// `oflags`.
pub(crate) mod oflags {
    pub(crate) const CREAT: u16 = 1 << 0;
    pub(crate) const DIRECTORY: u16 = 1 << 1;
    pub(crate) const EXCL: u16 = 1 << 2;
    pub(crate) const TRUNC: u16 = 1 << 3;
    pub(crate) const ALL: u16 = CREAT | DIRECTORY | EXCL | TRUNC;
}

/// Flags of a known set: others are an error, as a later edition could give them a meaning.
pub(crate) fn flags(allegation: u32, all: u16) -> Result<u16, Errno> {
    match u16::try_from(allegation) {
        Ok(flags) if flags & !all == 0 => Ok(flags),
        _ => Err(Errno::Inval),
    }
}

/// `lookupflags`: whether a symbolic link in the last component is followed.
pub(crate) fn follow(allegation: u32) -> Result<bool, Errno> {
    Ok(flags(allegation, 1)? != 0)
}

/// `fstflags` and the two times that they are about.
pub(crate) fn times(accessed_ns: u64, modified_ns: u64, allegation: u32) -> Result<Times, Errno> {
    let flags = flags(allegation, 0b1111)?;
    let one = |bits: u16, at_ns| match bits & 0b11 {
        0 => Ok(SetTime::Keep),
        1 => Ok(SetTime::At(at_ns)),
        2 => Ok(SetTime::Now),
        _ => Err(Errno::Inval),
    };
    Ok(Times {
        accessed: one(flags, accessed_ns)?,
        modified: one(flags >> 2, modified_ns)?,
    })
}

/// `filestat`.
pub(crate) fn filestat(status: &Status) -> [u8; 64] {
    let mut bytes = [0; 64];
    bytes[0..8].copy_from_slice(&status.device.to_le_bytes());
    bytes[8..16].copy_from_slice(&status.inode.to_le_bytes());
    bytes[16] = status.kind as u8;
    bytes[24..32].copy_from_slice(&status.links.to_le_bytes());
    bytes[32..40].copy_from_slice(&status.size.to_le_bytes());
    bytes[40..48].copy_from_slice(&status.accessed_ns.to_le_bytes());
    bytes[48..56].copy_from_slice(&status.modified_ns.to_le_bytes());
    bytes[56..64].copy_from_slice(&status.changed_ns.to_le_bytes());
    bytes
}

/// `dirent`, the head of a directory entry; the name follows it.
pub(crate) fn dirent(next: u64, inode: u64, name_len: u32, kind: Kind) -> [u8; 24] {
    let mut bytes = [0; 24];
    bytes[0..8].copy_from_slice(&next.to_le_bytes());
    bytes[8..16].copy_from_slice(&inode.to_le_bytes());
    bytes[16..20].copy_from_slice(&name_len.to_le_bytes());
    bytes[20] = kind as u8;
    bytes
}

/// `fdstat`.
pub(crate) fn fdstat(kind: Kind, flags: u16, base: u64, inheriting: u64) -> [u8; 24] {
    let mut bytes = [0; 24];
    bytes[0] = kind as u8;
    bytes[2..4].copy_from_slice(&flags.to_le_bytes());
    bytes[8..16].copy_from_slice(&base.to_le_bytes());
    bytes[16..24].copy_from_slice(&inheriting.to_le_bytes());
    bytes
}

/// `prestat` of a directory, the only preopened thing there is (tag 0).
pub(crate) fn prestat(name_len: u32) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[4..8].copy_from_slice(&name_len.to_le_bytes());
    bytes
}

/// The size of a `subscription`.
pub(crate) const SUBSCRIPTION_BYTES: u32 = 48;

/// `subscription`: what `poll_oneoff` shall wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) userdata: u64,
    pub(crate) event: EventKind,
    pub(crate) awaited: Awaited,
}

/// `eventtype`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum EventKind {
    Clock = 0,
    FdRead = 1,
    FdWrite = 2,
}

/// The union in a `subscription`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// `timeout_ns` from now on, or the time itself if `absolute`.
    Clock {
        clock: u32,
        timeout_ns: u64,
        absolute: bool,
    },
    /// A descriptor's being ready.
    Descriptor(u32),
}

impl Subscription {
    /// # Errors
    /// [`Errno::Inval`]: no such type of event.
    pub(crate) fn parse(bytes: &[u8; 48]) -> Result<Self, Errno> {
        let [
            u0,
            u1,
            u2,
            u3,
            u4,
            u5,
            u6,
            u7,
            tag,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            i0,
            i1,
            i2,
            i3,
            _,
            _,
            _,
            _,
            rest @ ..,
        ] = *bytes;
        let [t0, t1, t2, t3, t4, t5, t6, t7, _, _, _, _, _, _, _, _, f0, _, ..] = rest;
        let id = u32::from_le_bytes([i0, i1, i2, i3]);
        let (event, awaited) = match tag {
            0 => (
                EventKind::Clock,
                Awaited::Clock {
                    clock: id,
                    timeout_ns: u64::from_le_bytes([t0, t1, t2, t3, t4, t5, t6, t7]),
                    absolute: f0 & 1 != 0,
                },
            ),
            1 => (EventKind::FdRead, Awaited::Descriptor(id)),
            2 => (EventKind::FdWrite, Awaited::Descriptor(id)),
            _ => return Err(Errno::Inval),
        };
        Ok(Self {
            userdata: u64::from_le_bytes([u0, u1, u2, u3, u4, u5, u6, u7]),
            event,
            awaited,
        })
    }
}

/// `event`: what `poll_oneoff` has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) userdata: u64,
    pub(crate) error: Errno,
    pub(crate) kind: EventKind,
    /// Bytes that can be read or written.
    pub(crate) bytes: u64,
    /// The other end will send no more.
    pub(crate) hangup: bool,
}

impl Event {
    pub(crate) fn emit(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[0..8].copy_from_slice(&self.userdata.to_le_bytes());
        bytes[8..10].copy_from_slice(&self.error.code().to_le_bytes());
        bytes[10] = self.kind as u8;
        bytes[16..24].copy_from_slice(&self.bytes.to_le_bytes());
        bytes[24] = u8::from(self.hangup);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filestat_has_the_headers_offsets() {
        let bytes = filestat(&Status {
            device: 0x11,
            inode: 0x22,
            kind: Kind::SymbolicLink,
            links: 0x33,
            size: 0x44,
            accessed_ns: 0x55,
            modified_ns: 0x66,
            changed_ns: 0x77,
        });
        let set: [(usize, u8); 8] = [
            (0, 0x11),
            (8, 0x22),
            (16, 7),
            (24, 0x33),
            (32, 0x44),
            (40, 0x55),
            (48, 0x66),
            (56, 0x77),
        ];
        assert_set(&bytes, &set);
    }

    #[test]
    fn dirent_fdstat_and_prestat_have_the_headers_offsets() {
        assert_set(
            &dirent(0x11, 0x22, 0x33, Kind::RegularFile),
            &[(0, 0x11), (8, 0x22), (16, 0x33), (20, 4)],
        );
        assert_set(
            &fdstat(Kind::Directory, 0x11, 0x22, 0x33),
            &[(0, 3), (2, 0x11), (8, 0x22), (16, 0x33)],
        );
        assert_set(&prestat(0x11), &[(4, 0x11)]);
    }

    #[test]
    fn event_has_the_headers_offsets() {
        let event = Event {
            userdata: 0x11,
            error: Errno::Badf,
            kind: EventKind::FdWrite,
            bytes: 0x22,
            hangup: true,
        };
        assert_set(&event.emit(), &[(0, 0x11), (8, 8), (10, 2), (16, 0x22), (24, 1)]);
    }

    #[test]
    fn subscription_has_the_headers_offsets() {
        let mut bytes = [0xff; 48];
        bytes[0..8].copy_from_slice(&0x1122_3344_5566_7788_u64.to_le_bytes());
        bytes[8] = 0;
        bytes[16..20].copy_from_slice(&1_u32.to_le_bytes());
        bytes[24..32].copy_from_slice(&300_000_000_u64.to_le_bytes());
        bytes[40..42].copy_from_slice(&1_u16.to_le_bytes());
        let clock = Subscription::parse(&bytes).unwrap();
        assert_eq!(
            (clock.userdata, clock.event, clock.awaited),
            (
                0x1122_3344_5566_7788,
                EventKind::Clock,
                Awaited::Clock {
                    clock: 1,
                    timeout_ns: 300_000_000,
                    absolute: true
                }
            )
        );
        bytes[8] = 2;
        bytes[16..20].copy_from_slice(&7_u32.to_le_bytes());
        let write = Subscription::parse(&bytes).unwrap();
        assert_eq!(
            (write.event, write.awaited),
            (EventKind::FdWrite, Awaited::Descriptor(7))
        );
        bytes[8] = 3;
        assert_eq!(Subscription::parse(&bytes), Err(Errno::Inval));
    }

    #[test]
    fn the_rights_are_the_specifications_bits() {
        assert_eq!(rights::INHERITING & 1 << 13, 1 << 13, "path_open");
        assert_eq!(rights::INHERITING >> 28, 0, "no socket rights");
        assert_eq!(rights::INHERITING, (1 << 28) - 1, "all the others");
        assert_eq!(
            rights::DIRECTORY & (rights::FD_READ | rights::FD_WRITE | rights::FD_SEEK),
            0
        );
    }

    #[test]
    fn times_refuse_a_contradiction() {
        assert_eq!(times(1, 2, 0), Ok(Times::default()));
        let set = times(1, 2, 0b0110).unwrap();
        assert_eq!((set.accessed, set.modified), (SetTime::Now, SetTime::At(2)));
        for bad in [0b0011, 0b1100, 0b1_0000, u32::MAX] {
            assert_eq!(times(1, 2, bad), Err(Errno::Inval), "{bad:b}");
        }
    }

    /// The bytes at these offsets, and zeros everywhere else.
    fn assert_set(bytes: &[u8], set: &[(usize, u8)]) {
        for (offset, byte) in bytes.iter().enumerate() {
            let expected = set.iter().find(|(at, _)| *at == offset).map_or(0, |(_, value)| *value);
            assert_eq!(*byte, expected, "offset {offset}");
        }
    }
}
