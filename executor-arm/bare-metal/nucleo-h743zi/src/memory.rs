//! What the chip's memories are used for. Where they lie is in board.toml.
//!
//! | memory | KiB | use |
//! | --- | --- | --- |
//! | flash | 2,048 | the program, and what is baked into it |
//! | DTCM | 128 | stacks |
//! | AXI SRAM | 512 | guests: native code, linear memories, WAMR's heap; at its end static memory |
//! | SRAM1, SRAM2 | 256 | bodies, and the sockets' buffers |
//! | SRAM3 | 32 | frames, and the Ethernet's lists of them: not cached |
//!
//! ITCM, SRAM4 and the backup SRAM are left alone. Source: RM0433, memory organisation.

use embassy_stm32::pac::RCC;
use executor_cortex_m::memory_protection::{Region, Use};

use crate::description::{BODIES, DMA, FLASH, GUESTS, RAM, STACKS};

const AXI_SRAM: Region = Region(GUESTS.0, GUESTS.1 + RAM.1, Use::Data);
const _: () = assert!(RAM.0 == GUESTS.0 + GUESTS.1);

/// For the memory protection unit. Everything that is listed nowhere, the address zero among it, is out of reach.
pub(crate) const REGIONS: [Region; 6] = Region::checked([
    Region(FLASH.0, FLASH.1, Use::Program),
    Region(STACKS.0, STACKS.1, Use::Data),
    AXI_SRAM,
    Region(BODIES.0, BODIES.1, Use::Data),
    Region(DMA.0, DMA.1, Use::Uncached),
    Region(0x4000_0000, 0x2000_0000, Use::Device),
]);

/// After a reset SRAM1 to SRAM3 have no clock. Nothing lies there that was needed until now.
pub(crate) fn switch_on() {
    RCC.ahb2enr().modify(|clocks| {
        clocks.set_sram1en(true);
        clocks.set_sram2en(true);
        clocks.set_sram3en(true);
    });
    // The clock is there some cycles later: after the register was read back.
    RCC.ahb2enr().read();
    cortex_m::asm::dsb();
}
