//! Which code of a bundle is taken on this machine, and what the log says of it.
#![allow(clippy::unwrap_used, reason = "a test fails so")]

mod common;

use std::io::{Cursor, Write};

use action_bundle::manifest::{self, Abi, AotTarget, ArtifactRecord, Form, Head};
use common::{Server, guests, init_body, run_body};
use executor_core::wamr::node_target;
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

/// A feature that no CPU has.
const FEATURE: &str = "of-the-future";

/// The instruction sets that this project knows.
const TARGETS: &[&str] = &["x86_64", "aarch64v8", "armv7", "armv6", "thumbv7em"];

/// A bundle of native code for these instruction sets, built for a CPU that is not made yet, and of a module if there is one.
fn bundle_of_the_future(targets: &[&str], module: Option<&[u8]>) -> Vec<u8> {
    let native = b"\0aot\x06\0\0\0 never looked at";
    // The program under test may be for another processor than this test; version and format are the same.
    let here = node_target(&[]);
    let record = |entry, bytes: &[u8], form| ArtifactRecord {
        entry,
        len: bytes.len() as u64,
        hash: *blake3::hash(bytes).as_bytes(),
        form,
    };
    let entries: Vec<(&str, String)> = targets
        .iter()
        .map(|target| (*target, format!("test.{target}.aot")))
        .collect();
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
    records.extend(module.map(|module| record("test.wasm", module, Form::Wasm)));
    let head = Head {
        name: "test",
        abi: Abi::Lean,
    };
    let mut buffer = [0; 4096];
    let manifest = &*manifest::encode(&head, &[], &records, &mut buffer).unwrap();

    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let files = entries.iter().map(|(_, entry)| (entry.as_str(), &native[..]));
    for (name, content) in [(manifest::ENTRY, manifest)]
        .into_iter()
        .chain(module.map(|module| ("test.wasm", module)))
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
    server.init(&bundle_of_the_future(TARGETS, Some(&guests::echo())));
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
fn code_for_other_machines_is_refused_with_a_reason_or_left_alone() {
    let server = Server::action(&["--log", "info"]);
    for (targets, reason) in [
        (&["riscv64"][..], "another instruction set"),
        (TARGETS, "needs CPU features"),
    ] {
        let response = server.post("/init", &init_body(&bundle_of_the_future(targets, None)));
        assert_eq!(response.status, 502, "{}", response.body);
        assert!(response.error().contains(reason), "{}", response.body);
    }
    server.init(&bundle_of_the_future(&["riscv64"], Some(&guests::echo())));
    assert_eq!(server.post("/run", &run_body(r#"{"a":1}"#)).body, r#"{"a":1}"#);
    assert!(!server.stderr.text().contains("loaded native code"));
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
