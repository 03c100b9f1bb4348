//! What the machine supplies besides an engine: ports and logs.

use crate::executor::ContainerKey;
use crate::runtime::Logs;

/// The machine that the executor lives on.
pub trait Node {
    /// Open a port of its own for a new container. `None`: this node reaches containers by their id only.
    ///
    /// # Errors
    /// [`NoPort`]: every port of the range is taken.
    fn open_port(&self, container: ContainerKey) -> Result<Option<u16>, NoPort>;

    /// Close the container's port, if it has one. No request can reach the container any more.
    fn close_port(&self, container: ContainerKey);

    /// One activation has ended, and its reply has left: pass on what the guest wrote, then, on a node that feeds
    /// OpenWhisk's log collection, one sentinel line on each stream.
    fn activation_ended(&self, logs: Logs<'_>);

    /// Milliseconds since an arbitrary start, for idle times.
    fn uptime_ms(&self) -> u64;

    /// The node is shutting down: new work is refused with 503, which makes OpenWhisk schedule it elsewhere.
    fn is_draining(&self) -> bool;
}

/// Every port of the range is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPort;
