//! Why the code of an `/init` holds nothing that may run here.

use core::fmt;

/// Why the code of an `/init` holds nothing that may run here. The text tells the action's developer what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodeError {
    /// The code is not base64: the one fault of the request itself.
    Base64,
    /// There is no byte.
    Empty,
    /// Neither a zip nor a module.
    UnknownForm,
    /// A WebAssembly component, or a module of a version that is not 1.
    WasmVersion,
    /// The zip's directory contradicts itself or its bytes: damaged, cut off, or made to deceive.
    Zip,
    /// More entries than [`crate::ENTRIES_MAX`].
    ZipEntries,
    /// An entry is encrypted.
    ZipEncrypted,
    /// An entry is compressed by another method than deflate.
    ZipMethod,
    /// Two entries have one name.
    ZipDuplicate,
    /// The zip holds no module.
    NoModule,
    /// The zip holds several modules and no manifest.
    ManyModules,
    /// The manifest cannot be decoded.
    Manifest,
    /// The manifest's format is newer than this executor.
    ManifestFormat,
    /// The manifest is compressed: the bundle was packed again.
    Repacked,
    /// The manifest names an entry that the zip does not have.
    ArtifactMissing,
    /// The artifact's bytes are not those that the manifest or the zip's directory promises.
    ArtifactDamaged,
    /// The artifact is longer than this node takes.
    ArtifactLen,
    /// AOT code without a manifest.
    AotBare,
    /// AOT code, and the manifest is not signed.
    AotUnsigned,
    /// AOT code, and the manifest is signed by a key that the operator does not trust.
    AotUnknownKey,
    /// AOT code, and the signature does not belong to this manifest.
    AotBadSignature,
    /// AOT code, and this node interprets only.
    AotNoEngine,
    /// AOT code for another instruction set.
    AotTarget,
    /// AOT code that needs CPU features which the node does not have.
    AotCpuFeatures,
    /// AOT code that keeps memory accesses in bounds in another way.
    AotBounds,
    /// AOT code for another version of WAMR.
    AotVersion,
    /// AOT code that cannot be stopped.
    AotUninterruptible,
}

impl CodeError {
    /// True if the request itself is malformed, rather than the action that it carries.
    pub fn is_malformed_request(self) -> bool {
        matches!(self, CodeError::Base64)
    }
}

impl fmt::Display for CodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CodeError::Base64 => "the code is not base64: send a bundle, a zip or a .wasm file as binary",
            CodeError::Empty => "the code is empty",
            CodeError::UnknownForm => {
                "the code is neither an action bundle, nor a zip with a module, nor a WebAssembly module"
            }
            CodeError::WasmVersion => {
                "the WebAssembly binary is not a module of version 1: a component has to be built as a core module"
            }
            CodeError::Zip => "the zip is damaged, cut off, or has bytes before or after it: pack it again",
            CodeError::ZipEntries => "the zip has too many entries: put only the module into it",
            CodeError::ZipEncrypted => "the zip is encrypted: pack it without a password",
            CodeError::ZipMethod => "the zip uses another compression than deflate: pack it with deflate or store",
            CodeError::ZipDuplicate => "the zip has two entries of one name: pack it again",
            CodeError::NoModule => "the zip holds no WebAssembly module",
            CodeError::ManyModules => {
                "the zip holds several modules: leave one in it, or make an action bundle with `bundle build`"
            }
            CodeError::Manifest => {
                "the bundle's manifest is damaged, or of an older format: build it again with `bundle build`"
            }
            CodeError::ManifestFormat => {
                "the bundle's format is newer than this executor: update the executor, or build with an older `bundle`"
            }
            CodeError::Repacked => {
                "the bundle was unpacked and packed again: send the file as `bundle build` wrote it"
            }
            CodeError::ArtifactMissing => "the bundle lacks an artifact that its manifest names: build it again",
            CodeError::ArtifactDamaged => "the artifact does not match its checksum or length: build or pack it again",
            CodeError::ArtifactLen => {
                "the artifact is larger than this node takes: build it smaller, or give the executor a larger memory budget"
            }
            CodeError::AotBare => {
                "AOT code runs only from a bundle signed by a trusted key: send the .wasm, or a bundle of `bundle build --sign`"
            }
            CodeError::AotUnsigned => {
                "the bundle holds only AOT code and is not signed: sign it with `bundle sign`, or add the portable .wasm"
            }
            CodeError::AotUnknownKey => {
                "the bundle holds only AOT code and is signed by a key that this executor does not trust"
            }
            CodeError::AotBadSignature => {
                "the bundle holds only AOT code and its signature does not fit its manifest: build and sign it again"
            }
            CodeError::AotNoEngine => "the bundle holds only AOT code and this node interprets only: add the .wasm",
            CodeError::AotTarget => {
                "the bundle's AOT code is for another instruction set: build for this node's with `--target`, or add the .wasm"
            }
            CodeError::AotCpuFeatures => {
                "the bundle's AOT code needs CPU features that this node lacks: build for an older CPU with `--cpu`, or add the .wasm"
            }
            CodeError::AotBounds => {
                "the bundle's AOT code checks memory bounds in another way than this node: build it again"
            }
            CodeError::AotVersion => {
                "the bundle's AOT code is for another version of WAMR than this node's: build it again, or add the .wasm"
            }
            CodeError::AotUninterruptible => {
                "the AOT code cannot be stopped at its deadline: build it with interrupts, or add the .wasm"
            }
        })
    }
}

impl core::error::Error for CodeError {}
