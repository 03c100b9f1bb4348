//! Registers: the processor's by name, devices' by address.

use core::ptr;

/// Read a register of the processor.
macro_rules! read {
    ($name:literal) => {{
        let value: u64;
        // SAFETY: reads a register that has no side effects.
        unsafe { core::arch::asm!(concat!("mrs {}, ", $name), out(reg) value, options(nomem, nostack, preserves_flags)) };
        value
    }};
}

/// Write a register of the processor, and see to it that what follows is under its effect.
macro_rules! write {
    ($name:literal, $value:expr) => {{
        let value: u64 = $value;
        // SAFETY: the place of use says why the value may be written.
        unsafe { core::arch::asm!(concat!("msr ", $name, ", {}"), "isb", in(reg) value, options(nostack, preserves_flags)) };
    }};
}

/// An instruction without operands that are registers.
macro_rules! instruction {
    ($($text:literal),+) => {{
        // SAFETY: the place of use says what it does. It is a barrier to the compiler, too.
        unsafe { core::arch::asm!($($text),+, options(nostack, preserves_flags)) };
    }};
}

pub(crate) use {instruction, read, write};

/// A device's registers of 32 bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Device(usize);

impl Device {
    /// # Safety
    /// A device lies there, which `translation` maps as such; reading and writing its registers, as the caller does, touches
    /// no memory.
    pub(crate) const unsafe fn at(address: usize) -> Self {
        Device(address)
    }

    fn place(self, offset: usize) -> *mut u32 {
        ptr::with_exposed_provenance_mut(self.0 + offset)
    }

    pub(crate) fn read(self, offset: usize) -> u32 {
        // SAFETY: the promise of `at`.
        unsafe { self.place(offset).read_volatile() }
    }

    pub(crate) fn write(self, offset: usize, value: u32) {
        // SAFETY: the promise of `at`.
        unsafe { self.place(offset).write_volatile(value) };
    }
}
