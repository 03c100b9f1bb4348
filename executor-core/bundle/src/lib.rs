//! From the `code` of an `/init` to the artifact that may run on this node.
//!
//! | step | takes | gives |
//! | --- | --- | --- |
//! | [`decode_base64`] | the JSON string's content | the code's bytes, in place |
//! | [`locate`] | the code, a [`Policy`] | where the artifact is: [`Located`] |
//! | [`inflate`] | a compressed artifact | its bytes, in a buffer that the caller supplies |
//!
//! **Invariants.** Nothing is allocated. No input makes this crate panic. AOT code is located only if its manifest is
//! signed by a trusted key, or if the operator trusts any. What a manifest claims about an artifact (length, BLAKE3) is
//! checked against the bytes before the artifact is handed out.
//!
//! The format of action bundles is specified in `FORMAT.md` beside this crate's manifest.
#![cfg_attr(not(test), no_std)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that fails may panic"))]
#![warn(missing_docs)]

use core::ops::Range;

mod base64;
mod bundle;
mod crc32;
mod error;
mod hash;
mod inflate;
mod key;
mod locate;
pub mod manifest;
mod policy;
mod signature;
mod zip;

pub use base64::decode_base64;
pub use bundle::Bundle;
pub use error::CodeError;
pub use hash::ContentHash;
pub use inflate::inflate;
pub use key::{KeyError, PUBLIC_KEY_BYTES, PublicKey};
pub use locate::{Deflated, Located, locate};
pub use manifest::Manifest;
pub use policy::{Bounds, NodeTarget, Policy, WamrVersion};
pub use signature::{
    RecentlyVerified, SIGNATURE_ENTRY_BYTES, SignatureStatus, Verified, VerifiedSignatures, signature_entry,
    signed_message,
};
pub use zip::ENTRIES_MAX;

/// A module in the form in which the engine takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// What the bytes are.
    pub kind: Kind,
    /// Where the bytes are, in the slice that was given to [`locate`] or to [`inflate`].
    pub range: Range<usize>,
    /// The bytes' hash, whatever form they came in: two artifacts with the same one are the same module.
    pub hash: ContentHash,
}

/// The kinds of artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A WebAssembly module: untrusted, interpreted.
    Wasm,
    /// Native code that WAMR's ahead-of-time compiler made: trusted.
    Aot,
}
