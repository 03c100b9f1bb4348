//! What may run on this node.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::{PublicKey, VerifiedSignatures};

/// What the operator allows, and what the node can run.
#[derive(Clone, Copy)]
pub struct Policy<'a> {
    /// AOT code whose manifest one of these keys signed may run.
    pub trusted_keys: &'a [PublicKey],
    /// Any AOT code may run, signed or not: for development only. It is native code with the executor's own rights.
    pub trust_any_aot: bool,
    /// AOT code may run that cannot be stopped: a run of it may hold its thread for ever.
    pub allow_uninterruptible: bool,
    /// The AOT code that the node can run. `None`: it interprets only.
    pub node: Option<NodeTarget<'a>>,
    /// An artifact longer than this (after inflation) is refused, in bytes.
    pub artifact_max_bytes: usize,
    /// Signatures that verified before, if the owner remembers them.
    pub verified: Option<&'a dyn VerifiedSignatures>,
}

/// The AOT code that a node can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeTarget<'a> {
    /// The instruction set, in the words of WAMR's compiler: `x86_64`, `aarch64v8`, `thumbv7em`, ….
    pub target: &'a str,
    /// The CPU features that the node has beyond its target's baseline, by the names that `rustc` gives them.
    pub cpu_features: &'a [&'a str],
    /// How the engine keeps memory accesses in bounds.
    pub bounds: Bounds,
    /// The engine's version.
    pub wamr: WamrVersion,
    /// The version of the engine's AOT file format (`AOT_CURRENT_VERSION` in WAMR's `config.h`).
    pub aot_format: u32,
}

/// How memory accesses are kept in bounds. Both sides must agree: code compiled for another way escapes the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Bounds {
    /// Every access is checked by instructions of the guest's code.
    Software,
    /// Guard pages around the memory stop an access.
    Hardware,
}

/// A release of WAMR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WamrVersion {
    /// The first number.
    pub major: u16,
    /// The second number.
    pub minor: u16,
    /// The third number.
    pub patch: u16,
}

impl fmt::Display for WamrVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Bounds::Software => "software",
            Bounds::Hardware => "hardware",
        })
    }
}
