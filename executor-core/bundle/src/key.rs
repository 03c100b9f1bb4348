//! Public keys as text.

use core::fmt;
use core::str::FromStr;

use base64_simd::{Out, STANDARD};
use ed25519_dalek::VerifyingKey;

/// The length of an Ed25519 public key.
pub const PUBLIC_KEY_BYTES: usize = 32;

const PREFIX: &str = "ed25519-public:";

/// The base64 of 32 bytes, padded.
const BASE64_LEN: usize = 44;

/// A key whose signature on a manifest an operator trusts. Its text is `ed25519-public:` and the base64 of 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// The key of these 32 bytes.
    ///
    /// # Errors
    /// [`KeyError::Point`] if they are no point of the curve, or one of small order, whose signatures prove nothing.
    pub fn from_bytes(bytes: &[u8; PUBLIC_KEY_BYTES]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::Point)?;
        if key.is_weak() {
            Err(KeyError::Point)
        } else {
            Ok(PublicKey(key))
        }
    }

    /// The key's 32 bytes.
    pub fn as_bytes(&self) -> &[u8; PUBLIC_KEY_BYTES] {
        self.0.as_bytes()
    }

    pub(crate) fn verifying_key(&self) -> &VerifyingKey {
        &self.0
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    /// White space around the text is ignored, so that a file's content is one.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let base64 = text.trim().strip_prefix(PREFIX).ok_or(KeyError::Text)?;
        if base64.len() != BASE64_LEN {
            return Err(KeyError::Text);
        }
        let mut bytes = [0; PUBLIC_KEY_BYTES];
        // 44 characters without padding would be 33 bytes.
        if !STANDARD
            .decoded_length(base64.as_bytes())
            .is_ok_and(|len| len == PUBLIC_KEY_BYTES)
        {
            return Err(KeyError::Text);
        }
        STANDARD
            .decode(base64.as_bytes(), Out::from_slice(&mut bytes))
            .map_err(|_| KeyError::Text)?;
        Self::from_bytes(&bytes)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; BASE64_LEN];
        let base64 = STANDARD.encode_as_str(self.as_bytes(), Out::from_slice(&mut text));
        write!(f, "{PREFIX}{base64}")
    }
}

/// Why a text is no public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// It does not have the form `ed25519-public:<base64 of 32 bytes>`.
    Text,
    /// The bytes are not a point that can be a key.
    Point,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyError::Text => "a public key has the form ed25519-public:<base64 of 32 bytes>",
            KeyError::Point => "the public key's bytes are not an Ed25519 key",
        })
    }
}

impl core::error::Error for KeyError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032 §7.1, test 1.
    const BYTES: [u8; 32] = [
        0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1,
        0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
    ];
    const TEXT: &str = "ed25519-public:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

    #[test]
    fn text_and_bytes_are_one_key() {
        let key: PublicKey = TEXT.parse().unwrap();
        assert_eq!(key.as_bytes(), &BYTES);
        assert_eq!(key.to_string(), TEXT);
        assert_eq!(format!("  {TEXT}\n").parse(), Ok(key));
    }

    #[test]
    fn refuses_other_texts() {
        for text in [
            "",
            "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
            "ed25519-secret:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
            "ed25519-public:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            "ed25519-public:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo9",
            "ed25519-public:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHUQ==",
            "ed25519-public: 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        ] {
            assert_eq!(text.parse::<PublicKey>(), Err(KeyError::Text), "{text:?}");
        }
        // The neutral element: every message has a signature that it accepts.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        assert_eq!(PublicKey::from_bytes(&neutral), Err(KeyError::Point));
        assert_eq!(PublicKey::from_bytes(&[2; 32]), Err(KeyError::Point));
    }
}
