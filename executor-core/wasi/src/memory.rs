//! A guest's linear memory, and the addresses that a guest alleges to be in it.
//!
//! Every pointer and length that a guest passes is an allegation until it was looked up here. Nothing in this module can
//! panic or overflow: what does not lie in memory whole is [`Errno::Fault`]. WASI's byte order is little-endian on every
//! machine, and preview 1 asks for no alignment that an engine must check.

use crate::errno::Errno;

/// The whole linear memory of the calling instance.
#[derive(Debug)]
pub struct GuestMemory<'a> {
    bytes: &'a mut [u8],
}

/// One entry of an array of `iovec` or `ciovec`: 8 bytes, an address and a length. Not checked yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Iovec {
    pub(crate) address: u32,
    pub(crate) length: u32,
}

/// The size of an `iovec` in guest memory.
const IOVEC_BYTES: u32 = 8;

/// More entries than this are refused, as POSIX systems do (`IOV_MAX`).
pub(crate) const IOVECS_MAX: u32 = 1024;

/// An address or a length as an index of this machine. WASI's are 32 bits wide.
pub(crate) fn index(value: u32) -> Result<usize, Errno> {
    usize::try_from(value).map_err(|_| Errno::Fault)
}

/// A length that came from guest memory, or was cut to fit there.
pub(crate) fn length(value: usize) -> Result<u32, Errno> {
    u32::try_from(value).map_err(|_| Errno::Overflow)
}

impl<'a> GuestMemory<'a> {
    /// Look at this memory. It may be empty (a module without memory).
    pub fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes }
    }

    /// `length` bytes at `address`.
    ///
    /// # Errors
    /// [`Errno::Fault`] if they do not lie in memory whole.
    pub fn slice(&self, address: u32, length: u32) -> Result<&[u8], Errno> {
        let start = index(address)?;
        let end = start.checked_add(index(length)?).ok_or(Errno::Fault)?;
        self.bytes.get(start..end).ok_or(Errno::Fault)
    }

    /// `length` bytes at `address`, to be written.
    ///
    /// # Errors
    /// [`Errno::Fault`] if they do not lie in memory whole.
    pub fn slice_mut(&mut self, address: u32, length: u32) -> Result<&mut [u8], Errno> {
        let start = index(address)?;
        let end = start.checked_add(index(length)?).ok_or(Errno::Fault)?;
        self.bytes.get_mut(start..end).ok_or(Errno::Fault)
    }

    /// `N` bytes at `address`.
    ///
    /// # Errors
    /// [`Errno::Fault`] if they do not lie in memory whole.
    pub fn array<const N: usize>(&self, address: u32) -> Result<[u8; N], Errno> {
        let start = index(address)?;
        let tail = self.bytes.get(start..).ok_or(Errno::Fault)?;
        tail.first_chunk().copied().ok_or(Errno::Fault)
    }

    /// Write all of `bytes` at `address`.
    ///
    /// # Errors
    /// [`Errno::Fault`] if they do not fit there whole; then nothing is written.
    pub fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), Errno> {
        let start = index(address)?;
        let end = start.checked_add(bytes.len()).ok_or(Errno::Fault)?;
        self.bytes
            .get_mut(start..end)
            .ok_or(Errno::Fault)?
            .copy_from_slice(bytes);
        Ok(())
    }

    /// Write a `u32` at `address`.
    ///
    /// # Errors
    /// [`Errno::Fault`] if it does not fit there.
    pub fn write_u32(&mut self, address: u32, value: u32) -> Result<(), Errno> {
        self.write(address, &value.to_le_bytes())
    }

    /// Write a `u64` at `address`.
    ///
    /// # Errors
    /// [`Errno::Fault`] if it does not fit there.
    pub fn write_u64(&mut self, address: u32, value: u64) -> Result<(), Errno> {
        self.write(address, &value.to_le_bytes())
    }

    /// A path: UTF-8 without a NUL.
    pub(crate) fn path(&self, address: u32, length: u32) -> Result<&str, Errno> {
        let path = core::str::from_utf8(self.slice(address, length)?).map_err(|_| Errno::Ilseq)?;
        if path.contains('\0') {
            Err(Errno::Inval)
        } else {
            Ok(path)
        }
    }

    /// Entry `number` of the array of iovecs at `array`.
    pub(crate) fn iovec(&self, array: u32, number: u32) -> Result<Iovec, Errno> {
        let offset = number.checked_mul(IOVEC_BYTES).ok_or(Errno::Fault)?;
        let entry = self.array::<8>(array.checked_add(offset).ok_or(Errno::Fault)?)?;
        let [a, b, c, d, e, f, g, h] = entry;
        Ok(Iovec {
            address: u32::from_le_bytes([a, b, c, d]),
            length: u32::from_le_bytes([e, f, g, h]),
        })
    }
}
