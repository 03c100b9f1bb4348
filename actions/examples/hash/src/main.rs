//! BLAKE3 of a string or of a number of zero bytes, hashed again and again: work that grows with its input.
//!
//! `{"input":"abc","iterations":1}` gives `{"hash":"6437b3ac…"}`; `{"bytes":1048576}` hashes 1 MiB.
#![cfg_attr(any(target_os = "unknown", target_os = "none"), no_std, no_main)]

use openwhisk_action::alloc::string::{String, ToString};
use serde::{Deserialize, Serialize};

openwhisk_action::main!(hash);

#[derive(Deserialize)]
struct Input {
    input: Option<String>,
    bytes: Option<u32>,
    iterations: Option<u32>,
}

#[derive(Serialize)]
struct Output {
    hash: String,
}

fn hash(parameters: Input) -> Result<Output, &'static str> {
    let mut hash = match (parameters.input, parameters.bytes) {
        (Some(input), None) => blake3::hash(input.as_bytes()),
        (None, Some(bytes)) => hash_zeros(bytes),
        _ => return Err("Expected either input or bytes to be present"),
    };
    for _ in 1..parameters.iterations.unwrap_or(1) {
        hash = blake3::hash(hash.as_bytes());
    }
    Ok(Output {
        hash: hash.to_hex().to_string(),
    })
}

fn hash_zeros(bytes: u32) -> blake3::Hash {
    const CHUNK: [u8; 1024] = [0; 1024];
    let mut hasher = blake3::Hasher::new();
    for _ in 0..bytes / 1024 {
        hasher.update(&CHUNK);
    }
    hasher.update(&CHUNK[..bytes as usize % CHUNK.len()]);
    hasher.finalize()
}
