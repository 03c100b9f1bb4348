//! Artifacts into a bundle's bytes, and a signature into a bundle.
//!
//! **Invariants.** The same artifacts and key give the same bytes. A bundle is read back by the executor's own reader before
//! it is written anywhere, and a file is replaced whole or not at all.

use std::io::{Cursor, Write};
use std::path::Path;

use action_bundle::manifest::{self, ArtifactRecord, Capability, Form, Head};
use action_bundle::{Bundle, SignatureStatus, signature_entry, signed_message};
use anyhow::{Context, Result, anyhow, ensure};
use ed25519_dalek::{Signer, SigningKey};
use tempfile::NamedTempFile;
use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, DateTime};

use crate::arguments::Sign;
use crate::keys;

/// Entries' data begins at multiples of this.
const ALIGNMENT: u16 = 16;

/// An artifact to be packed.
pub struct Packed<'a> {
    pub entry: &'a str,
    pub form: Form<'a>,
    pub bytes: &'a [u8],
}

/// Make a bundle.
pub fn pack(
    head: &Head<'_>,
    capabilities: &[Capability<'_>],
    artifacts: &[Packed<'_>],
    key: Option<&SigningKey>,
) -> Result<Vec<u8>> {
    let records: Vec<ArtifactRecord<'_>> = artifacts
        .iter()
        .map(|artifact| ArtifactRecord {
            entry: artifact.entry,
            len: artifact.bytes.len() as u64,
            hash: *blake3::hash(artifact.bytes).as_bytes(),
            form: artifact.form,
        })
        .collect();
    let mut buffer = vec![0; 64 * 1024];
    let manifest = manifest::encode(head, capabilities, &records, &mut buffer)
        .map_err(|_| anyhow!("the manifest is longer than 64 KiB: ask for fewer directories"))?;
    let entries: Vec<(&str, &[u8])> = artifacts
        .iter()
        .map(|artifact| (artifact.entry, artifact.bytes))
        .collect();
    assemble(manifest, &entries, key)
}

/// Sign a bundle in place.
pub fn run_sign(sign: &Sign) -> Result<()> {
    let key = keys::read_secret(&sign.key)?;
    let path = &sign.file;
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let bundle = Bundle::open(&bytes).map_err(|error| anyhow!("{}: {error}", path.display()))?;
    let records: Vec<ArtifactRecord<'_>> = bundle.manifest().artifacts().collect();
    let mut entries = Vec::new();
    for record in &records {
        let content = bundle
            .entry(record.entry)
            .map_err(|error| anyhow!("{}: {}: {error}", path.display(), record.entry))?;
        // The signature vouches for these bytes.
        ensure!(
            blake3::hash(content).as_bytes()[..] == record.hash,
            "{}: {} is not what the manifest describes: build the bundle again",
            path.display(),
            record.entry
        );
        entries.push((record.entry, content));
    }
    let signed = assemble(bundle.manifest_bytes(), &entries, Some(&key))?;
    write(path, &signed)?;
    println!("{}: signed by {}", path.display(), keys::public_key(&key)?);
    Ok(())
}

/// Replace a file by these bytes, whole.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let cannot_write = || format!("cannot write {}", path.display());
    let mut file = NamedTempFile::new_in(folder).with_context(cannot_write)?;
    file.write_all(bytes).with_context(cannot_write)?;
    // A temporary file is private; a bundle is for everyone.
    #[cfg(unix)]
    file.as_file()
        .set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .with_context(cannot_write)?;
    file.persist(path).with_context(cannot_write)?;
    Ok(())
}

/// The zip of a manifest and its artifacts.
fn assemble(manifest: &[u8], artifacts: &[(&str, &[u8])], key: Option<&SigningKey>) -> Result<Vec<u8>> {
    let signature = match key {
        None => None,
        Some(key) => {
            let signature = key.sign(&signed_message(manifest)).to_bytes();
            Some(signature_entry(&keys::public_key(key)?, &signature))
        }
    };
    let mut entries: Vec<(&str, &[u8])> = vec![(manifest::ENTRY, manifest)];
    entries.extend(
        signature
            .iter()
            .map(|signature| (manifest::SIGNATURE_ENTRY, &signature[..])),
    );
    entries.extend(artifacts);

    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::DEFAULT)
        .unix_permissions(0o644)
        .with_alignment(ALIGNMENT);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in &entries {
        writer.start_file(*name, options)?;
        writer.write_all(content)?;
    }
    let bytes = writer.finish()?.into_inner();
    check(&bytes, &entries, key)?;
    Ok(bytes)
}

/// Read a bundle back.
fn check(bytes: &[u8], entries: &[(&str, &[u8])], key: Option<&SigningKey>) -> Result<()> {
    let bundle = Bundle::open(bytes).map_err(|error| anyhow!("the bundle cannot be read back: {error}"))?;
    for (name, content) in entries {
        let place = bundle
            .entry(name)
            .map_err(|error| anyhow!("{name} cannot be read back: {error}"))?;
        let offset = place.as_ptr().addr() - bytes.as_ptr().addr();
        ensure!(
            place == *content && offset.is_multiple_of(usize::from(ALIGNMENT)),
            "{name} is not where it should be"
        );
    }
    if let Some(key) = key {
        let public = keys::public_key(key)?;
        let status = bundle.signature(&[public], None);
        ensure!(
            status == SignatureStatus::Trusted(public),
            "the signature does not verify"
        );
    }
    Ok(())
}
