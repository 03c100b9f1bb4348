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
use executor_bare_metal::{Configuration, Memory, Region, network};

use machine::Machine;

mod description {
    #![allow(dead_code, reason = "not every board uses all of it")]
    include!(concat!(env!("OUT_DIR"), "/description.rs"));
}

mod image {
    use executor_bare_metal::baked::Baked;

    include!(concat!(env!("OUT_DIR"), "/image.rs"));
}

static MACHINE: Machine = Machine::new();

/// In memory that the start-up code leaves as it is.
#[unsafe(link_section = ".uninit.boot_record")]
static BOOT_RECORD: BootRecord = BootRecord::new();

static mut CONFIGURATION: Configuration = Configuration {
    name: description::NAME,
    trust: image::TRUST,
    baked: image::BAKED,
    containers_max: description::CONTAINERS_MAX,
    instance_max_bytes: description::INSTANCE_MAX_BYTES,
    run_max_ms: description::RUN_MAX_MS,
    cpu_features: machine::CPU_FEATURES,
    network: network::Configuration {
        mac: description::MAC,
        dhcp: description::DHCP,
        address: description::ADDRESS,
        gateway: description::GATEWAY,
        action_port: description::ACTION_PORT,
        control_port: description::CONTROL_PORT,
    },
};

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
    let configuration = &raw mut CONFIGURATION;
    // SAFETY: once, before anybody else has a reference to it.
    let configuration = unsafe { &mut *configuration };
    configuration.network.mac = device.mac();
    // SAFETY: board.toml's memory map: this region is nobody else's.
    let code = unsafe { Region::new(description::CODE) };
    // SAFETY: as above.
    let pages = unsafe { Region::new(description::PAGES) };
    // SAFETY: as above.
    let engine = unsafe { Region::new(description::ENGINE) };
    // SAFETY: as above.
    let bodies = unsafe { Region::new(description::BODIES) };
    let memory = Memory {
        code,
        pages,
        engine,
        bodies,
        stack_limit: &raw mut _thread_stack_end,
    };
    executor_bare_metal::start(
        &MACHINE,
        memory,
        configuration,
        description::CONNECTIONS,
        &BOOT_RECORD,
        device,
        || MACHINE.enable_timer(),
    )
}
