//! What a board's executor does if its arguments do not say otherwise: with little memory, and for a few cores.

use executor_linux::command_line::defaults::Defaults;
use executor_linux::hardware::Hardware;

/// The memory that is assumed if the kernel does not tell: the smallest board's (Raspberry Pi 1 A).
const LEAST_MEMORY_BYTES: u64 = 256 << 20;

/// Half of the memory is the executor's budget. The other half is for what it does not count (the stacks of threads, what runs
/// print, the kernel's buffers of connections) and for everything else that runs on a board, which has no swap
/// worth the name: what does not fit is killed.
pub fn of_board(hardware: &Hardware) -> Defaults {
    let half = hardware.available_bytes().unwrap_or(LEAST_MEMORY_BYTES) / 2;
    Defaults {
        memory_total_bytes: Some(usize::try_from(half).unwrap_or(usize::MAX)),
        // A request that waits for something holds one, with a stack and an inbox.
        threads_max: 64,
        // Each takes a few KiB of the kernel's.
        connections_max: 2048,
        // A warm one of an action that has no other takes 140 to 190 KiB: together, a tenth of the memory of a board of 512 MiB.
        containers_max: 256,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_what_there_is() {
        let hardware = |memory_bytes, group_bytes| Hardware {
            cores: 1,
            memory_bytes,
            group_bytes,
        };
        for (memory_bytes, group_bytes, expected) in [
            (Some(441_000 << 10), None, 220_500 << 10),
            (Some(4 << 30), Some(128 << 20), 64 << 20),
            (None, None, 128 << 20),
        ] {
            let defaults = of_board(&hardware(memory_bytes, group_bytes));
            assert_eq!(defaults.memory_total_bytes, Some(expected));
        }
    }
}
