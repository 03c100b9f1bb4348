//! Arguments, environment, end, chance; and the signals and sockets that there are not.

use core::convert::Infallible;

use crate::context::Context;
use crate::errno::Errno;
use crate::functions::{Failure, Stop};
use crate::host::Host;
use crate::memory::{GuestMemory, length};

/// The size of a pointer in guest memory.
const POINTER_BYTES: u32 = 4;

/// As many random bytes as a kernel makes in a few milliseconds: between two of them a guest can be stopped.
const RANDOM_BYTES_AT_ONCE: usize = 1024 * 1024;

impl<H: Host> Context<'_, H> {
    pub(crate) fn args_get(&mut self, memory: &mut GuestMemory<'_>, argv: u32, argv_buf: u32) -> Result<(), Errno> {
        let arguments = self.input.arguments.iter().copied();
        write_strings(memory, arguments, argv, argv_buf)
    }

    pub(crate) fn args_sizes_get(&mut self, memory: &mut GuestMemory<'_>, count: u32, size: u32) -> Result<(), Errno> {
        let arguments = self.input.arguments;
        let text_len = arguments
            .iter()
            .try_fold(0_usize, |sum, argument| sum.checked_add(argument.len())?.checked_add(1))
            .ok_or(Errno::Overflow)?;
        memory.write_u32(count, length(arguments.len())?)?;
        memory.write_u32(size, length(text_len)?)
    }

    pub(crate) fn environ_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        environ: u32,
        environ_buf: u32,
    ) -> Result<(), Errno> {
        let environment = self.input.environment;
        let variables = environment.block().split(|byte| *byte == 0).take(environment.count());
        write_strings(memory, variables, environ, environ_buf)
    }

    pub(crate) fn environ_sizes_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        count: u32,
        size: u32,
    ) -> Result<(), Errno> {
        let environment = self.input.environment;
        memory.write_u32(count, length(environment.count())?)?;
        memory.write_u32(size, length(environment.block().len())?)
    }

    pub(crate) fn proc_exit(&mut self, _: &mut GuestMemory<'_>, code: u32) -> Result<Infallible, Stop> {
        Err(Stop::Exit(code))
    }

    pub(crate) fn proc_raise(&mut self, _: &mut GuestMemory<'_>, _signal: u32) -> Result<(), Errno> {
        Err(Errno::Notsup)
    }

    pub(crate) fn sched_yield(&mut self, _: &mut GuestMemory<'_>) -> Result<(), Errno> {
        self.host.yield_now();
        Ok(())
    }

    pub(crate) fn random_get(&mut self, memory: &mut GuestMemory<'_>, buf: u32, buf_len: u32) -> Result<(), Failure> {
        for part in memory.slice_mut(buf, buf_len)?.chunks_mut(RANDOM_BYTES_AT_ONCE) {
            self.check_stop()?;
            self.host.random(part)?;
        }
        Ok(())
    }

    pub(crate) fn sock_accept(
        &mut self,
        _: &mut GuestMemory<'_>,
        fd: u32,
        _flags: u32,
        _opened: u32,
    ) -> Result<(), Errno> {
        self.no_socket(fd)
    }

    #[expect(clippy::too_many_arguments, reason = "the specification's")]
    pub(crate) fn sock_recv(
        &mut self,
        _: &mut GuestMemory<'_>,
        fd: u32,
        _iovs: u32,
        _iovs_len: u32,
        _flags: u32,
        _nread: u32,
        _oflags: u32,
    ) -> Result<(), Errno> {
        self.no_socket(fd)
    }

    pub(crate) fn sock_send(
        &mut self,
        _: &mut GuestMemory<'_>,
        fd: u32,
        _iovs: u32,
        _iovs_len: u32,
        _flags: u32,
        _nwritten: u32,
    ) -> Result<(), Errno> {
        self.no_socket(fd)
    }

    pub(crate) fn sock_shutdown(&mut self, _: &mut GuestMemory<'_>, fd: u32, _how: u32) -> Result<(), Errno> {
        self.no_socket(fd)
    }

    /// An open descriptor is not a socket.
    fn no_socket(&self, fd: u32) -> Result<(), Errno> {
        self.descriptors.get(fd)?;
        Err(Errno::Notsock)
    }
}

/// Write strings one after the other, each with a NUL, from `text` on; and their addresses, from `pointers` on.
fn write_strings<'s>(
    memory: &mut GuestMemory<'_>,
    strings: impl Iterator<Item = &'s [u8]>,
    pointers: u32,
    text: u32,
) -> Result<(), Errno> {
    let mut pointer = pointers;
    let mut address = text;
    for string in strings {
        memory.write_u32(pointer, address)?;
        memory.write(address, string)?;
        let end = address.checked_add(length(string.len())?).ok_or(Errno::Fault)?;
        memory.write(end, &[0])?;
        // A string at the very end of a 4 GiB memory has no address after it; if another follows, that one is the fault.
        address = end.wrapping_add(1);
        pointer = pointer.checked_add(POINTER_BYTES).ok_or(Errno::Fault)?;
    }
    Ok(())
}
