//! Every function through the door that an engine uses, over a machine that lives in memory.

mod files;
mod hostile;
mod machine;
mod output;
mod paths;
mod poll;
mod process;
mod streams;

use core::ops::Range;
use std::borrow::ToOwned;
use std::string::String;
use std::vec;
use std::vec::Vec;

use crate::{Context, Environment, Errno, Function, GuestMemory, Input, Output, OutputLimits, Stop};
use machine::Machine;

/// Where tests put what they hand in, and where they want results.
const TEXT: u32 = 0x1000;
const IOVS: u32 = 0x2000;
const OUT: u32 = 0x3000;
const BUFFER: u32 = 0x4000;
const MEMORY_LEN: u32 = 0x1_0000;

const LIMITS: OutputLimits = OutputLimits {
    log_bytes: 100,
    result_bytes: 20,
};

/// One run, and the memory of its guest.
struct Guest<'r> {
    context: Context<'r, Machine>,
    memory: Vec<u8>,
}

/// Run `test` as the guest of a run with this input.
fn with_input<T>(machine: &Machine, input: Input<'_>, test: impl FnOnce(&mut Guest<'_>) -> T) -> (T, Output) {
    let mut output = Output::new(LIMITS);
    let mut guest = Guest {
        context: Context::new(machine, input, &mut output),
        memory: vec![0xAA; MEMORY_LEN as usize],
    };
    let result = test(&mut guest);
    (result, output)
}

fn with_guest<T>(machine: &Machine, test: impl FnOnce(&mut Guest<'_>) -> T) -> T {
    with_input(machine, Input::default(), test).0
}

impl Guest<'_> {
    /// Call a function as an engine would.
    fn call(&mut self, function: Function, arguments: &[u64]) -> Errno {
        self.call_or_stop(function, arguments).unwrap()
    }

    fn call_or_stop(&mut self, function: Function, arguments: &[u64]) -> Result<Errno, Stop> {
        self.context
            .call(function, &mut GuestMemory::new(&mut self.memory), arguments)
    }

    /// Call, and expect success.
    #[track_caller]
    fn ok(&mut self, function: Function, arguments: &[u64]) {
        assert_eq!(
            self.call(function, arguments),
            Errno::Success,
            "{function:?} {arguments:x?}"
        );
    }

    fn put(&mut self, address: u32, bytes: &[u8]) {
        self.memory[range(address, bytes.len())].copy_from_slice(bytes);
    }

    fn bytes(&self, address: u32, len: usize) -> &[u8] {
        &self.memory[range(address, len)]
    }

    fn u32(&self, address: u32) -> u32 {
        u32::from_le_bytes(self.bytes(address, 4).try_into().unwrap())
    }

    fn u64(&self, address: u32) -> u64 {
        u64::from_le_bytes(self.bytes(address, 8).try_into().unwrap())
    }

    /// Put a path in memory; its address and length as arguments.
    fn path(&mut self, address: u32, path: &str) -> [u64; 2] {
        self.put(address, path.as_bytes());
        [u64::from(address), path.len() as u64]
    }

    /// Write an array of buffers.
    fn iovs(&mut self, buffers: &[(u32, u32)]) -> [u64; 2] {
        for (index, (address, len)) in (0_u32..).zip(buffers) {
            self.put(IOVS + 8 * index, &address.to_le_bytes());
            self.put(IOVS + 8 * index + 4, &len.to_le_bytes());
        }
        [u64::from(IOVS), buffers.len() as u64]
    }

    /// Write text to a descriptor.
    #[track_caller]
    fn write(&mut self, fd: u32, text: &[u8]) -> Errno {
        self.put(TEXT, text);
        let [iovs, count] = self.iovs(&[(TEXT, text.len() as u32)]);
        let errno = self.call(Function::FdWrite, &[u64::from(fd), iovs, count, u64::from(OUT)]);
        if errno == Errno::Success {
            assert_eq!(self.u32(OUT) as usize, text.len());
        }
        errno
    }

    /// Read from a descriptor.
    fn read(&mut self, fd: u32, len: u32) -> Result<Vec<u8>, Errno> {
        let [iovs, count] = self.iovs(&[(BUFFER, len)]);
        match self.call(Function::FdRead, &[u64::from(fd), iovs, count, u64::from(OUT)]) {
            Errno::Success => Ok(self.bytes(BUFFER, self.u32(OUT) as usize).to_owned()),
            errno => Err(errno),
        }
    }

    /// Open a path in the first preopened directory.
    fn open(&mut self, path: &str, oflags: u64, rights: u64, fdflags: u64) -> Result<u32, Errno> {
        self.open_in(3, path, oflags, rights, fdflags)
    }

    fn open_in(&mut self, fd: u32, path: &str, oflags: u64, rights: u64, fdflags: u64) -> Result<u32, Errno> {
        let [path, len] = self.path(TEXT, path);
        let arguments = [u64::from(fd), 1, path, len, oflags, rights, 0, fdflags, u64::from(OUT)];
        match self.call(Function::PathOpen, &arguments) {
            Errno::Success => Ok(self.u32(OUT)),
            errno => Err(errno),
        }
    }
}

fn range(address: u32, len: usize) -> Range<usize> {
    address as usize..address as usize + len
}

fn environment(block: &[u8]) -> Environment<'_> {
    Environment::new(block).unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

const CREAT: u64 = 1;
const DIRECTORY: u64 = 2;
const EXCL: u64 = 4;
const TRUNC: u64 = 8;
const READ: u64 = 1 << 1;
const WRITE: u64 = 1 << 6;
const APPEND: u64 = 1;
