//! Which artifact of a good bundle or zip runs on which node.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

mod common;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use action_bundle::manifest::{AotTarget, Form};
use action_bundle::{
    Bounds, Bundle, CodeError, Kind, NodeTarget, Policy, RecentlyVerified, SignatureStatus, Verified,
    VerifiedSignatures, WamrVersion,
};
use common::*;
use zip::CompressionMethod::{Deflated, Stored};

#[test]
fn a_signed_bundle_runs_ahead_of_time_compiled() {
    assert_eq!(chosen(&signed_bundle(), &policy()), Ok((Kind::Aot, AOT.to_vec())));
}

#[test]
fn untrusted_aot_falls_back_to_the_wasm_beside_it_and_alone_is_an_error() {
    let manifest = manifest_of(&[aot()]);
    let mut forged = sign(&manifest, &STRANGER);
    forged[1..33].copy_from_slice(TRUSTED.verifying_key().as_bytes());
    for (signature, error) in [
        (None, CodeError::AotUnsigned),
        (Some(sign(&manifest, &STRANGER)), CodeError::AotUnknownKey),
        (Some(forged), CodeError::AotBadSignature),
        (Some(sign(b"another manifest", &TRUSTED)), CodeError::AotBadSignature),
        (
            Some(sign(&manifest, &TRUSTED)[..96].to_vec()),
            CodeError::AotBadSignature,
        ),
        (Some(Vec::new()), CodeError::AotUnknownKey),
    ] {
        let bundle = |artifacts: &[(&str, Form<'_>, &[u8])], manifest: &[u8]| {
            let mut entries: Vec<(&str, &[u8])> = vec![("manifest", manifest)];
            entries.extend(
                signature
                    .as_ref()
                    .map(|signature| ("manifest.sig", signature.as_slice())),
            );
            entries.extend(artifacts.iter().map(|(name, _, bytes)| (*name, *bytes)));
            zip_of(&entries, Stored)
        };
        let alone = bundle(&[aot()], &manifest);
        assert_eq!(chosen(&alone, &policy()), Err(error));
        let any = Policy {
            trust_any_aot: true,
            ..policy()
        };
        assert_eq!(chosen(&alone, &any), Ok((Kind::Aot, AOT.to_vec())), "{error:?}");

        let both = bundle(&[aot(), wasm()], &manifest_of(&[aot(), wasm()]));
        assert_eq!(chosen(&both, &policy()), Ok((Kind::Wasm, WASM.to_vec())), "{error:?}");
    }
}

#[test]
fn no_key_is_trusted_unless_the_operator_says_so() {
    let nobody = Policy {
        trusted_keys: &[],
        ..policy()
    };
    assert_eq!(chosen(&signed_bundle(), &nobody), Ok((Kind::Wasm, WASM.to_vec())));
    let two = [public_key(&STRANGER), public_key(&TRUSTED)];
    let both = Policy {
        trusted_keys: &two,
        ..policy()
    };
    assert_eq!(chosen(&signed_bundle(), &both), Ok((Kind::Aot, AOT.to_vec())));
}

#[test]
fn aot_that_does_not_fit_the_node_falls_back_to_the_wasm() {
    let fitting = aot_target();
    for (target, error) in [
        (
            AotTarget {
                target: "aarch64v8",
                ..fitting
            },
            CodeError::AotTarget,
        ),
        (
            AotTarget {
                cpu_features: "avx2",
                ..fitting
            },
            CodeError::AotCpuFeatures,
        ),
        (
            AotTarget {
                cpu_features: "popcnt,sse4.2,avx2",
                ..fitting
            },
            CodeError::AotCpuFeatures,
        ),
        (
            AotTarget {
                cpu_features: "popcn",
                ..fitting
            },
            CodeError::AotCpuFeatures,
        ),
        (
            AotTarget {
                bounds: Bounds::Hardware,
                ..fitting
            },
            CodeError::AotBounds,
        ),
        (
            AotTarget {
                wamr: WamrVersion { patch: 4, ..WAMR },
                ..fitting
            },
            CodeError::AotVersion,
        ),
        (
            AotTarget {
                wamr: WamrVersion { minor: 5, ..WAMR },
                ..fitting
            },
            CodeError::AotVersion,
        ),
        (
            AotTarget {
                wamr: WamrVersion { major: 3, ..WAMR },
                ..fitting
            },
            CodeError::AotVersion,
        ),
        (
            AotTarget {
                aot_format: AOT_FORMAT + 1,
                ..fitting
            },
            CodeError::AotVersion,
        ),
        (
            AotTarget {
                interruptible: false,
                ..fitting
            },
            CodeError::AotUninterruptible,
        ),
    ] {
        let artifact = ("add.aot", Form::Aot(target), AOT);
        for policy in [
            policy(),
            Policy {
                trust_any_aot: true,
                ..policy()
            },
        ] {
            assert_eq!(chosen(&bundle_of(&[artifact], Some(&TRUSTED)), &policy), Err(error));
            let both = bundle_of(&[artifact, wasm()], Some(&TRUSTED));
            assert_eq!(chosen(&both, &policy), Ok((Kind::Wasm, WASM.to_vec())), "{error:?}");
        }
    }
}

#[test]
fn the_reason_is_that_of_the_artifact_which_came_nearest() {
    let other_target = Form::Aot(AotTarget {
        target: "aarch64v8",
        ..aot_target()
    });
    let other_version = Form::Aot(AotTarget {
        aot_format: 1,
        ..aot_target()
    });
    for artifacts in [
        [("a.aot", other_target, AOT), ("b.aot", other_version, AOT)],
        [("b.aot", other_version, AOT), ("a.aot", other_target, AOT)],
    ] {
        assert_eq!(
            chosen(&bundle_of(&artifacts, Some(&TRUSTED)), &policy()),
            Err(CodeError::AotVersion)
        );
    }
}

#[test]
fn aot_that_cannot_be_stopped_runs_if_the_operator_allows_it() {
    let unstoppable = Form::Aot(AotTarget {
        interruptible: false,
        ..aot_target()
    });
    let allowing = Policy {
        allow_uninterruptible: true,
        ..policy()
    };
    let artifact = ("add.aot", unstoppable, AOT);
    for artifacts in [&[artifact][..], &[artifact, wasm()]] {
        let bundle = bundle_of(artifacts, Some(&TRUSTED));
        assert_eq!(chosen(&bundle, &allowing), Ok((Kind::Aot, AOT.to_vec())));
        // It is trusted no more than other AOT code.
        let bundle = bundle_of(artifacts, Some(&STRANGER));
        assert_ne!(chosen(&bundle, &allowing), Ok((Kind::Aot, AOT.to_vec())));
    }
}

#[test]
fn the_most_specialised_artifact_wins() {
    let with_avx = Form::Aot(AotTarget {
        cpu_features: "popcnt,sse4.2,avx",
        ..aot_target()
    });
    let node = NodeTarget {
        cpu_features: &["avx", "popcnt", "sse4.2"],
        ..NODE
    };
    let modern = Policy {
        node: Some(node),
        ..policy()
    };
    for artifacts in [
        [aot(), ("avx.aot", with_avx, AOT_WITH_AVX)],
        [("avx.aot", with_avx, AOT_WITH_AVX), aot()],
    ] {
        let bundle = bundle_of(&artifacts, Some(&TRUSTED));
        assert_eq!(chosen(&bundle, &modern), Ok((Kind::Aot, AOT_WITH_AVX.to_vec())));
        assert_eq!(chosen(&bundle, &policy()), Ok((Kind::Aot, AOT.to_vec())));
    }
}

#[test]
fn a_node_that_interprets_only_runs_no_aot_at_all() {
    let interpreter = Policy {
        node: None,
        trust_any_aot: true,
        ..policy()
    };
    assert_eq!(chosen(&signed_bundle(), &interpreter), Ok((Kind::Wasm, WASM.to_vec())));
    assert_eq!(
        chosen(&bundle_of(&[aot()], Some(&TRUSTED)), &interpreter),
        Err(CodeError::AotNoEngine)
    );
    assert_eq!(chosen(AOT, &interpreter), Err(CodeError::AotNoEngine));
    assert_eq!(
        chosen(&zip_of(&[("m.aot", AOT)], Deflated), &interpreter),
        Err(CodeError::AotNoEngine)
    );
}

#[test]
fn bare_modules_run_as_what_they_are() {
    let any = Policy {
        trust_any_aot: true,
        ..policy()
    };
    assert_eq!(chosen(WASM, &policy()), Ok((Kind::Wasm, WASM.to_vec())));
    // Without a manifest, the file says itself whether it can be stopped. What is too short to say so cannot.
    let mut polling = AOT.to_vec();
    polling.resize(40, 0);
    assert_eq!(chosen(&polling, &any), Err(CodeError::AotUninterruptible));
    polling[32] = 1 << 2;
    assert_eq!(chosen(&polling, &any), Ok((Kind::Aot, polling.clone())));
    for zipped in [Stored, Deflated] {
        let zip = zip_of(&[("m.aot", &polling)], zipped);
        assert_eq!(chosen(&zip, &any), Ok((Kind::Aot, polling.clone())));
        let zip = zip_of(&[("m.aot", AOT)], zipped);
        assert_eq!(chosen(&zip, &any), Err(CodeError::AotUninterruptible));
    }
    let any = Policy {
        allow_uninterruptible: true,
        ..any
    };
    assert_eq!(chosen(AOT, &any), Ok((Kind::Aot, AOT.to_vec())));
    for (code, error) in [
        (&b""[..], CodeError::Empty),
        (AOT, CodeError::AotBare),
        (b"\0asm\x0d\0\x01\0", CodeError::WasmVersion),
        (b"\0asm", CodeError::WasmVersion),
        (b"\0as", CodeError::UnknownForm),
        (b"\x7fELF", CodeError::UnknownForm),
        (
            b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            CodeError::UnknownForm,
        ),
    ] {
        assert_eq!(chosen(code, &policy()), Err(error));
    }
}

#[test]
fn a_plain_zip_runs_its_one_module() {
    for method in [Stored, Deflated] {
        let cases: [(&[Entry<'_>], Result<Kind, CodeError>); 12] = [
            (&[("add.wasm", WASM)], Ok(Kind::Wasm)),
            (&[("content", WASM)], Ok(Kind::Wasm)),
            (&[("build/", b""), ("build/add.wasm", WASM)], Ok(Kind::Wasm)),
            (
                &[("README.md", b"# add"), ("add.wasm", WASM), ("LICENSE", b"MIT")],
                Ok(Kind::Wasm),
            ),
            (&[("manifest.json", b"{}"), ("add.wasm", WASM)], Ok(Kind::Wasm)),
            (&[("a.wasm", WASM), ("b.wasm", WASM)], Err(CodeError::ManyModules)),
            (&[("a.wasm", WASM), ("a.aot", AOT)], Err(CodeError::ManyModules)),
            (&[("index.js", b"function main() {}")], Err(CodeError::NoModule)),
            (
                &[("index.js", b"function main() {}"), ("package.json", b"{}")],
                Err(CodeError::NoModule),
            ),
            (&[("empty/", b"")], Err(CodeError::NoModule)),
            (&[("empty.wasm", b"")], Err(CodeError::NoModule)),
            (&[("add.wamr", AOT)], Err(CodeError::AotBare)),
        ];
        for (entries, expected) in cases {
            let kind = chosen(&zip_of(entries, method), &policy()).map(|(kind, bytes)| {
                assert_eq!(bytes, WASM);
                kind
            });
            assert_eq!(kind, expected, "{method:?} {entries:?}");
        }
        let any = Policy {
            trust_any_aot: true,
            allow_uninterruptible: true,
            ..policy()
        };
        assert_eq!(
            chosen(&zip_of(&[("add.wamr", AOT)], method), &any),
            Ok((Kind::Aot, AOT.to_vec()))
        );
    }
}

#[test]
fn a_bundle_that_was_packed_again_still_runs_if_its_manifest_is_readable() {
    let manifest = manifest_of(&[wasm()]);
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for (name, content, method) in [("add.wasm", WASM, Deflated), ("manifest", &manifest, Stored)] {
        writer.start_file(name, options.compression_method(method)).unwrap();
        std::io::Write::write_all(&mut writer, content).unwrap();
    }
    let stored_manifest = writer.finish().unwrap().into_inner();
    assert_eq!(chosen(&stored_manifest, &policy()), Ok((Kind::Wasm, WASM.to_vec())));

    let deflated_manifest = zip_of(&[("manifest", &manifest), ("add.wasm", WASM)], Deflated);
    assert_eq!(chosen(&deflated_manifest, &policy()), Err(CodeError::Repacked));
}

#[test]
fn an_artifact_longer_than_the_node_takes_is_refused_before_it_is_inflated() {
    let small = Policy {
        artifact_max_bytes: WASM.len() - 1,
        ..policy()
    };
    for code in [
        WASM.to_vec(),
        zip_of(&[("add.wasm", WASM)], Stored),
        zip_of(&[("add.wasm", WASM)], Deflated),
        bundle_of(&[wasm()], None),
    ] {
        assert_eq!(action_bundle::locate(&code, &small), Err(CodeError::ArtifactLen));
        let exact = Policy {
            artifact_max_bytes: WASM.len(),
            ..policy()
        };
        assert_eq!(chosen(&code, &exact), Ok((Kind::Wasm, WASM.to_vec())));
    }
}

#[test]
fn a_bundle_says_who_signed_it() {
    let signed = signed_bundle();
    let bundle = Bundle::open(&signed).unwrap();
    assert_eq!(
        bundle.signature(&*TRUSTED_KEYS, None),
        SignatureStatus::Trusted(public_key(&TRUSTED))
    );
    assert_eq!(bundle.signature(&[], None), SignatureStatus::UnknownKey);
    assert_eq!(bundle.manifest().head().name, "add");
    assert_eq!(
        bundle
            .manifest()
            .artifacts()
            .map(|record| record.entry)
            .collect::<Vec<_>>(),
        ["add.x86_64.aot", "add.wasm"]
    );
    assert_eq!(bundle.entry("add.wasm"), Ok(WASM));
    assert_eq!(bundle.entry("sub.wasm"), Err(CodeError::ArtifactMissing));
    assert_eq!(Bundle::open(WASM).unwrap_err(), CodeError::UnknownForm);
    assert_eq!(
        Bundle::open(&zip_of(&[("a.wasm", WASM)], Stored)).unwrap_err(),
        CodeError::Manifest
    );
}

#[derive(Default)]
struct Memory {
    recent: Mutex<RecentlyVerified<2>>,
    hits: AtomicUsize,
    remembered: AtomicUsize,
}

impl VerifiedSignatures for Memory {
    fn contains(&self, verified: &Verified) -> bool {
        let hit = self.recent.lock().unwrap().contains(verified);
        self.hits.fetch_add(usize::from(hit), Ordering::Relaxed);
        hit
    }

    fn remember(&self, verified: Verified) {
        self.remembered.fetch_add(1, Ordering::Relaxed);
        self.recent.lock().unwrap().remember(verified);
    }
}

#[test]
fn a_signature_is_verified_once_and_only_that_signature_is_remembered() {
    let memory = Memory::default();
    let policy = Policy {
        verified: Some(&memory),
        ..policy()
    };
    let counts = || {
        (
            memory.hits.load(Ordering::Relaxed),
            memory.remembered.load(Ordering::Relaxed),
        )
    };
    let signed = signed_bundle();
    for expected in [(0, 1), (1, 1), (2, 1)] {
        assert_eq!(chosen(&signed, &policy), Ok((Kind::Aot, AOT.to_vec())));
        assert_eq!(counts(), expected);
    }

    // Another manifest, another signature: each is a miss, and what does not verify is not remembered.
    let manifest = manifest_of(&[aot(), wasm()]);
    let mut other_signature = signed.clone();
    other_signature[find(&signed, &sign(&manifest, &TRUSTED)).end - 1] ^= 1;
    assert_eq!(chosen(&other_signature, &policy), Ok((Kind::Wasm, WASM.to_vec())));
    let mut other_manifest = signed.clone();
    let place = find(&signed, &manifest);
    other_manifest[place.start + find(&manifest, b"add").start] ^= 1;
    assert_eq!(chosen(&other_manifest, &policy), Ok((Kind::Wasm, WASM.to_vec())));
    assert_eq!(counts(), (2, 1));

    // Trust is asked first: a key that is trusted no more does not profit from what is remembered.
    let nobody = Policy {
        trusted_keys: &[],
        ..policy
    };
    assert_eq!(chosen(&signed, &nobody), Ok((Kind::Wasm, WASM.to_vec())));

    // The artifact's hash is checked every time.
    let mut tampered = signed.clone();
    let place = find(&signed, AOT);
    tampered[place.end - 1] ^= 1;
    assert_eq!(chosen(&tampered, &policy), Err(CodeError::ArtifactDamaged));
    assert_eq!(counts(), (3, 1));
}
