//! Is this manifest signed by a key that the operator trusts?
//!
//! Ed25519 (RFC 8032) over [`signed_message`]. Verification is strict: one signature has one form, and keys of small order
//! are none. It takes tens of microseconds on a fast machine and is on the way of a cold start, so the owner of the policy
//! may remember what verified before: [`VerifiedSignatures`].

use ed25519_dalek::Signature;

use crate::PublicKey;
use crate::key::PUBLIC_KEY_BYTES;

/// What the name of the entry `manifest.sig` promises: algorithm, public key, signature.
pub const SIGNATURE_ENTRY_BYTES: usize = 1 + PUBLIC_KEY_BYTES + SIGNATURE_BYTES;

const SIGNATURE_BYTES: usize = 64;
const ALGORITHM_ED25519: u8 = 1;
const HASH_BYTES: usize = 32;

/// Keeps a signature over a manifest from being one over anything else.
const DOMAIN: &[u8; 32] = b"openwhisk action-bundle manifest";

/// The message that is signed for a manifest: 32 bytes of domain, then the manifest's BLAKE3.
pub fn signed_message(manifest: &[u8]) -> [u8; 64] {
    let mut message = [0; DOMAIN.len() + HASH_BYTES];
    let (domain, hash) = message.split_at_mut(DOMAIN.len());
    domain.copy_from_slice(DOMAIN);
    hash.copy_from_slice(blake3::hash(manifest).as_bytes());
    message
}

/// The content of the entry `manifest.sig`.
pub fn signature_entry(key: &PublicKey, signature: &[u8; 64]) -> [u8; SIGNATURE_ENTRY_BYTES] {
    let mut entry = [0; SIGNATURE_ENTRY_BYTES];
    let (algorithm, rest) = entry.split_at_mut(1);
    algorithm.copy_from_slice(&[ALGORITHM_ED25519]);
    let (key_bytes, signature_bytes) = rest.split_at_mut(PUBLIC_KEY_BYTES);
    key_bytes.copy_from_slice(key.as_bytes());
    signature_bytes.copy_from_slice(signature);
    entry
}

/// Whether a manifest is signed by a trusted key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureStatus {
    /// Signed by this trusted key.
    Trusted(PublicKey),
    /// There is no signature.
    Unsigned,
    /// Signed, or so it says, by a key that is not trusted; this is not verified further. Also: a signature of a kind that
    /// is not known.
    UnknownKey,
    /// Said to be signed by a trusted key, which is not true.
    Bad,
}

/// Judge a manifest and its signature entry.
pub(crate) fn status(
    manifest: &[u8],
    entry: Option<&[u8]>,
    trusted_keys: &[PublicKey],
    verified: Option<&dyn VerifiedSignatures>,
) -> SignatureStatus {
    let Some(entry) = entry else {
        return SignatureStatus::Unsigned;
    };
    let Some((&[ALGORITHM_ED25519], rest)) = entry.split_first_chunk::<1>() else {
        return SignatureStatus::UnknownKey;
    };
    let Some((key_bytes, signature_bytes)) = rest.split_first_chunk::<PUBLIC_KEY_BYTES>() else {
        return SignatureStatus::Bad;
    };
    let Ok(signature_bytes) = <&[u8; SIGNATURE_BYTES]>::try_from(signature_bytes) else {
        return SignatureStatus::Bad;
    };
    let Some(key) = trusted_keys.iter().find(|key| key.as_bytes() == key_bytes) else {
        return SignatureStatus::UnknownKey;
    };
    let message = signed_message(manifest);
    let token = Verified::of(&message, key_bytes, signature_bytes);
    if verified.is_some_and(|memory| memory.contains(&token)) {
        return SignatureStatus::Trusted(*key);
    }
    let signature = Signature::from_bytes(signature_bytes);
    if key.verifying_key().verify_strict(&message, &signature).is_err() {
        return SignatureStatus::Bad;
    }
    if let Some(memory) = verified {
        memory.remember(token);
    }
    SignatureStatus::Trusted(*key)
}

/// Stands for one signature that verified: the BLAKE3 over the manifest's message, the key and the signature, all three
/// whole. Only this crate makes one, and hands it to [`VerifiedSignatures::remember`] only after it verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified([u8; HASH_BYTES]);

impl Verified {
    fn of(message: &[u8; 64], key: &[u8; PUBLIC_KEY_BYTES], signature: &[u8; SIGNATURE_BYTES]) -> Self {
        // All parts have fixed lengths, so no two inputs run together to the same bytes.
        let mut all = [0; 64 + PUBLIC_KEY_BYTES + SIGNATURE_BYTES];
        let (of_message, rest) = all.split_at_mut(message.len());
        let (of_key, of_signature) = rest.split_at_mut(key.len());
        of_message.copy_from_slice(message);
        of_key.copy_from_slice(key);
        of_signature.copy_from_slice(signature);
        Verified(*blake3::hash(&all).as_bytes())
    }
}

/// A memory of signatures that verified, so that a cold start need not verify the same bytes again.
///
/// It may forget at any time. It must answer true only for what it was given to remember: an implementation compares whole
/// tokens, and nothing but [`RecentlyVerified`] behind a lock is needed.
pub trait VerifiedSignatures: Sync {
    /// True if exactly this was remembered.
    fn contains(&self, verified: &Verified) -> bool;

    /// Remember this; forget something older for it if need be.
    fn remember(&self, verified: Verified);
}

/// The last `N` signatures that verified: 32 bytes each. Put it behind the platform's lock to implement
/// [`VerifiedSignatures`].
#[derive(Clone, Debug)]
pub struct RecentlyVerified<const N: usize> {
    tokens: heapless::Vec<Verified, N>,
    /// The oldest, once all places are taken.
    oldest: usize,
}

impl<const N: usize> RecentlyVerified<N> {
    /// Nothing is remembered.
    pub const fn new() -> Self {
        RecentlyVerified {
            tokens: heapless::Vec::new(),
            oldest: 0,
        }
    }

    /// True if exactly this was remembered.
    pub fn contains(&self, verified: &Verified) -> bool {
        self.tokens.contains(verified)
    }

    /// Remember this, in place of the oldest if all places are taken.
    pub fn remember(&mut self, verified: Verified) {
        if self.contains(&verified) {
            return; // another thread verified it meanwhile
        }
        if let Err(verified) = self.tokens.push(verified)
            && let Some(place) = self.tokens.get_mut(self.oldest)
        {
            *place = verified;
            self.oldest = (self.oldest + 1) % N;
        }
    }
}

impl<const N: usize> Default for RecentlyVerified<N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_the_oldest() {
        let token = |n: u8| Verified([n; 32]);
        let mut recent = RecentlyVerified::<3>::new();
        for n in 0..5 {
            recent.remember(token(n));
            recent.remember(token(n));
        }
        let known: Vec<bool> = (0..6).map(|n| recent.contains(&token(n))).collect();
        assert_eq!(known, [false, false, true, true, true, false]);
    }

    #[test]
    fn a_memory_without_room_remembers_nothing() {
        let mut recent = RecentlyVerified::<0>::new();
        recent.remember(Verified([1; 32]));
        assert!(!recent.contains(&Verified([1; 32])));
    }
}
