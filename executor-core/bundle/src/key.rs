//! Public keys, and the signatures that were verified already.

use core::fmt;

use ed25519_dalek::VerifyingKey;

/// A key whose signature on a manifest an operator trusts. Its text is `ed25519-public:` and the base64 of 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey(pub(crate) VerifyingKey);

impl core::str::FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let _ = text;
        Err(KeyError::Text)
    }
}

/// Why a text is no public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// It does not have the form `ed25519-public:<base64 of 32 bytes>`.
    Text,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyError::Text => "a public key has the form ed25519-public:<base64 of 32 bytes>",
        })
    }
}

impl core::error::Error for KeyError {}

/// Stands for one signature that verified: a SHA-256 over key, signature and manifest. Only this crate makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified(pub(crate) [u8; 32]);

/// A memory of signatures that verified, so that a cold start need not verify the same bytes again.
///
/// It may forget at any time. It must answer true only for what it was given to remember.
pub trait VerifiedSignatures: Sync {
    /// True if exactly this was remembered.
    fn contains(&self, verified: &Verified) -> bool;

    /// Remember this; forget something older for it if need be.
    fn remember(&self, verified: Verified);
}
