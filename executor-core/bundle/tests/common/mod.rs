//! Bundles for the tests, written with the `zip` crate.
#![allow(dead_code, reason = "each test file uses a part")]

use std::io::{Cursor, Write};
use std::ops::Range;
use std::sync::LazyLock;

use action_bundle::manifest::{self, Abi, AotTarget, ArtifactRecord, Form, Head};
use action_bundle::{
    Artifact, Bounds, CodeError, Kind, Located, NodeTarget, Policy, PublicKey, WamrVersion, inflate, locate,
    signature_entry, signed_message,
};
use ed25519_dalek::{Signer, SigningKey};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

pub const WASM: &[u8] = b"\0asm\x01\0\0\0 portable";
pub const AOT: &[u8] = b"\0aot\x06\0\0\0 native";
pub const AOT_WITH_AVX: &[u8] = b"\0aot\x06\0\0\0 native, with avx";
pub const AOT_FORMAT: u32 = 6;
pub const WAMR: WamrVersion = WamrVersion {
    major: 2,
    minor: 4,
    patch: 5,
};

/// The name and the content of a zip's entry.
pub type Entry<'a> = (&'a str, &'a [u8]);

/// The key that the operator of these tests trusts, and one that he does not.
pub static TRUSTED: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_bytes(&[7; 32]));
pub static STRANGER: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_bytes(&[8; 32]));

pub static TRUSTED_KEYS: LazyLock<[PublicKey; 1]> = LazyLock::new(|| [public_key(&TRUSTED)]);

pub fn public_key(key: &SigningKey) -> PublicKey {
    PublicKey::from_bytes(&key.verifying_key().to_bytes()).unwrap()
}

pub const NODE: NodeTarget<'_> = NodeTarget {
    target: "x86_64",
    cpu_features: &["popcnt", "sse4.2"],
    bounds: Bounds::Software,
    wamr: WAMR,
    aot_format: AOT_FORMAT,
};

/// A node that runs AOT code of [`TRUSTED`].
pub fn policy() -> Policy<'static> {
    Policy {
        trusted_keys: &*TRUSTED_KEYS,
        trust_any_aot: false,
        allow_uninterruptible: false,
        node: Some(NODE),
        artifact_max_bytes: 1024 * 1024,
        verified: None,
    }
}

pub fn aot_target() -> AotTarget<'static> {
    AotTarget {
        target: "x86_64",
        cpu: "x86-64-v2",
        cpu_features: "popcnt,sse4.2",
        bounds: Bounds::Software,
        wamr: WAMR,
        aot_format: AOT_FORMAT,
        interruptible: true,
    }
}

pub fn wasm() -> (&'static str, Form<'static>, &'static [u8]) {
    ("add.wasm", Form::Wasm, WASM)
}

pub fn aot() -> (&'static str, Form<'static>, &'static [u8]) {
    ("add.x86_64.aot", Form::Aot(aot_target()), AOT)
}

/// A manifest that tells the truth about these artifacts.
pub fn manifest_of(artifacts: &[(&str, Form<'_>, &[u8])]) -> Vec<u8> {
    let records: Vec<ArtifactRecord<'_>> = artifacts
        .iter()
        .map(|(entry, form, bytes)| ArtifactRecord {
            entry,
            len: bytes.len() as u64,
            hash: *blake3::hash(bytes).as_bytes(),
            form: *form,
        })
        .collect();
    encode(&records)
}

pub fn encode(records: &[ArtifactRecord<'_>]) -> Vec<u8> {
    let mut buffer = [0; 4096];
    let head = Head {
        name: "add",
        abi: Abi::Lean,
    };
    manifest::encode(&head, &[], records, &mut buffer).unwrap().to_vec()
}

/// The entry `manifest.sig` for this manifest.
pub fn sign(manifest: &[u8], key: &SigningKey) -> Vec<u8> {
    signature_entry(&public_key(key), &key.sign(&signed_message(manifest)).to_bytes()).to_vec()
}

/// A zip of these entries.
pub fn zip_of(entries: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, content) in entries {
        if name.ends_with('/') {
            writer.add_directory(*name, options).unwrap();
        } else {
            writer.start_file(*name, options).unwrap();
            writer.write_all(content).unwrap();
        }
    }
    writer.finish().unwrap().into_inner()
}

/// A bundle of these artifacts, signed if there is a key.
pub fn bundle_of(artifacts: &[(&str, Form<'_>, &[u8])], key: Option<&SigningKey>) -> Vec<u8> {
    let manifest = manifest_of(artifacts);
    let signature = key.map(|key| sign(&manifest, key));
    let mut entries: Vec<(&str, &[u8])> = vec![(manifest::ENTRY, &manifest)];
    if let Some(signature) = &signature {
        entries.push((manifest::SIGNATURE_ENTRY, signature));
    }
    entries.extend(artifacts.iter().map(|(name, _, bytes)| (*name, *bytes)));
    zip_of(&entries, CompressionMethod::Stored)
}

/// A signed bundle of one AOT artifact and the portable Wasm.
pub fn signed_bundle() -> Vec<u8> {
    bundle_of(&[aot(), wasm()], Some(&TRUSTED))
}

/// What the executor does with the code: the artifact's kind and bytes. Its hash is the bytes' own, in whichever form they
/// came.
pub fn chosen(bytes: &[u8], policy: &Policy<'_>) -> Result<(Kind, Vec<u8>), CodeError> {
    match locate(bytes, policy)? {
        Located::Stored(Artifact { kind, range, hash }) => {
            assert_eq!(hash.as_bytes()[..], blake3::hash(&bytes[range.clone()]).as_bytes()[..]);
            Ok((kind, bytes[range].to_vec()))
        }
        Located::Deflated(deflated) => {
            let mut output = vec![0; deflated.inflated_len()];
            let Artifact { kind, range, hash } = inflate(bytes, &deflated, &mut output)?;
            assert_eq!(hash.as_bytes()[..], blake3::hash(&output[range.clone()]).as_bytes()[..]);
            Ok((kind, output[range].to_vec()))
        }
    }
}

/// Where `needle` is in `bytes`, the first time.
pub fn find(bytes: &[u8], needle: &[u8]) -> Range<usize> {
    let start = bytes.windows(needle.len()).position(|window| window == needle).unwrap();
    start..start + needle.len()
}
