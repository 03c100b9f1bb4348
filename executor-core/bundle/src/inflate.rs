//! The artifact's bytes, against what was promised of them.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use crate::locate::{is_interruptible, kind_of};
use crate::{Artifact, CodeError, ContentHash, Deflated, Kind};

/// [`inflate`] tells its callers that it needs no more.
const _: () = assert!(size_of::<DecompressorOxide>() <= 12 * 1024);

/// What is known of an artifact before its bytes are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// By a manifest.
    Hash {
        hash: [u8; 32],
        kind: Kind,
        aot_format: u32,
    },
    /// By the directory of a plain zip. The bytes themselves say what they are.
    Crc32 {
        crc32: u32,
        may_be_aot: Result<(), CodeError>,
        allow_uninterruptible: bool,
    },
}

impl Promise {
    /// Check an artifact's bytes. Returns what they are, and their hash.
    pub(crate) fn check(&self, content: &[u8]) -> Result<(Kind, ContentHash), CodeError> {
        match *self {
            Promise::Hash {
                hash: promised,
                kind,
                aot_format,
            } => {
                let hash = ContentHash::of(content);
                if *hash.as_bytes() != promised {
                    return Err(CodeError::ArtifactDamaged);
                }
                // AOT code must not pass as Wasm, which needs no trust.
                if kind_of(content)? != kind {
                    return Err(CodeError::ArtifactDamaged);
                }
                if kind == Kind::Aot && content.get(4..8) != Some(&aot_format.to_le_bytes()) {
                    return Err(CodeError::AotVersion);
                }
                Ok((kind, hash))
            }
            Promise::Crc32 {
                crc32,
                may_be_aot,
                allow_uninterruptible,
            } => {
                if crate::crc32::crc32(content) != crc32 {
                    return Err(CodeError::ArtifactDamaged);
                }
                let kind = kind_of(content).map_err(|error| match error {
                    CodeError::UnknownForm => CodeError::NoModule,
                    other => other,
                })?;
                if kind == Kind::Aot {
                    may_be_aot?;
                    if !allow_uninterruptible && !is_interruptible(content) {
                        return Err(CodeError::AotUninterruptible);
                    }
                    log::warn!("running AOT code that has no manifest, because any AOT code is trusted");
                }
                Ok((kind, ContentHash::of(content)))
            }
        }
    }
}

/// Inflate a compressed artifact of `bytes` into `output`, which is exactly [`Deflated::inflated_len`] bytes long, and
/// check it. The artifact's range is one of `output`. `bytes` are those that were given to [`crate::locate`].
///
/// Takes up to 12 KiB of stack for the decompressor's state.
///
/// # Errors
/// [`CodeError`] if the data does not inflate to exactly what was promised.
pub fn inflate(bytes: &[u8], deflated: &Deflated, output: &mut [u8]) -> Result<Artifact, CodeError> {
    let compressed = bytes
        .get(deflated.compressed.clone())
        .ok_or(CodeError::ArtifactDamaged)?;
    if output.len() != deflated.inflated_len {
        return Err(CodeError::ArtifactDamaged);
    }
    let mut state = DecompressorOxide::new();
    let (status, read, written) = decompress(
        &mut state,
        compressed,
        output,
        0,
        TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
    );
    if status != TINFLStatus::Done || read != compressed.len() || written != output.len() {
        return Err(CodeError::ArtifactDamaged);
    }
    let (kind, hash) = deflated.promise.check(output)?;
    Ok(Artifact {
        kind,
        range: 0..output.len(),
        hash,
    })
}
