//! Files and ports, by Landlock.
//!
//! Everything that any version of Landlock can forbid is forbidden, as far as this kernel's has it; what is granted is then
//! allowed. Source: the kernel's `Documentation/userspace-api/landlock.rst`.

use std::fmt;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus, Scope, make_bitflags,
};

use super::{Needs, SandboxError};
use crate::wasi_files::Grant;

/// The latest version that we know; an older kernel does what it can.
const LATEST: ABI = ABI::V10;

/// The first version that knows TCP (Linux 6.7).
const KNOWS_TCP: ABI = ABI::V4;

const READ: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir});

/// What WASI's calls can do. Not: devices, pipes, sockets, and running what lies there. `Refer` is to rename or link from one
/// directory to another; Linux before 5.19 cannot grant it, and refuses that then.
const WRITE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
    WriteFile | Truncate | MakeReg | MakeDir | MakeSym | RemoveFile | RemoveDir | Refer
});

/// What is in force.
#[derive(Debug)]
pub struct Confined {
    abi: ABI,
    directories: usize,
    ports: bool,
}

/// Confine the calling thread, and all that it will start.
pub fn confine(needs: Needs<'_>) -> Result<Confined, SandboxError> {
    let mut net = AccessNet::from_all(LATEST);
    if needs.ports {
        net.remove(AccessNet::BindTcp);
    }
    let mut ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(LATEST))
        .and_then(|ruleset| ruleset.handle_access(net))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(LATEST)))
        .and_then(Ruleset::create)
        .map_err(SandboxError::Landlock)?;
    for grant in needs.grants {
        let directory = PathFd::new(&grant.host).map_err(SandboxError::Directory)?;
        ruleset = ruleset
            .add_rule(PathBeneath::new(directory, access(grant)))
            .map_err(SandboxError::Landlock)?;
    }
    let status = ruleset.restrict_self().map_err(SandboxError::Landlock)?;
    match status.landlock {
        LandlockStatus::Available { effective_abi, .. } if status.ruleset != RulesetStatus::NotEnforced => {
            Ok(Confined {
                abi: effective_abi,
                directories: needs.grants.len(),
                ports: needs.ports,
            })
        }
        _ => Err(SandboxError::NoLandlock),
    }
}

fn access(grant: &Grant) -> BitFlags<AccessFs> {
    if grant.read_only { READ } else { READ | WRITE }
}

impl fmt::Display for Confined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Landlock {}: directories: {}", self.abi, self.directories)?;
        if self.abi >= KNOWS_TCP {
            f.write_str(if self.ports { ", no TCP but ports" } else { ", no TCP" })?;
        }
        Ok(())
    }
}
