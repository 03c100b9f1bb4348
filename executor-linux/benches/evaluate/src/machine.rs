//! What the figures were taken on. No name of a host: figures are published.

use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Machine {
    pub processor: String,
    pub cores: usize,
    pub memory_mib: u64,
    pub kernel: String,
    pub is_virtual: bool,
    /// Year-month-day, UTC.
    pub date: String,
}

impl Machine {
    pub fn read() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            cpuinfo
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(key, _)| key.trim() == name)
                .map(|(_, value)| value.trim().to_owned())
                .unwrap_or_default()
        };
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kilobytes = meminfo
            .lines()
            .find_map(|line| line.strip_prefix("MemTotal:"))
            .and_then(|rest| rest.trim().strip_suffix(" kB"))
            .and_then(|number| number.parse::<u64>().ok());
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let date = Command::new("date")
            .args(["-u", "+%F"])
            .output()
            .map(|output| output.stdout);
        Machine {
            processor: field("model name"),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_mib: kilobytes.unwrap_or_default() / 1024,
            kernel: release.trim().to_owned(),
            is_virtual: field("flags").split(' ').any(|flag| flag == "hypervisor"),
            date: String::from_utf8_lossy(&date.unwrap_or_default()).trim().to_owned(),
        }
    }

    /// For people.
    pub fn describe(&self) -> String {
        format!(
            "{}{}, {} cores, {} MiB, Linux {}, {}",
            self.processor,
            if self.is_virtual { " (virtual machine)" } else { "" },
            self.cores,
            self.memory_mib,
            self.kernel,
            self.date
        )
    }
}
