//! A regular file that a guest has open.

use std::io::IoSlice;

use cap_std::fs::{File as CapFile, FileExt, Metadata};
use executor_wasi::host::{SetTime, Status, Times};
use executor_wasi::{Errno, File};
use rustix::fs::{FallocateFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use rustix::io::{ReadWriteFlags, pwritev2};

use super::errno::{from_io, from_kernel};
use super::folder::status;

/// A regular file.
#[derive(Debug)]
pub struct RegularFile {
    file: CapFile,
}

impl RegularFile {
    pub(super) fn new(file: CapFile) -> Self {
        Self { file }
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        self.file.metadata().map_err(|e| from_io(&e))
    }
}

impl File for RegularFile {
    fn read_at(&self, bytes: &mut [u8], position: u64) -> Result<usize, Errno> {
        self.file.read_at(bytes, position).map_err(|e| from_io(&e))
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> Result<usize, Errno> {
        self.file.write_at(bytes, position).map_err(|e| from_io(&e))
    }

    fn append(&self, bytes: &[u8]) -> Result<(usize, u64), Errno> {
        // One system call finds the end and writes there, also when other guests append to the same file.
        let written = pwritev2(&self.file, &[IoSlice::new(bytes)], 0, ReadWriteFlags::APPEND).map_err(from_kernel)?;
        Ok((written, self.metadata()?.len()))
    }

    fn status(&self) -> Result<Status, Errno> {
        Ok(status(&self.metadata()?))
    }

    fn set_size(&self, size: u64) -> Result<(), Errno> {
        self.file.set_len(size).map_err(|e| from_io(&e))
    }

    fn allocate(&self, offset: u64, length: u64) -> Result<(), Errno> {
        rustix::fs::fallocate(&self.file, FallocateFlags::empty(), offset, length).map_err(from_kernel)
    }

    fn set_times(&self, times: Times) -> Result<(), Errno> {
        let times = Timestamps {
            last_access: timespec(times.accessed)?,
            last_modification: timespec(times.modified)?,
        };
        rustix::fs::futimens(&self.file, &times).map_err(from_kernel)
    }

    fn sync(&self, data_only: bool) -> Result<(), Errno> {
        let synchronised = if data_only {
            self.file.sync_data()
        } else {
            self.file.sync_all()
        };
        synchronised.map_err(|e| from_io(&e))
    }
}

fn timespec(time: SetTime) -> Result<Timespec, Errno> {
    Ok(match time {
        SetTime::Keep => Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
        SetTime::Now => Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_NOW,
        },
        SetTime::At(ns) => Timespec {
            tv_sec: i64::try_from(ns / 1_000_000_000).map_err(|_| Errno::Overflow)?,
            tv_nsec: (ns % 1_000_000_000).try_into().map_err(|_| Errno::Overflow)?,
        },
    })
}
