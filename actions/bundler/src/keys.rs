//! Key files.
//!
//! A file holds one line: `ed25519-secret:` or `ed25519-public:` and the base64 of 32 bytes.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use action_bundle::PublicKey;
use anyhow::{Context, Result, anyhow, bail};
use base64_simd::STANDARD;
use ed25519_dalek::SigningKey;

use crate::arguments::Keygen;

const SECRET_PREFIX: &str = "ed25519-secret:";

/// Make a key pair in two new files.
pub fn run_keygen(keygen: &Keygen) -> Result<()> {
    let secret_path = with_extension(&keygen.output, "key");
    let public_path = with_extension(&keygen.output, "pub");
    if public_path.exists() {
        bail!("{} exists: choose another name with -o", public_path.display());
    }
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| anyhow!("the system gives no random numbers: {error}"))?;
    let key = SigningKey::from_bytes(&seed);
    let secret_text = format!("{SECRET_PREFIX}{}\n", STANDARD.encode_to_string(seed));
    let public_text = format!("{}\n", public_key(&key)?);
    write_new(&secret_path, &secret_text, 0o600)?;
    write_new(&public_path, &public_text, 0o644)?;
    println!(
        "secret key: {} (keep it; sign with `bundle build --sign`)",
        secret_path.display()
    );
    println!("public key: {} (nodes trust it with `--trust`)", public_path.display());
    print!("{public_text}");
    Ok(())
}

/// Read a secret key's file.
pub fn read_secret(path: &Path) -> Result<SigningKey> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the key {}: make one with `bundle keygen`", path.display()))?;
    let text = text.trim();
    if text.starts_with("ed25519-public:") {
        bail!(
            "{} is a public key: sign with the file that ends in .key",
            path.display()
        );
    }
    let seed = text
        .strip_prefix(SECRET_PREFIX)
        .and_then(|base64| STANDARD.decode_to_vec(base64).ok())
        .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
        .with_context(|| {
            format!(
                "{} is no secret key: it should hold {SECRET_PREFIX}<base64 of 32 bytes>",
                path.display()
            )
        })?;
    Ok(SigningKey::from_bytes(&seed))
}

/// A public key from its text, or from a file that holds it.
pub fn read_public(text_or_path: &str) -> Result<PublicKey> {
    if let Ok(key) = text_or_path.parse() {
        return Ok(key);
    }
    let text = std::fs::read_to_string(text_or_path)
        .with_context(|| format!("`{text_or_path}` is neither a public key nor a file with one"))?;
    text.parse().map_err(|error| anyhow!("{text_or_path}: {error}"))
}

/// The public half of a key.
pub fn public_key(key: &SigningKey) -> Result<PublicKey> {
    PublicKey::from_bytes(&key.verifying_key().to_bytes()).map_err(|error| anyhow!("{error}"))
}

/// `name.extension`, where `name` may have dots of its own.
fn with_extension(name: &Path, extension: &str) -> PathBuf {
    let mut path = name.as_os_str().to_owned();
    path.push(".");
    path.push(extension);
    PathBuf::from(path)
}

/// Write a file that must not exist yet. Only its owner can read it if `mode` says so, from the first moment.
fn write_new(path: &Path, text: &str, mode: u32) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let write = |mut file: File| file.write_all(text.as_bytes());
    options
        .open(path)
        .and_then(write)
        .with_context(|| format!("cannot write {}: choose another name with -o", path.display()))
}
