//! Which artifact runs here, and where is it?
//!
//! In: the decoded code, a [`Policy`]. Out: [`Located`].
//!
//! The code's first bytes say what it is: a bundle (a zip with an entry `manifest`), a plain zip with one module, a Wasm
//! module, or AOT code. From a bundle comes the AOT artifact that fits the node and uses the most of its CPU, if it is
//! trusted; else the portable Wasm.
//!
//! **Invariants.** Bytes that begin like AOT code are handed out as [`Kind::Aot`] only, and that only if they are trusted:
//! engines look at the magic number, not at what a manifest calls the bytes.

use core::fmt;
use core::ops::Range;

use crate::bundle::Bundle;
use crate::inflate::Promise;
use crate::manifest::{self, AotTarget, ArtifactRecord, Form};
use crate::signature::SignatureStatus;
use crate::zip::{self, Directory, File};
use crate::{Artifact, CodeError, ContentHash, Kind, NodeTarget, Policy};

/// `\0asm`, version 1.
const WASM_MAGIC: &[u8] = b"\0asm\x01\0\0\0";
const WASM_MAGIC_ANY_VERSION: &[u8] = b"\0asm";
const AOT_MAGIC: &[u8] = b"\0aot";

/// Names that a module has in a zip beside other files. WOW calls precompiled modules `.wamr`.
const MODULE_EXTENSIONS: [&[u8]; 3] = [b".wasm", b".aot", b".wamr"];

/// Where the best artifact is that may run on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Located {
    /// In the bytes themselves, ready to be used in place. Checked.
    Stored(Artifact),
    /// Compressed: [`crate::inflate`] it into a buffer of [`Deflated::inflated_len`] bytes.
    Deflated(Deflated),
}

/// A compressed artifact, not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deflated {
    pub(crate) compressed: Range<usize>,
    pub(crate) inflated_len: usize,
    pub(crate) promise: Promise,
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
    if bytes.is_empty() {
        return Err(CodeError::Empty);
    }
    if bytes.starts_with(zip::MAGIC) {
        let directory = Directory::read(bytes)?;
        return if directory.file(manifest::ENTRY).is_some() {
            locate_in_bundle(bytes, &Bundle::from_directory(bytes, directory)?, policy)
        } else {
            locate_in_zip(bytes, &directory, policy)
        };
    }
    let kind = kind_of(bytes)?;
    if bytes.len() > policy.artifact_max_bytes {
        return Err(CodeError::ArtifactLen);
    }
    if kind == Kind::Aot {
        allow_bare_aot(policy)?;
        if !policy.allow_uninterruptible && !is_interruptible(bytes) {
            return Err(CodeError::AotUninterruptible);
        }
    }
    Ok(Located::Stored(Artifact {
        kind,
        range: 0..bytes.len(),
        hash: ContentHash::of(bytes),
    }))
}

/// What these bytes are, by their magic number.
pub(crate) fn kind_of(bytes: &[u8]) -> Result<Kind, CodeError> {
    if bytes.starts_with(WASM_MAGIC) {
        Ok(Kind::Wasm)
    } else if bytes.starts_with(AOT_MAGIC) {
        Ok(Kind::Aot)
    } else if bytes.starts_with(WASM_MAGIC_ANY_VERSION) {
        Err(CodeError::WasmVersion)
    } else {
        Err(CodeError::UnknownForm)
    }
}

/// Whether AOT code without a manifest looks if it was told to stop: its file says so. (`aot_loader.c: check_feature_flags`. The
/// file's header and that of its first section take 16 bytes, the fields before the flags 16 more.)
pub(crate) fn is_interruptible(aot: &[u8]) -> bool {
    const FEATURE_FLAGS: usize = 32;
    const MULTI_THREAD: u8 = 1 << 2;
    aot.get(FEATURE_FLAGS).is_some_and(|flags| flags & MULTI_THREAD != 0)
}

/// AOT code that no manifest describes.
fn allow_bare_aot(policy: &Policy<'_>) -> Result<(), CodeError> {
    if !policy.trust_any_aot {
        return Err(CodeError::AotBare);
    }
    if policy.node.is_none() {
        return Err(CodeError::AotNoEngine);
    }
    log::warn!("running AOT code that has no manifest, because any AOT code is trusted");
    Ok(())
}

/// The one module of a zip without a manifest.
fn locate_in_zip(bytes: &[u8], directory: &Directory<'_>, policy: &Policy<'_>) -> Result<Located, CodeError> {
    let file = match only(directory.files()) {
        Some(file) => file,
        None => {
            let is_module = |file: &&File<'_>| MODULE_EXTENSIONS.iter().any(|extension| file.name.ends_with(extension));
            let mut modules = directory.files().filter(is_module);
            match (modules.next(), modules.next()) {
                (None, _) => return Err(CodeError::NoModule),
                (Some(file), None) => file,
                (Some(_), Some(_)) => return Err(CodeError::ManyModules),
            }
        }
    };
    let promise = Promise::Crc32 {
        crc32: file.crc32,
        may_be_aot: allow_bare_aot_later(policy),
        allow_uninterruptible: policy.allow_uninterruptible,
    };
    locate_file(bytes, file, promise, policy)
}

/// Whether bytes may turn out to be AOT code once they are inflated.
fn allow_bare_aot_later(policy: &Policy<'_>) -> Result<(), CodeError> {
    match (policy.trust_any_aot, policy.node) {
        (false, _) => Err(CodeError::AotBare),
        (true, None) => Err(CodeError::AotNoEngine),
        (true, Some(_)) => Ok(()),
    }
}

/// The only item, if there is exactly one.
fn only<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let item = items.next()?;
    items.next().is_none().then_some(item)
}

/// The best artifact of a bundle.
fn locate_in_bundle(bytes: &[u8], bundle: &Bundle<'_>, policy: &Policy<'_>) -> Result<Located, CodeError> {
    let manifest = bundle.manifest();
    let mut wasm = None;
    let mut aot: Option<(usize, ArtifactRecord<'_>)> = None;
    let mut refusal = None;
    for record in manifest.artifacts() {
        match record.form {
            Form::Wasm => wasm = wasm.or(Some(record)),
            Form::Aot(target) => match fits(&target, policy) {
                // The most specialised one; among equals, the first.
                Ok(()) => {
                    let feature_count = target.cpu_features().count();
                    if aot.is_none_or(|(best, _)| feature_count > best) {
                        aot = Some((feature_count, record));
                    }
                }
                Err(error) => {
                    tell_skipped(manifest.head().name, &record, &target, error, policy.node);
                    refusal = Some(nearest(refusal, error));
                }
            },
        }
    }
    let mut chosen = wasm;
    if let Some((_, record)) = aot {
        match trust(bundle, policy) {
            Ok(()) => chosen = Some(record),
            Err(error) => {
                refusal = Some(error);
                if wasm.is_some() {
                    log::warn!(
                        "{}: interpreting, since AOT code is not trusted: {}",
                        manifest.head().name,
                        Reason(error)
                    );
                }
            }
        }
    } else if let (Some(error), Some(_)) = (refusal, wasm) {
        log::info!(
            "{}: interpreting, since no AOT code fits: {}",
            manifest.head().name,
            Reason(error)
        );
    }
    let record = chosen.ok_or(refusal.unwrap_or(CodeError::NoModule))?;
    log::debug!("{}: taking {}", manifest.head().name, record.entry);
    let file = bundle.file(record.entry).ok_or(CodeError::ArtifactMissing)?;
    if record.len != file.content_len as u64 {
        return Err(CodeError::ArtifactDamaged);
    }
    let promise = Promise::Hash {
        hash: record.hash,
        kind: record.form.kind(),
        aot_format: aot_format(&record),
    };
    locate_file(bytes, file, promise, policy)
}

fn aot_format(record: &ArtifactRecord<'_>) -> u32 {
    match record.form {
        Form::Wasm => 0,
        Form::Aot(target) => target.aot_format,
    }
}

/// Whether the node can run this AOT code.
fn fits(aot: &AotTarget<'_>, policy: &Policy<'_>) -> Result<(), CodeError> {
    let node = policy.node.ok_or(CodeError::AotNoEngine)?;
    if aot.target != node.target {
        Err(CodeError::AotTarget)
    } else if !aot.cpu_features().all(|feature| node.cpu_features.contains(&feature)) {
        Err(CodeError::AotCpuFeatures)
    } else if aot.bounds != node.bounds {
        Err(CodeError::AotBounds)
    } else if aot.wamr != node.wamr || aot.aot_format != node.aot_format {
        Err(CodeError::AotVersion)
    } else if !aot.interruptible && !policy.allow_uninterruptible {
        Err(CodeError::AotUninterruptible)
    } else {
        Ok(())
    }
}

/// Say why an artifact is passed over. Other boards' artifacts are what bundles are for; that a machine is older than its
/// code expects, somebody may want to know.
fn tell_skipped(
    bundle: &str,
    record: &ArtifactRecord<'_>,
    target: &AotTarget<'_>,
    error: CodeError,
    node: Option<NodeTarget<'_>>,
) {
    let entry = record.entry;
    match (error, node) {
        (CodeError::AotCpuFeatures, Some(node)) => {
            log::info!("{bundle}: skipping {entry}: this CPU lacks {}", Missing(target, &node));
        }
        _ => log::debug!("{bundle}: skipping {entry}: {}", Reason(error)),
    }
}

/// The CPU features that code needs and a node lacks, with commas.
struct Missing<'m>(&'m AotTarget<'m>, &'m NodeTarget<'m>);

impl fmt::Display for Missing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Missing(target, node) = self;
        let missing = target
            .cpu_features()
            .filter(|feature| !node.cpu_features.contains(feature));
        for (index, feature) in missing.enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            f.write_str(feature)?;
        }
        Ok(())
    }
}

/// Of two reasons against AOT code, the one that was found at the later check: it tells more.
fn nearest(refusal: Option<CodeError>, error: CodeError) -> CodeError {
    let rank = |error| match error {
        CodeError::AotNoEngine => 0,
        CodeError::AotTarget => 1,
        CodeError::AotCpuFeatures => 2,
        CodeError::AotBounds => 3,
        CodeError::AotVersion => 4,
        _ => 5,
    };
    match refusal {
        Some(other) if rank(other) >= rank(error) => other,
        _ => error,
    }
}

/// Whether the bundle's AOT code may run.
fn trust(bundle: &Bundle<'_>, policy: &Policy<'_>) -> Result<(), CodeError> {
    let error = match bundle.signature(policy.trusted_keys, policy.verified) {
        SignatureStatus::Trusted(_) => return Ok(()),
        SignatureStatus::Unsigned => CodeError::AotUnsigned,
        SignatureStatus::UnknownKey => CodeError::AotUnknownKey,
        SignatureStatus::Bad => CodeError::AotBadSignature,
    };
    if policy.trust_any_aot {
        log::warn!(
            "{}: running AOT code without a trusted signature, because any AOT code is trusted: {}",
            bundle.manifest().head().name,
            Reason(error)
        );
        return Ok(());
    }
    Err(error)
}

/// Check a stored file; leave a compressed one to [`crate::inflate`].
fn locate_file(bytes: &[u8], file: &File<'_>, promise: Promise, policy: &Policy<'_>) -> Result<Located, CodeError> {
    if file.content_len > policy.artifact_max_bytes {
        return Err(CodeError::ArtifactLen);
    }
    if file.is_deflated {
        let deflated = Deflated {
            compressed: file.data.clone(),
            inflated_len: file.content_len,
            promise,
        };
        return Ok(Located::Deflated(deflated));
    }
    let content = bytes.get(file.data.clone()).ok_or(CodeError::Zip)?;
    let (kind, hash) = promise.check(content)?;
    Ok(Located::Stored(Artifact {
        kind,
        range: file.data.clone(),
        hash,
    }))
}

/// A reason in a few words, for the log: the error's own text is for a bundle without Wasm.
struct Reason(CodeError);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            CodeError::AotNoEngine => "this node interprets only",
            CodeError::AotTarget => "it is for another instruction set",
            CodeError::AotCpuFeatures => "it needs CPU features that this node lacks",
            CodeError::AotBounds => "it checks memory bounds in another way",
            CodeError::AotVersion => "it is for another version of WAMR",
            CodeError::AotUninterruptible => "it cannot be stopped",
            CodeError::AotUnsigned => "the manifest is not signed",
            CodeError::AotUnknownKey => "the manifest is signed by an unknown key",
            CodeError::AotBadSignature => "the signature does not fit the manifest",
            other => return other.fmt(f),
        })
    }
}
