//! This machine as the executor sees it: ports, logs, time, and whether it is leaving.

use std::sync::Arc;
use std::time::Instant;

use executor_core::executor::ContainerKey;
use executor_core::node::{NoPort, Node};
use executor_core::runtime::Logs;

use crate::activation_log::ActivationLog;
use crate::ports::Ports;
use crate::server::activity::Activity;

/// This machine.
#[derive(Debug)]
pub struct LinuxNode {
    ports: Option<Ports>,
    log: ActivationLog,
    activity: Arc<Activity>,
    started: Instant,
}

impl LinuxNode {
    /// Without `ports`, containers are reached by their ids, or there is only one.
    pub fn new(ports: Option<Ports>, log: ActivationLog, activity: Arc<Activity>) -> Self {
        LinuxNode {
            ports,
            log,
            activity,
            started: Instant::now(),
        }
    }
}

impl Node for LinuxNode {
    fn open_port(&self, container: ContainerKey) -> Result<Option<u16>, NoPort> {
        self.ports.as_ref().map(|ports| ports.open(container)).transpose()
    }

    fn close_port(&self, container: ContainerKey) {
        if let Some(ports) = &self.ports {
            ports.close(container);
        }
    }

    fn activation_ended(&self, logs: Logs<'_>) {
        self.log.write(logs);
    }

    fn uptime_ms(&self) -> u64 {
        // 584 million years fit.
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn is_draining(&self) -> bool {
        self.activity.is_draining()
    }
}
