//! Zips for the targets, and what the product takes from one.

use std::io::{Cursor, Write};

use action_bundle::{Bounds, CodeError, Kind, Located, NodeTarget, Policy, WamrVersion, inflate, locate};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

/// The longest artifact that the policy of these targets takes.
pub const ARTIFACT_MAX_BYTES: usize = 1 << 20;

/// The first bytes of a module.
pub const WASM_HEADER: &[u8] = b"\0asm\x01\0\0\0";
/// The first bytes of native code.
pub const AOT_HEADER: &[u8] = b"\0aot\x06\0\0\0";

/// A node that runs native code, of nobody: no key is trusted.
pub fn policy() -> Policy<'static> {
    Policy {
        trusted_keys: &[],
        trust_any_aot: false,
        allow_uninterruptible: false,
        node: Some(NodeTarget {
            target: "x86_64",
            cpu_features: &["popcnt", "sse4.2"],
            bounds: Bounds::Software,
            wamr: WamrVersion {
                major: 2,
                minor: 4,
                patch: 5,
            },
            aot_format: 6,
        }),
        artifact_max_bytes: ARTIFACT_MAX_BYTES,
        verified: None,
    }
}

/// What the product runs of these bytes.
pub fn chosen(bytes: &[u8]) -> Result<(Kind, Vec<u8>), CodeError> {
    match locate(bytes, &policy())? {
        Located::Stored(artifact) => Ok((artifact.kind, bytes[artifact.range].to_vec())),
        Located::Deflated(deflated) => {
            assert!(deflated.inflated_len() <= ARTIFACT_MAX_BYTES);
            let mut output = vec![0xaa; deflated.inflated_len()];
            let artifact = inflate(bytes, &deflated, &mut output)?;
            Ok((artifact.kind, output[artifact.range].to_vec()))
        }
    }
}

/// One entry of a zip.
pub struct Entry {
    pub name: String,
    pub content: Vec<u8>,
    pub is_deflated: bool,
}

/// A zip as the crate `zip` writes it; `None` if it does not take these names.
pub fn written(entries: &[Entry]) -> Option<Vec<u8>> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for entry in entries {
        let method = if entry.is_deflated {
            CompressionMethod::Deflated
        } else {
            CompressionMethod::Stored
        };
        let options = SimpleFileOptions::default().compression_method(method);
        writer.start_file(&*entry.name, options).ok()?;
        writer.write_all(&entry.content).ok()?;
    }
    Some(writer.finish().ok()?.into_inner())
}

/// A zip of one deflated entry about which only the header lies.
pub fn around(data: &[u8], content_len: usize, crc32: u32) -> Vec<u8> {
    let long = |number: usize| u32::try_from(number).expect("an input is short").to_le_bytes();
    let name = b"a.wasm";
    // Version, flags, method, time, date, CRC, sizes, lengths of name and extra field.
    let common = [
        &[20, 0, 0, 0, 8, 0, 0, 0, 0x21, 0][..],
        &crc32.to_le_bytes(),
        &long(data.len()),
        &long(content_len),
        &[6, 0, 0, 0],
    ]
    .concat();
    let local = [b"PK\x03\x04", &common[..], name, data].concat();
    let central = [b"PK\x01\x02\x14\0", &common[..], &[0; 14], name].concat();
    let ends = [&long(central.len())[..], &long(local.len()), &[0; 2]].concat();
    [local, central, b"PK\x05\x06\0\0\0\0\x01\0\x01\0".to_vec(), ends].concat()
}
