//! An action bundle: a zip with a manifest.

use crate::manifest::{self, Manifest};
use crate::signature::{self, SignatureStatus};
use crate::zip::{Directory, File};
use crate::{CodeError, PublicKey, VerifiedSignatures};

/// An action bundle, opened: its zip is sound and its manifest decodes. Nothing is said yet about the artifacts' bytes.
#[derive(Debug)]
pub struct Bundle<'a> {
    bytes: &'a [u8],
    directory: Directory<'a>,
    manifest_bytes: &'a [u8],
    manifest: Manifest<'a>,
}

impl<'a> Bundle<'a> {
    /// Open a bundle.
    ///
    /// # Errors
    /// [`CodeError`] says what the zip or the manifest lacks; [`CodeError::Manifest`] if the zip has none.
    pub fn open(bytes: &'a [u8]) -> Result<Self, CodeError> {
        if !bytes.starts_with(crate::zip::MAGIC) {
            return Err(CodeError::UnknownForm);
        }
        let directory = Directory::read(bytes)?;
        Self::from_directory(bytes, directory)
    }

    /// Open the bundle of a zip that has an entry `manifest`.
    pub(crate) fn from_directory(bytes: &'a [u8], directory: Directory<'a>) -> Result<Self, CodeError> {
        let file = directory.file(manifest::ENTRY).ok_or(CodeError::Manifest)?;
        let manifest_bytes = stored(bytes, file)?;
        let manifest = Manifest::parse(manifest_bytes)?;
        Ok(Bundle {
            bytes,
            directory,
            manifest_bytes,
            manifest,
        })
    }

    /// What the manifest says.
    pub fn manifest(&self) -> Manifest<'a> {
        self.manifest
    }

    /// The manifest's bytes: what is signed.
    pub fn manifest_bytes(&self) -> &'a [u8] {
        self.manifest_bytes
    }

    /// The bytes of an entry that is stored as it is.
    ///
    /// # Errors
    /// [`CodeError::ArtifactMissing`] if there is no such entry, [`CodeError::Repacked`] if it is compressed.
    pub fn entry(&self, name: &str) -> Result<&'a [u8], CodeError> {
        stored(self.bytes, self.directory.file(name).ok_or(CodeError::ArtifactMissing)?)
    }

    /// Whether one of these keys signed the manifest.
    pub fn signature(&self, trusted_keys: &[PublicKey], verified: Option<&dyn VerifiedSignatures>) -> SignatureStatus {
        let entry = match self.entry(manifest::SIGNATURE_ENTRY) {
            Ok(entry) => Some(entry),
            Err(CodeError::ArtifactMissing) => None,
            // A signature does not get shorter by compression: this is not one that `bundle` wrote.
            Err(_) => return SignatureStatus::Bad,
        };
        signature::status(self.manifest_bytes, entry, trusted_keys, verified)
    }

    pub(crate) fn file(&self, name: &str) -> Option<&File<'a>> {
        self.directory.file(name)
    }
}

/// The bytes of a file that is stored as it is.
fn stored<'a>(bytes: &'a [u8], file: &File<'_>) -> Result<&'a [u8], CodeError> {
    if file.is_deflated {
        return Err(CodeError::Repacked);
    }
    bytes.get(file.data.clone()).ok_or(CodeError::Zip)
}
