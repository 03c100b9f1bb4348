//! The executor on QEMU's virtual machine `virt` for AArch64: a Cortex-A72 as on a Raspberry Pi 4, and virtio devices.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`start`] | from the first instruction to `main`, and the table of exception vectors |
//! | [`translation`] | the page tables: what memory may be written, run, or neither |
//! | [`faults`] | what nothing can go on from |
//! | [`machine`] | the clock, sleep, interrupts, reset |
//! | [`interrupts`] | the interrupt controller |
//! | [`watchdog`] | a second timer, whose interrupt nothing masks |
//! | [`registers`] | the processor's, and devices' |
//! | [`uart`] | the console of errors |
//! | [`virtio`], [`ethernet`] | network, random numbers, the console of output |
//!
//! Source: Arm, *Architecture Reference Manual for A-profile* (DDI 0487); *Generic Interrupt Controller version 2* (IHI 0048);
//! *PrimeCell UART (PL011)* (DDI 0183) and *Real Time Clock (PL031)* (DDI 0224); OASIS, *Virtual I/O Device 1.2*; QEMU's
//! `hw/arm/virt.c` for addresses and interrupts.
#![no_std]
#![no_main]
#![allow(unsafe_code)] // registers, memory, and the first instructions

mod ethernet;
mod faults;
mod interrupts;
mod machine;
mod registers;
mod start;
mod translation;
mod uart;
mod virtio;
mod watchdog;

use executor_bare_metal::boot_record::BootRecord;

use machine::Machine;

executor_bare_metal::image!();

static MACHINE: Machine = Machine::new();

/// In memory that the start-up code leaves as it is.
#[unsafe(link_section = ".uninit.boot_record")]
static BOOT_RECORD: BootRecord = BootRecord::new();

unsafe extern "C" {
    static mut _thread_stack_end: u8;
}

/// The start-up code's next step: caches and page tables are on, interrupts are off.
extern "C" fn main() -> ! {
    uart::start();
    let devices = virtio::find();
    MACHINE.start(&devices);
    let Some(device) = devices.ethernet else {
        panic!("there is no virtio network device");
    };
    let stack_limit = &raw mut _thread_stack_end;
    // SAFETY: once.
    unsafe { serve(machine::CPU_FEATURES, device.mac(), device, stack_limit) }
}
