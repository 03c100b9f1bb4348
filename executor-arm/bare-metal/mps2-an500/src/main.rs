//! The executor on Arm's MPS2 with the image AN500.
//!
//! Source: Arm, *Application Note AN500: Cortex-M7 SMM on V2M-MPS2*; *Cortex-M System Design Kit Technical Reference Manual*
//! for its UARTs and its watchdog; *Armv7-M Architecture Reference Manual* for the rest.
#![no_std]
#![no_main]
#![allow(unsafe_code)] // registers, memory, and what the start-up code asks for

mod faults;
mod machine;
mod memory_protection;
mod uart;
mod watchdog;

use core::arch::naked_asm;

use cortex_m_rt::entry;
use executor_bare_metal::boot_record::BootRecord;
use executor_bare_metal::{Configuration, Memory, Region, network};
use lan9118::Lan9118;

use machine::Machine;

mod description {
    #![allow(dead_code, reason = "not every board uses all of it")]
    include!(concat!(env!("OUT_DIR"), "/description.rs"));
}

mod image {
    use executor_bare_metal::baked::Baked;

    include!(concat!(env!("OUT_DIR"), "/image.rs"));
}

/// The registers of the LAN9118.
const ETHERNET: usize = 0xa000_0000;

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
    static mut _thread_stack_start: u32;
    static mut _thread_stack_end: u32;
}

/// The start-up code runs on the handlers' stack. The thread gets its own, at whose end memory ends: an overflow is a fault
/// that its handler can still tell of.
#[entry]
fn enter() -> ! {
    // SAFETY: nothing of this function's frame is used again.
    unsafe { switch_stack() }
}

/// Make the process stack the thread's, and go on there.
#[unsafe(naked)]
unsafe extern "C" fn switch_stack() -> ! {
    naked_asm!(
        "ldr r0, ={stack}",
        "msr psp, r0",
        "movs r0, #2",
        // CONTROL.SPSEL; the processor switches at the barrier.
        "mrs r1, control",
        "orrs r1, r0",
        "msr control, r1",
        "isb",
        "b {main}",
        stack = sym _thread_stack_start,
        main = sym main,
    )
}

extern "C" fn main() -> ! {
    let Some(core) = cortex_m::Peripherals::take() else {
        // The start-up code calls this once.
        cortex_m::peripheral::SCB::sys_reset()
    };
    MACHINE.start(core);
    // SAFETY: AN500: the chip lies there; only this program uses it. `memory_protection` has mapped it as device memory.
    let started = unsafe { Lan9118::start(ETHERNET, description::MAC) };
    let (device, mac) = match started {
        Ok(started) => started,
        Err(error) => panic!("{error}"),
    };
    let configuration = &raw mut CONFIGURATION;
    // SAFETY: once, before anybody else has a reference to it.
    let configuration = unsafe { &mut *configuration };
    configuration.network.mac = mac;
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
        stack_limit: (&raw mut _thread_stack_end).cast(),
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
