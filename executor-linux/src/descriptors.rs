//! The limit of open descriptors: each connection and each container's port is one.

use log::warn;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raise the soft limit to the hard one. The soft one (1024 by default) is low for the sake of programs that use
/// `select`; this one does not.
pub fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    ) {
        warn!("cannot raise the limit of open files from {:?}: {error}", limit.current);
    }
}
