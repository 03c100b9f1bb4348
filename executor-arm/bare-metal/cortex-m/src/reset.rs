//! The end of a boot. What is noted of it lies in memory, of which the cache holds the newest: a reset would lose that.

use cortex_m::peripheral::SCB;
use executor_bare_metal::boot_record::BootRecord;

/// Write the record from the cache to memory. The timer's handler does it after each tick: the watchdog's reset says no word
/// before.
pub fn keep(record: &'static BootRecord) {
    // SAFETY: cleaning the cache changes nothing that the program sees.
    let mut core = unsafe { cortex_m::Peripherals::steal() };
    core.SCB.clean_dcache_by_ref(record);
}

/// Reset the board.
pub fn reset(record: &'static BootRecord) -> ! {
    keep(record);
    SCB::sys_reset()
}
