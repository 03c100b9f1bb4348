//! What an artifact is called: by the hash of its bytes.

/// The BLAKE3 of bytes: three times as fast as SHA-256 where the processor has instructions for that, more where it has not
/// (Raspberry Pi 4 and older). It can be computed only, so that nobody can claim one: equal hashes mean equal bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// Hash `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        ContentHash(*blake3::hash(bytes).as_bytes())
    }

    /// The 32 bytes of the hash.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}
