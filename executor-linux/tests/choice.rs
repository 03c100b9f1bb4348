//! Which code of a bundle is taken on this machine, and what the log says of it.
#![allow(clippy::unwrap_used, reason = "a test fails so")]

mod common;

use std::io::{Cursor, Write};

use action_bundle::manifest::{self, Abi, AotTarget, ArtifactRecord, Form, Head};
use common::{Server, guests, run_body};
use executor_core::wamr::node_target;
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

/// A feature that no CPU has.
const FEATURE: &str = "of-the-future";

/// A bundle of native code for every machine that this project knows, built for a CPU that is not made yet, and of a module.
fn bundle_of_the_future(module: &[u8]) -> Vec<u8> {
    let native = b"\0aot\x06\0\0\0 never looked at";
    // The program under test may be for another processor than this test; version and format are the same.
    let here = node_target(&[]);
    let record = |entry, bytes: &[u8], form| ArtifactRecord {
        entry,
        len: bytes.len() as u64,
        hash: *blake3::hash(bytes).as_bytes(),
        form,
    };
    let entries = ["x86_64", "aarch64v8", "armv7", "armv6"].map(|target| (target, format!("test.{target}.aot")));
    let mut records: Vec<ArtifactRecord<'_>> = entries
        .iter()
        .map(|(target, entry)| {
            let target = AotTarget {
                target,
                cpu: "next",
                cpu_features: FEATURE,
                bounds: here.bounds,
                wamr: here.wamr,
                aot_format: here.aot_format,
                interruptible: true,
            };
            record(entry.as_str(), native, Form::Aot(target))
        })
        .collect();
    records.push(record("test.wasm", module, Form::Wasm));
    let head = Head {
        name: "test",
        abi: Abi::Lean,
    };
    let mut buffer = [0; 4096];
    let manifest = &*manifest::encode(&head, &[], &records, &mut buffer).unwrap();

    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let files = entries.iter().map(|(_, entry)| (entry.as_str(), &native[..]));
    for (name, content) in [(manifest::ENTRY, manifest), ("test.wasm", module)]
        .into_iter()
        .chain(files)
    {
        writer.start_file(name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn code_for_a_newer_cpu_is_skipped_and_the_log_says_what_is_missing() {
    let server = Server::action(&["--log", "info"]);
    server.init(&bundle_of_the_future(&guests::echo()));
    assert_eq!(server.post("/run", &run_body(r#"{"a":1}"#)).body, r#"{"a":1}"#);
    let text = server
        .stderr
        .wait_until("word of what was loaded", |text| text.contains("to be interpreted"));
    let skipped: Vec<&str> = text.lines().filter(|line| line.contains("skipping")).collect();
    assert_eq!(skipped.len(), 1, "other boards' code is not news: {text}");
    assert!(
        skipped[0].ends_with(&format!(".aot: this CPU lacks {FEATURE}")),
        "{text}"
    );
    assert!(!text.contains("loaded native code"), "{text}");
}

#[test]
fn the_start_says_what_the_machine_is_to_those_who_ask() {
    let server = Server::action(&["--log", "info", "--memory-total", "64M"]);
    let text = server.stderr.text();
    for part in [
        "machine: ",
        ", cores: ",
        ", memory: ",
        "native code: ",
        "CPU features: ",
        "memory budget: 64M, bodies and code: 32M, one /init: 16M, one instance: 32M",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let quiet = Server::action(&[]);
    assert_eq!(quiet.stderr.text().lines().count(), 1, "where it listens, no more");
}
