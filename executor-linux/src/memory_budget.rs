//! The memory that the operator gives, and what it is divided into.
//!
//! One half is for bodies and code: requests that are being received, artifacts that are being loaded, and what loaded modules
//! keep of theirs. The other half is the engine's: linear memories, native code, and what it makes of modules and instances.
//! Both are counted. Not counted are the stacks of threads, and the buffers of a run that prints.

use executor_core::limits::{ARTIFACT_MAX_BYTES, GUEST_MEMORY_MAX_BYTES, INIT_BODY_MAX_BYTES};

/// A WebAssembly page: less is no memory.
const PAGE_BYTES: usize = 64 * 1024;

/// What each purpose gets, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryBudget {
    /// All of it. `None`: as much as the machine has.
    pub total: Option<usize>,
    /// Bodies and code together.
    pub buffers: usize,
    /// What the engine takes for guests.
    pub engine: usize,
    /// The body of one `/init`.
    pub init_body: usize,
    /// One artifact, inflated.
    pub artifact: usize,
    /// The linear memory of one instance.
    pub instance: usize,
}

impl MemoryBudget {
    /// Divide `total`. `instance` is the operator's own choice for one instance, if there is one.
    pub fn new(total: Option<usize>, instance: Option<usize>) -> Self {
        let all = total.unwrap_or(usize::MAX);
        let quarter = all / 4;
        let half = all - all / 2;
        let instance = instance.unwrap_or_else(|| GUEST_MEMORY_MAX_BYTES.min(half).max(PAGE_BYTES));
        // An operator's instance that is greater than half takes from the other half, but not all of it.
        let engine = half.max(instance).min(all - quarter);
        MemoryBudget {
            total,
            buffers: total.map_or(usize::MAX, |total| total - engine),
            engine: total.map_or(usize::MAX, |_| engine),
            // The body and what is inflated from it fit into their part together.
            init_body: INIT_BODY_MAX_BYTES.min((all - engine) / 2),
            artifact: ARTIFACT_MAX_BYTES.min((all - engine) / 2),
            instance,
        }
    }
}

/// A number of bytes as people write it: in the greatest unit that leaves at least two digits or no rest, rounded down.
pub fn in_units(bytes: u64) -> String {
    for (unit, letter) in [(1 << 30, 'G'), (1 << 20, 'M'), (1 << 10, 'K')] {
        if bytes >= 10 * unit || (bytes >= unit && bytes.is_multiple_of(unit)) {
            return format!("{}{letter}", bytes / unit);
        }
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn without_a_budget_the_protocols_limits_hold() {
        let budget = MemoryBudget::new(None, None);
        assert_eq!((budget.buffers, budget.engine), (usize::MAX, usize::MAX));
        assert_eq!(
            (budget.init_body, budget.artifact, budget.instance),
            (64 * MIB, 64 * MIB, 256 * MIB)
        );
        assert_eq!(MemoryBudget::new(None, Some(MIB)).instance, MIB);
    }

    #[test]
    fn a_small_budget_is_divided() {
        let budget = MemoryBudget::new(Some(64 * MIB), None);
        assert_eq!((budget.buffers, budget.engine), (32 * MIB, 32 * MIB));
        assert_eq!(
            (budget.init_body, budget.artifact, budget.instance),
            (16 * MIB, 16 * MIB, 32 * MIB)
        );
        assert!(budget.init_body + budget.artifact <= budget.buffers);
        assert_eq!(
            MemoryBudget::new(Some(64 * MIB), Some(100 * MIB)).instance,
            100 * MIB,
            "the operator's word"
        );
        let budget = MemoryBudget::new(Some(64 * MIB), Some(40 * MIB));
        assert_eq!(
            (budget.engine, budget.buffers, budget.init_body),
            (40 * MIB, 24 * MIB, 12 * MIB)
        );
        let budget = MemoryBudget::new(Some(64 * MIB), Some(64 * MIB));
        assert_eq!((budget.engine, budget.buffers), (48 * MIB, 16 * MIB));
        assert_eq!(MemoryBudget::new(Some(0), None).instance, PAGE_BYTES);
    }

    #[test]
    fn a_container_of_openwhisks_default_size_takes_every_action() {
        assert_eq!(MemoryBudget::new(Some(256 * MIB), None).init_body, 64 * MIB);
    }

    #[test]
    fn bytes_are_told_in_units() {
        for (bytes, text) in [
            (0, "0"),
            (1023, "1023"),
            (64 << 10, "64K"),
            (256 << 20, "256M"),
            (1 << 30, "1G"),
            (225_792_000, "215M"),
            ((1 << 30) + 1, "1024M"),
        ] {
            assert_eq!(in_units(bytes), text);
        }
    }
}
