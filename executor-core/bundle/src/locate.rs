//! Finding the artifact.

use core::ops::Range;

use crate::{Artifact, CodeError, Kind, Policy};

/// Where the best artifact is that may run on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Located {
    /// In the bytes themselves, ready to be used in place.
    Stored(Artifact),
    /// Compressed: [`crate::inflate`] it into a buffer of [`Deflated::inflated_len`] bytes.
    Deflated(Deflated),
}

/// A compressed artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deflated {
    pub(crate) kind: Kind,
    pub(crate) compressed: Range<usize>,
    pub(crate) inflated_len: usize,
    pub(crate) crc32: u32,
    pub(crate) sha256: Option<[u8; 32]>,
}

impl Deflated {
    /// The exact length of the buffer to inflate into, in bytes. At most [`Policy::artifact_max_bytes`].
    pub fn inflated_len(&self) -> usize {
        self.inflated_len
    }
}

/// Find the best artifact in `bytes` that may run on this node: in an action bundle, in a zip with one module, or `bytes`
/// themselves if they are a module. Ranges are ranges of `bytes`.
///
/// # Errors
/// [`CodeError`] says why there is none.
pub fn locate(bytes: &[u8], policy: &Policy<'_>) -> Result<Located, CodeError> {
    let _ = (bytes, policy);
    Err(CodeError::Base64)
}
