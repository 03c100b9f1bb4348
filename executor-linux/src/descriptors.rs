//! The limit of open descriptors: each connection and each container's port is one.

use log::warn;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Ports may take all descriptors but a quarter, or these if that is more: connections and guests' files need some.
const KEPT_FROM_PORTS_MAX: u64 = 1024;

/// Raise the soft limit to the hard one. The soft one (1024 by default) is low for the sake of programs that use
/// `select`; this one does not. Gives the limit that holds, if there is one.
pub fn raise_limit() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            warn!("cannot raise the limit of open files from {:?}: {error}", limit.current);
            limit.current
        }
    }
}

/// How many containers' ports may be open. If they took every descriptor, no connection could be accepted, and nobody could
/// tell the executor to remove one.
pub fn for_ports(limit: Option<u64>) -> usize {
    let limit = limit.unwrap_or(u64::MAX);
    usize::try_from(limit - (limit / 4).min(KEPT_FROM_PORTS_MAX)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_leave_some() {
        assert_eq!(for_ports(Some(64)), 48);
        assert_eq!(for_ports(Some(1024)), 768);
        assert_eq!(for_ports(Some(20_000)), 18_976);
        assert!(for_ports(None) > 1 << 30);
    }
}
