//! What an artifact is called: by the hash of its bytes.

use sha2::{Digest, Sha256};

/// The SHA-256 of bytes. It can be computed only, so that nobody can claim one: equal hashes mean equal bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// Hash `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        ContentHash(Sha256::digest(bytes).into())
    }

    /// The 32 bytes of the hash.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}
