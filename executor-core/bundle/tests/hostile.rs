//! Bundles and zips that are damaged or made to deceive.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

mod common;

use action_bundle::manifest::{ArtifactRecord, Form};
use action_bundle::{CodeError, Kind, Policy};
use common::*;
use proptest::prelude::*;
use zip::CompressionMethod::{Deflated, Stored};

const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";

/// Write `value` at `offset` bytes behind the first occurrence of `signature`.
fn patched(bytes: &[u8], signature: &[u8], offset: usize, value: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let start = find(&bytes, signature).start + offset;
    bytes[start..start + value.len()].copy_from_slice(value);
    bytes
}

#[test]
fn zips_that_contradict_themselves_are_refused() {
    let stored = zip_of(&[("add.wasm", WASM)], Stored);
    let deflated = zip_of(&[("add.wasm", WASM)], Deflated);
    let two = zip_of(&[("a.wasm", WASM), ("b.txt", b"text")], Stored);
    let second_central = {
        let first = find(&two, CENTRAL).end;
        first + find(&two[first..], CENTRAL).start
    };
    let second_local = {
        let first = find(&two, LOCAL).end;
        first + find(&two[first..], LOCAL).start
    };
    let mut overlapping = two.clone();
    // The second entry's data is made to begin inside the first entry: its header is that of the first.
    overlapping[second_central + 42..second_central + 46].fill(0);
    let mut swallowing = two.clone();
    // The first entry reaches over the second one's header.
    let long = u32::try_from(second_local + 10).unwrap().to_le_bytes();
    for header in [find(&two, LOCAL).start + 18, find(&two, CENTRAL).start + 20] {
        swallowing[header..header + 4].copy_from_slice(&long);
        swallowing[header + 4..header + 8].copy_from_slice(&long);
    }

    let cases: Vec<(&str, Vec<u8>, CodeError)> = vec![
        ("bytes behind the end", [&stored[..], b"x"].concat(), CodeError::Zip),
        (
            "bytes before the start",
            [b"PK\x03\x04 prefix", &stored[..]].concat(),
            CodeError::Zip,
        ),
        (
            "central size too large",
            patched(&stored, CENTRAL, 24, &[0xff; 2]),
            CodeError::Zip,
        ),
        (
            "central size smaller",
            patched(&stored, CENTRAL, 24, &[1]),
            CodeError::Zip,
        ),
        (
            "central compressed size beyond the file",
            patched(&stored, CENTRAL, 20, &[0, 0, 0, 0x7f]),
            CodeError::Zip,
        ),
        ("local size differs", patched(&stored, LOCAL, 22, &[1]), CodeError::Zip),
        (
            "local compressed size differs",
            patched(&stored, LOCAL, 18, &[1]),
            CodeError::Zip,
        ),
        (
            "local checksum differs",
            patched(&stored, LOCAL, 14, &[1]),
            CodeError::Zip,
        ),
        ("local name differs", patched(&stored, LOCAL, 30, b"b"), CodeError::Zip),
        ("local method differs", patched(&stored, LOCAL, 8, &[8]), CodeError::Zip),
        (
            "local name length beyond the file",
            patched(&stored, LOCAL, 26, &[0xff, 0xff]),
            CodeError::Zip,
        ),
        (
            "local extra length beyond the file",
            patched(&stored, LOCAL, 28, &[0xff, 0xff]),
            CodeError::Zip,
        ),
        (
            "central name length beyond the file",
            patched(&stored, CENTRAL, 28, &[0xff, 0xff]),
            CodeError::Zip,
        ),
        (
            "central offset beyond the file",
            patched(&stored, CENTRAL, 42, &[0xff, 0xff, 0xff, 0x7f]),
            CodeError::Zip,
        ),
        (
            "central offset claims zip64",
            patched(&stored, CENTRAL, 42, &[0xff; 4]),
            CodeError::Zip,
        ),
        (
            "central sizes claim zip64",
            patched(&stored, CENTRAL, 20, &[0xff; 8]),
            CodeError::Zip,
        ),
        (
            "end counts more entries",
            patched(&stored, END, 10, &[2]),
            CodeError::Zip,
        ),
        ("end counts no entry", patched(&stored, END, 10, &[0]), CodeError::Zip),
        (
            "end counts 65,535 entries",
            patched(&stored, END, 10, &[0xff, 0xff]),
            CodeError::ZipEntries,
        ),
        (
            "directory beyond the file",
            patched(&stored, END, 12, &[0xff; 8]),
            CodeError::Zip,
        ),
        (
            "comment beyond the file",
            patched(&stored, END, 20, &[1]),
            CodeError::Zip,
        ),
        ("encrypted", patched(&stored, CENTRAL, 8, &[1]), CodeError::ZipEncrypted),
        (
            "encrypted in the local header only",
            patched(&stored, LOCAL, 6, &[1]),
            CodeError::Zip,
        ),
        ("method 93", patched(&stored, CENTRAL, 10, &[93]), CodeError::ZipMethod),
        (
            "deflate cannot expand so far",
            patched(&deflated, CENTRAL, 24, &[0, 0, 0xff]),
            CodeError::Zip,
        ),
        ("two entries share data", overlapping, CodeError::Zip),
        ("one entry holds another", swallowing, CodeError::Zip),
        (
            "wrong checksum",
            {
                let patched_local = patched(&stored, LOCAL, 14, &[0; 4]);
                patched(&patched_local, CENTRAL, 16, &[0; 4])
            },
            CodeError::ArtifactDamaged,
        ),
        (
            "damaged content",
            patched(&stored, WASM, 12, b"X"),
            CodeError::ArtifactDamaged,
        ),
        (
            "inflates to more",
            {
                let lie = [u8::try_from(WASM.len() - 1).unwrap()];
                patched(&patched(&deflated, LOCAL, 22, &lie), CENTRAL, 24, &lie)
            },
            CodeError::ArtifactDamaged,
        ),
        (
            "inflates to less",
            {
                let lie = [u8::try_from(WASM.len() + 1).unwrap()];
                patched(&patched(&deflated, LOCAL, 22, &lie), CENTRAL, 24, &lie)
            },
            CodeError::ArtifactDamaged,
        ),
    ];
    for (what, bytes, error) in cases {
        assert_eq!(chosen(&bytes, &policy()), Err(error), "{what}");
    }
}

#[test]
fn duplicate_names_are_refused() {
    let two = zip_of(&[("a.wasm", WASM), ("b.wasm", WASM)], Stored);
    let mut same = two.clone();
    for place in (0..two.len() - 6).filter(|&at| &two[at..at + 6] == b"b.wasm") {
        same[place] = b'a';
    }
    assert_eq!(chosen(&same, &policy()), Err(CodeError::ZipDuplicate));
}

#[test]
fn the_number_of_entries_is_bounded() {
    let names: Vec<String> = (0..action_bundle::ENTRIES_MAX).map(|n| format!("{n}.txt")).collect();
    let mut entries: Vec<(&str, &[u8])> = names.iter().skip(1).map(|name| (name.as_str(), &b"text"[..])).collect();
    entries.push(("add.wasm", WASM));
    assert_eq!(
        chosen(&zip_of(&entries, Stored), &policy()),
        Ok((Kind::Wasm, WASM.to_vec()))
    );
    entries.push(("one.more", b""));
    assert_eq!(chosen(&zip_of(&entries, Stored), &policy()), Err(CodeError::ZipEntries));
}

#[test]
fn a_small_entry_cannot_make_the_node_reserve_much() {
    let zeros = vec![0; 8 * 1024 * 1024];
    let bomb = zip_of(&[("bomb.wasm", &zeros)], Deflated);
    assert!(bomb.len() < 16 * 1024);
    assert_eq!(chosen(&bomb, &policy()), Err(CodeError::ArtifactLen));
}

#[test]
fn every_truncation_of_a_bundle_is_an_error() {
    for bytes in [signed_bundle(), zip_of(&[("add.wasm", WASM)], Deflated)] {
        for len in 0..bytes.len() {
            assert!(
                chosen(&bytes[..len], &policy()).is_err(),
                "{len} of {} bytes",
                bytes.len()
            );
        }
    }
}

#[test]
fn every_truncation_of_a_manifest_is_an_error() {
    let manifest = manifest_of(&[aot(), wasm()]);
    for len in 0..manifest.len() {
        let bundle = zip_of(
            &[("manifest", &manifest[..len]), (aot().0, AOT), (wasm().0, WASM)],
            Stored,
        );
        assert_eq!(
            chosen(&bundle, &policy()),
            Err(CodeError::Manifest),
            "{len} of {} bytes",
            manifest.len()
        );
    }
}

#[test]
fn manifests_that_this_executor_cannot_read_say_so() {
    let manifest = manifest_of(&[wasm()]);
    let with = |at: usize, value: u8| {
        let mut manifest = manifest.clone();
        manifest[at] = value;
        manifest
    };
    for (what, bytes, error) in [
        ("newer format", with(4, 4), CodeError::ManifestFormat),
        ("older format", with(4, 2), CodeError::Manifest),
        ("format 0", with(4, 0), CodeError::Manifest),
        ("other magic", with(0, b'o'), CodeError::Manifest),
        ("name longer than the manifest", with(5, 0x7f), CodeError::Manifest),
        ("name that is not UTF-8", with(6, 0xff), CodeError::Manifest),
        ("unknown ABI", with(9, 9), CodeError::Manifest),
        ("more capabilities than bytes", with(10, 0x7f), CodeError::Manifest),
        ("more artifacts than bytes", with(11, 0x7f), CodeError::Manifest),
        (
            "bytes behind the end",
            [&manifest[..], b"x"].concat(),
            CodeError::Manifest,
        ),
        ("no artifact", encode(&[]), CodeError::NoModule),
    ] {
        let bundle = zip_of(&[("manifest", &bytes), ("add.wasm", WASM)], Stored);
        assert_eq!(chosen(&bundle, &policy()), Err(error), "{what}");
    }
}

#[test]
fn what_a_manifest_claims_is_checked_against_the_bytes() {
    let truth = |bytes: &[u8]| (bytes.len() as u64, *blake3::hash(bytes).as_bytes());
    let (wasm_len, wasm_hash) = truth(WASM);
    let (aot_len, aot_hash) = truth(AOT);
    let aot_form = Form::Aot(aot_target());
    let record = |entry, len, hash, form| ArtifactRecord { entry, len, hash, form };
    for (what, record, error) in [
        (
            "another hash",
            record("add.wasm", wasm_len, [0; 32], Form::Wasm),
            CodeError::ArtifactDamaged,
        ),
        (
            "another length",
            record("add.wasm", wasm_len + 1, wasm_hash, Form::Wasm),
            CodeError::ArtifactDamaged,
        ),
        (
            "no such entry",
            record("sub.wasm", wasm_len, wasm_hash, Form::Wasm),
            CodeError::ArtifactMissing,
        ),
        (
            "AOT code called Wasm",
            record("add.aot", aot_len, aot_hash, Form::Wasm),
            CodeError::ArtifactDamaged,
        ),
        (
            "Wasm called AOT code",
            record("add.wasm", wasm_len, wasm_hash, aot_form),
            CodeError::ArtifactDamaged,
        ),
    ] {
        let manifest = encode(&[record]);
        let signature = sign(&manifest, &TRUSTED);
        for method in [Stored, Deflated] {
            let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
            let options = zip::write::SimpleFileOptions::default();
            for (name, content, method) in [
                ("manifest", &manifest[..], Stored),
                ("manifest.sig", &signature, Stored),
                ("add.wasm", WASM, method),
                ("add.aot", AOT, method),
            ] {
                writer.start_file(name, options.compression_method(method)).unwrap();
                std::io::Write::write_all(&mut writer, content).unwrap();
            }
            let bundle = writer.finish().unwrap().into_inner();
            assert_eq!(chosen(&bundle, &policy()), Err(error), "{what}, {method:?}");
        }
    }
}

#[test]
fn an_aot_header_of_another_format_than_the_manifest_says_is_refused() {
    let old = b"\0aot\x05\0\0\0 native";
    let bundle = bundle_of(&[("add.aot", Form::Aot(aot_target()), old)], Some(&TRUSTED));
    assert_eq!(chosen(&bundle, &policy()), Err(CodeError::AotVersion));
}

#[test]
fn errors_tell_what_to_do_and_only_bad_base64_is_a_malformed_request() {
    assert!(CodeError::Base64.is_malformed_request());
    for error in [
        CodeError::Empty,
        CodeError::Zip,
        CodeError::AotUnsigned,
        CodeError::ArtifactDamaged,
    ] {
        assert!(!error.is_malformed_request());
        assert!(
            error.to_string().is_ascii() && !error.to_string().contains('"'),
            "goes into a JSON string: {error}"
        );
    }
}

/// What may come out of a mutated [`signed_bundle`], however it was mutated.
fn assert_is_what_was_signed(bytes: &[u8]) -> Result<(), TestCaseError> {
    match chosen(bytes, &policy()) {
        Ok((Kind::Aot, content)) => prop_assert_eq!(content, AOT),
        // Wasm needs no signature, but it is what the manifest says unless the manifest itself is another.
        Ok((Kind::Wasm, content)) => prop_assert!(content.starts_with(b"\0asm\x01\0\0\0")),
        Err(_) => {}
    }
    Ok(())
}

#[test]
fn no_change_of_one_bit_makes_other_native_code_run() {
    let bundle = signed_bundle();
    for at in 0..bundle.len() {
        for bit in 0..8 {
            let mut mutated = bundle.clone();
            mutated[at] ^= 1 << bit;
            assert_is_what_was_signed(&mutated).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, magic in prop::sample::select(vec![&b""[..], LOCAL, b"\0asm", b"\0aot"])) {
        let bytes = [magic, &bytes].concat();
        let any = Policy { trust_any_aot: true, ..policy() };
        let _ = (chosen(&bytes, &policy()), chosen(&bytes, &any));
    }

    #[test]
    fn arbitrary_manifests_never_panic(tail: Vec<u8>, skip in 0_usize..12) {
        let mut manifest = manifest_of(&[wasm()]);
        manifest.truncate(skip);
        manifest.extend(tail);
        let _ = chosen(&zip_of(&[("manifest", &manifest), ("add.wasm", WASM)], Stored), &policy());
    }

    #[test]
    fn mutated_bundles_never_panic_and_run_only_what_was_signed(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::of((any::<prop::sample::Index>(), any::<prop::sample::Index>())),
    ) {
        let mut bundle = signed_bundle();
        for (at, value) in edits {
            let at = at.index(bundle.len());
            bundle[at] = value;
        }
        if let Some((from, to)) = cut {
            let (from, to) = (from.index(bundle.len()), to.index(bundle.len()));
            bundle.drain(from.min(to)..from.max(to));
        }
        assert_is_what_was_signed(&bundle)?;
    }

    #[test]
    fn plain_zips_give_what_the_zip_crate_put_in(content: Vec<u8>, deflate: bool, name in "[a-z]{1,20}(/[a-z]{1,8})?") {
        let module = [WASM, &content].concat();
        let method = if deflate { Deflated } else { Stored };
        let bytes = zip_of(&[(&name, &module)], method);
        prop_assert_eq!(chosen(&bytes, &policy()), Ok((Kind::Wasm, module)));
    }

    #[test]
    fn what_runs_from_a_mutated_zip_is_what_the_zip_crate_reads(
        deflate: bool,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = zip_of(&[("add.wasm", WASM)], if deflate { Deflated } else { Stored });
        for (at, value) in edits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        // Where both read the zip, they read the same; the `zip` crate looks at more of what does not matter here.
        if bytes.starts_with(LOCAL)
            && let Ok((_, ours)) = chosen(&bytes, &policy())
            && let Ok(mut archive) = zip::ZipArchive::new(std::io::Cursor::new(&bytes))
        {
            let mut theirs = Vec::new();
            std::io::Read::read_to_end(&mut archive.by_index(0).unwrap(), &mut theirs).unwrap();
            prop_assert_eq!(ours, theirs);
        }
    }
}
