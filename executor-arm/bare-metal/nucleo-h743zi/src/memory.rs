//! What the chip's memories are used for. Where they lie is in board.toml.
//!
//! | memory | KiB | use |
//! | --- | --- | --- |
//! | flash | 2,048 | the program, and what is baked into it |
//! | SRAM1, SRAM2 | 256 | stacks, static memory |
//! | AXI SRAM | 512 | guests: native code, linear memories, WAMR's heap |
//! | DTCM | 128 | bodies, the sockets' buffers |
//! | SRAM3 | 32 | frames, and the Ethernet's lists of them: not cached |
//!
//! ITCM, SRAM4 and the backup SRAM are left alone. RM0433, 2.4.

use core::arch::naked_asm;

use executor_cortex_m::memory_protection::{Region, Use};

use crate::description::{BODIES, DMA, FLASH, GUESTS, RAM};

/// For the memory protection unit. Everything that is listed nowhere, the address zero among it, is out of reach.
pub(crate) const REGIONS: [Region; 6] = Region::checked([
    Region(FLASH.0, FLASH.1, Use::Program),
    Region(RAM.0, RAM.1, Use::Data),
    Region(GUESTS.0, GUESTS.1, Use::Data),
    Region(BODIES.0, BODIES.1, Use::Data),
    Region(DMA.0, DMA.1, Use::Uncached),
    Region(0x4000_0000, 0x2000_0000, Use::Device),
]);

/// RM0433, 8.7.40: RCC_AHB2ENR, and its bits for SRAM1, SRAM2 and SRAM3.
const CLOCKS: u32 = 0x5802_44dc;
const SRAM1_TO_3: u32 = 0b111 << 29;

/// After a reset the memories of the chip's second domain have no clock. The start-up code calls this before it touches memory,
/// the stack included, and so does this.
#[unsafe(naked)]
#[unsafe(export_name = "__pre_init")]
unsafe extern "C" fn switch_on() {
    naked_asm!(
        "ldr r0, ={clocks}",
        "ldr r1, [r0]",
        "orr r1, r1, #{memories}",
        "str r1, [r0]",
        // ES0392, 2.2.x: a clock is there after the register was read back.
        "ldr r1, [r0]",
        "dsb",
        "bx lr",
        clocks = const CLOCKS,
        memories = const SRAM1_TO_3,
    )
}
