//! The machine as the executor sees it.

use executor_core::executor::ContainerKey;
use executor_core::node::{NoPort, Node};
use executor_core::runtime::Logs;

use crate::{board, console};

/// This machine.
#[derive(Debug)]
pub struct BareNode;

impl Node for BareNode {
    fn open_port(&self, _: ContainerKey) -> Result<Option<u16>, NoPort> {
        // Containers are reached by their ids.
        Ok(None)
    }

    fn close_port(&self, _: ContainerKey) {}

    fn activation_ended(&self, logs: Logs<'_>) {
        console::activation_ended(logs);
    }

    fn uptime_ms(&self) -> u64 {
        board::uptime_ms()
    }

    fn is_draining(&self) -> bool {
        // A board is switched off without a word.
        false
    }
}
