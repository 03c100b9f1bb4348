//! Wasmtime's settings, for the peer and for its compiler: an artifact runs only where they are the same.

use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig};

/// Settings for quick cold starts and runs:
///
/// - instances, memories and tables from a pool, 256 of each: as many as the server has threads;
/// - memory images by copy on write (the default), and 128 KiB of a memory reset with `memset` in place of `madvise`;
/// - no address map, no unwind tables, no backtraces: what is not in an artifact need not be loaded;
/// - guest memories of 4 GiB address space with guard pages (the default): no bounds checks in code;
/// - no epoch interruption, no fuel: unlike the executor, the peer cannot stop a guest.
pub fn config() -> Config {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_core_instances(256)
        .total_memories(256)
        .total_tables(256)
        .max_memory_size(256 << 20)
        .linear_memory_keep_resident(128 << 10)
        .table_keep_resident(16 << 10);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .generate_address_map(false)
        .native_unwind_info(false)
        .wasm_backtrace_max_frames(None);
    config
}
