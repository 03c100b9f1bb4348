//! A bundle's manifest as text.

use std::fmt::Write;

use action_bundle::manifest::{Capability, Form};
use action_bundle::{Bundle, PublicKey, SIGNATURE_ENTRY_BYTES, SignatureStatus, manifest};
use anyhow::{Context, Result, anyhow};

use crate::arguments::Show;
use crate::inspect::AbiName;
use crate::keys;

/// Print a bundle's manifest.
pub fn run(show: &Show) -> Result<()> {
    let bytes = std::fs::read(&show.file).with_context(|| format!("cannot read {}", show.file.display()))?;
    let trusted: Vec<PublicKey> = show
        .trusted
        .iter()
        .map(|key| keys::read_public(key))
        .collect::<Result<_>>()?;
    let bundle = Bundle::open(&bytes).map_err(|error| anyhow!("{}: {error}", show.file.display()))?;
    print!("{}", describe(&bundle, &trusted)?);
    Ok(())
}

/// The text.
pub fn describe(bundle: &Bundle<'_>, trusted: &[PublicKey]) -> Result<String> {
    let mut text = String::new();
    let manifest = bundle.manifest();
    let head = manifest.head();
    writeln!(text, "name        {}", printable(head.name))?;
    writeln!(text, "format      {}", manifest::FORMAT)?;
    writeln!(text, "abi         {}", AbiName(head.abi))?;
    let mut capabilities = manifest.capabilities().peekable();
    if capabilities.peek().is_none() {
        writeln!(text, "asks for    nothing")?;
    }
    for Capability { name, value } in capabilities {
        writeln!(text, "asks for    {} {}", printable(name), printable(value))?;
    }
    writeln!(text, "signature   {}", signature(bundle, trusted))?;

    let mut rows = vec![["artifact", "bytes", "blake3", "runs on", ""].map(str::to_owned)];
    for record in manifest.artifacts() {
        let runs_on = match record.form {
            Form::Wasm => "any node, interpreted".to_owned(),
            Form::Aot(aot) => {
                let mut text = format!(
                    "{}, {} and better, WAMR {} (AOT format {}), {} bounds checks",
                    printable(aot.target),
                    printable(aot.cpu),
                    aot.wamr,
                    aot.aot_format,
                    aot.bounds
                );
                if !aot.interruptible {
                    write!(text, ", CANNOT BE STOPPED")?;
                }
                if !aot.cpu_features.is_empty() {
                    write!(text, ", needs {}", printable(aot.cpu_features))?;
                }
                text
            }
        };
        let state = match bundle.entry(record.entry) {
            Err(error) => format!("  ERROR: {error}"),
            Ok(content)
                if content.len() as u64 != record.len || blake3::hash(content).as_bytes()[..] != record.hash =>
            {
                "  ERROR: these are not the bytes that the manifest describes".to_owned()
            }
            Ok(_) => String::new(),
        };
        rows.push([
            printable(record.entry),
            record.len.to_string(),
            short(&record.hash),
            runs_on,
            state,
        ]);
    }
    text.push('\n');
    table(&mut text, &rows)?;
    Ok(text)
}

fn signature(bundle: &Bundle<'_>, trusted: &[PublicKey]) -> String {
    // The key that the entry names, whether it is trusted or not.
    let named = bundle
        .entry(manifest::SIGNATURE_ENTRY)
        .ok()
        .and_then(|entry| entry.first_chunk::<SIGNATURE_ENTRY_BYTES>())
        .and_then(|entry| entry.get(1..33)?.try_into().ok())
        .and_then(|key| PublicKey::from_bytes(key).ok());
    match (bundle.signature(trusted, None), named) {
        (SignatureStatus::Unsigned, _) => "none".to_owned(),
        (SignatureStatus::Trusted(key), _) => format!("good, by {key}"),
        (SignatureStatus::Bad, _) => "BAD: it does not belong to this manifest".to_owned(),
        (SignatureStatus::UnknownKey, None) => "of an unknown kind".to_owned(),
        (SignatureStatus::UnknownKey, Some(key)) => match bundle.signature(&[key], None) {
            SignatureStatus::Trusted(_) => format!("by {key}, which --trust does not name"),
            _ => format!("BAD: not by {key}, as it says"),
        },
    }
}

/// Text of a bundle, without what could command a terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|character| if character.is_control() { '\u{fffd}' } else { character })
        .collect()
}

fn short(hash: &[u8; 32]) -> String {
    let mut text: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    text.push('…');
    text
}

/// Columns as wide as their widest cell.
fn table<const N: usize>(text: &mut String, rows: &[[String; N]]) -> std::fmt::Result {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            write!(line, "{cell:width$}  ")?;
        }
        writeln!(text, "{}", line.trim_end())?;
    }
    Ok(())
}
