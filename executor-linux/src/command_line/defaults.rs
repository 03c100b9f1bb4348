//! What differs from program to program: names, and what holds if the arguments do not say otherwise.

use crate::hardware::Hardware;

/// A program that is made of this library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The name that it goes by.
    pub name: &'static str,
    /// What kind of machine this is, if that can be found out.
    pub board: Option<String>,
    /// What the machine has.
    pub hardware: Hardware,
    /// What holds if the arguments do not say otherwise.
    pub defaults: Defaults,
}

/// The values of options that are not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// `--memory-total`. `None`: no limit.
    pub memory_total_bytes: Option<usize>,
    /// `--threads-max`
    pub threads_max: usize,
    /// `--connections-max`
    pub connections_max: usize,
    /// `--max-containers`
    pub containers_max: usize,
}

impl Defaults {
    /// For servers. They are sized for what runs on them, so that memory is limited only where a control group limits this
    /// process: what is beyond that ends it without a word. All of the limit is used: the sizes of OpenWhisk's containers
    /// are meant so.
    pub fn of_server(hardware: &Hardware) -> Self {
        Defaults {
            memory_total_bytes: hardware
                .group_bytes
                .map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
            threads_max: 256,
            connections_max: 16_384,
            containers_max: 2048,
        }
    }

    /// The same for a process whose address space is limited. The budget is a quarter of it: threads' stacks, and what the
    /// allocator sets aside for threads (64 MiB at once, in glibc), take the rest without using it. If guests and bodies took
    /// all, the next small piece of memory that is not to be had would end the process.
    #[must_use]
    pub fn within(self, address_space_bytes: Option<u64>) -> Self {
        let quarter = address_space_bytes.map(|bytes| usize::try_from(bytes / 4).unwrap_or(usize::MAX));
        Defaults {
            memory_total_bytes: [self.memory_total_bytes, quarter].into_iter().flatten().min(),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_limits_memory_where_its_group_does() {
        let mut hardware = Hardware {
            cores: 2,
            memory_bytes: Some(8 << 30),
            group_bytes: None,
        };
        assert_eq!(Defaults::of_server(&hardware).memory_total_bytes, None);
        hardware.group_bytes = Some(256 << 20);
        assert_eq!(Defaults::of_server(&hardware).memory_total_bytes, Some(256 << 20));
    }

    #[test]
    fn a_limited_address_space_limits_memory() {
        let total = |memory_total_bytes, limit| {
            let defaults = Defaults {
                memory_total_bytes,
                threads_max: 1,
                connections_max: 1,
                containers_max: 1,
            };
            defaults.within(limit).memory_total_bytes
        };
        assert_eq!(total(None, None), None);
        assert_eq!(total(Some(100), None), Some(100));
        assert_eq!(total(None, Some(1000)), Some(250));
        assert_eq!(total(Some(100), Some(1000)), Some(100));
        assert_eq!(total(Some(300), Some(1000)), Some(250));
    }
}
