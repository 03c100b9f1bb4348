//! The page tables: every address is its own, memory is written or run, never both, and what is not listed here is not touched.
//!
//! | what | rights |
//! | --- | --- |
//! | flash: the program, and what is baked into it | read, run |
//! | static memory and stacks | read, write |
//! | memory for guests | read, write |
//! | in it: native code | read, run; while a module is loaded, read, write |
//! | interrupt controller, console, clock, virtio | read, write, as a device |
//!
//! Blocks of 2 MiB, 32 bits of address. The tables are made by the compiler, so that nothing runs without caches but the copy of
//! static memory; `SCTLR_EL1.WXN` also refuses to run whatever is writable by a mistake in them. Source: DDI 0487, D8.

use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};

use crate::description;
use crate::registers::instruction;

const BLOCK: usize = 0x20_0000;
const GIB: usize = 0x4000_0000;

/// The tables know RAM from 1 to 2 GiB, and devices below.
const RAM_BASE: usize = GIB;

/// A block, accessed, shared.
const BLOCK_ENTRY: u64 = 0b01 | (1 << 10) | (0b11 << 8);
/// The index into MAIR that [`MAIR`] makes of devices.
const DEVICE: u64 = 1 << 2;
const READ_ONLY: u64 = 1 << 7;
/// Neither by this level, nor by the one below it, which is not used.
const NEVER_RUN: u64 = (1 << 53) | (1 << 54);
const NEVER_RUN_BELOW: u64 = 1 << 54;

const RUN: u64 = BLOCK_ENTRY | READ_ONLY | NEVER_RUN_BELOW;
const READ_WRITE: u64 = BLOCK_ENTRY | NEVER_RUN;

/// 0: normal memory, written back, allocated on read and write. 1: a device, whose writes may be acknowledged early.
pub(crate) const MAIR: u64 = 0x04ff;
/// 32 bits of address below, none above; pages of 4 KiB; the tables lie in cached, shared memory.
pub(crate) const TCR: u64 = 32 | (0b01 << 8) | (0b01 << 10) | (0b11 << 12) | (1 << 23);
/// Translation, data cache, stack alignment, instruction cache, nothing writable is run; and what is always 1.
pub(crate) const SCTLR: u64 = 0x30d0_0800 | 1 | (1 << 2) | (1 << 3) | (1 << 4) | (1 << 12) | (1 << 19);

#[repr(C, align(4096))]
struct Level2([AtomicU64; 512]);

/// Four entries of 1 GiB. An entry is an address with a mark, which only a pointer can be before the program is linked.
#[repr(C, align(32))]
pub(crate) struct Level1([*const u8; 4]);

// SAFETY: nobody reads it but the processor.
unsafe impl Sync for Level1 {}

const A_TABLE: usize = 0b11;

pub(crate) static LEVEL_1: Level1 = Level1([
    (&raw const DEVICES).cast::<u8>().wrapping_add(A_TABLE),
    (&raw const RAM).cast::<u8>().wrapping_add(A_TABLE),
    ptr::null(),
    ptr::null(),
]);

static DEVICES: Level2 = Level2(table(&[
    // The interrupt controller.
    (0, (0x0800_0000, BLOCK), READ_WRITE | DEVICE),
    // Console and clock.
    (0, (0x0900_0000, BLOCK), READ_WRITE | DEVICE),
    // virtio.
    (0, (0x0a00_0000, BLOCK), READ_WRITE | DEVICE),
]));

static RAM: Level2 = Level2(table(&[
    (RAM_BASE, description::FLASH, RUN),
    (RAM_BASE, description::RAM, READ_WRITE),
    (RAM_BASE, description::GUESTS, READ_WRITE),
    (RAM_BASE, description::BODIES, READ_WRITE),
    (RAM_BASE, description::CODE, RUN),
]));

/// (the table's first address, what, rights); what comes later wins.
const fn table(areas: &[(usize, (usize, usize), u64)]) -> [AtomicU64; 512] {
    let mut entries = [0_u64; 512];
    let mut number = 0;
    while number < areas.len() {
        let (base, (start, bytes), rights) = areas[number];
        assert!(
            start.is_multiple_of(BLOCK) && bytes.is_multiple_of(BLOCK),
            "areas are blocks of 2 MiB"
        );
        assert!(start >= base && start + bytes <= base + GIB, "RAM lies from 1 to 2 GiB");
        let mut address = start;
        while address < start + bytes {
            entries[(address - base) / BLOCK] = address as u64 | rights;
            address += BLOCK;
        }
        number += 1;
    }
    let mut table = [const { AtomicU64::new(0) }; 512];
    let mut index = 0;
    while index < 512 {
        table[index] = AtomicU64::new(entries[index]);
        index += 1;
    }
    table
}

/// Change the rights of the region of native code. WAMR's platform layer sees to the caches (`c/bare/pages.c`).
pub(crate) fn code_is_writable(is_writable: bool) {
    let (start, bytes) = description::CODE;
    let rights = if is_writable { READ_WRITE } else { RUN };
    for (address, entry) in (start..start + bytes)
        .step_by(BLOCK)
        .zip(RAM.0.iter().skip((start - RAM_BASE) / BLOCK))
    {
        // Only rights change: the old entry need not be broken first (D8.16.1).
        entry.store(address as u64 | rights, Ordering::Release);
    }
    // The entries are seen by walks of the tables from here on, and what was kept of the old ones is forgotten.
    instruction!("dsb ishst", "tlbi vmalle1is", "dsb ish", "isb");
}
