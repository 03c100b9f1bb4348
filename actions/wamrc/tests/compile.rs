//! The code that comes out: for every target, every part of WebAssembly, and the same each time.

mod common;

use common::{Bench, MODULES};

/// Every target of the boards, as their users write it.
const TARGETS: [&str; 8] = [
    "--target x86_64",
    "--target x86_64 --cpu x86-64",
    "--target x86_64 --cpu x86-64-v3",
    "--target aarch64v8",
    "--target armv7 --target-abi gnueabihf --cpu cortex-a7",
    "--target armv7 --cpu-features +neon",
    "--target thumbv7em --target-abi eabihf --cpu cortex-m7",
    "--target thumbv7em",
];

/// The start of an AOT file: magic, and the version of the format as this project's runtime has it.
const HEAD: &[u8] = b"\0aot\x06\0\0\0";

/// The instruction set in the first section (target information), where the loader looks for it.
fn architecture(code: &[u8]) -> String {
    let field = &code[8 + 8 + 32..][..16];
    String::from_utf8_lossy(field).trim_end_matches('\0').to_owned()
}

fn feature_flags(code: &[u8]) -> u64 {
    u64::from_le_bytes(code[8 + 8 + 16..][..8].try_into().expect("eight bytes"))
}

#[test]
fn every_module_compiles_for_every_target() {
    for (name, wat) in MODULES {
        let bench = Bench::new(wat);
        for target in TARGETS {
            let code = bench.compile(target);
            assert!(code.starts_with(HEAD), "{name}, {target}: {:?}", code.get(..8));
            let expected = target.split_whitespace().nth(1).expect("a name");
            assert_eq!(architecture(&code), expected, "{name}, {target}");
            assert_eq!(feature_flags(&code) & 0b10101, 0, "{name}, {target}: no SIMD, threads, garbage collection");
        }
        assert_eq!(bench.files(), ["in.aot", "in.wasm"], "{name}: nothing else is left behind");
    }
}

#[test]
fn the_same_module_gives_the_same_code() {
    for (name, wat) in MODULES {
        let (one, other) = (Bench::new(wat), Bench::new(wat));
        for target in ["--target x86_64", "--target armv7"] {
            assert!(one.compile(target) == other.compile(target), "{name}, {target}");
        }
    }
}

#[test]
fn the_default_is_written_out() {
    for (name, wat) in MODULES {
        let bench = Bench::new(wat);
        for (short, long) in [
            ("--target x86_64", "--target-abi gnu --cpu x86-64-v2 --bounds software --opt-level 3 --size-level 3"),
            ("--target armv7", "--target-abi gnueabihf --cpu cortex-a7 --cpu-features -neon"),
            ("--target thumbv7em", "--target-abi eabihf --cpu cortex-m4"),
        ] {
            let code = bench.compile(short);
            assert!(code == bench.compile(&format!("{short} {long}")), "{name}, {short}");
        }
    }
}

#[test]
fn the_cpu_matters() {
    // Rounding is one instruction from SSE4.1 on, and a call before.
    let bench = Bench::new(MODULES[5].1);
    let calls_floor = |code: Vec<u8>| code.windows(6).any(|window| window == b"floor\0");
    assert!(calls_floor(bench.compile("--target x86_64 --cpu x86-64")));
    assert!(!calls_floor(bench.compile("--target x86_64")));
}

#[test]
fn memory_accesses_and_stack_are_checked() {
    // A store is checked if it can throw, and a function that only calls itself if it can overflow the stack.
    let throws = |wat: &str| {
        let code = Bench::new(wat).compile("--target x86_64");
        code.windows(25).any(|window| window == b"aot_set_exception_with_id")
    };
    assert!(!throws("(module (func (export \"f\") (param i32) (result i32) (local.get 0)))"));
    assert!(throws("(module (memory 1) (func (export \"f\") (param i32) (i32.store8 (local.get 0) (i32.const 1))))"));
    assert!(throws(
        "(module (func $f (export \"f\") (param i32) (result i32)
           (if (result i32) (local.get 0) (then (i32.add (call $f (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))
             (else (i32.const 0)))))"
    ));
}

#[test]
fn interruptible_code_polls() {
    let bench = Bench::new(MODULES[2].1);
    let plain = bench.compile("--target x86_64");
    let polling = bench.compile("--target x86_64 --interruptible");
    assert!(polling.len() > plain.len(), "the loop has grown by a poll: {} > {}", polling.len(), plain.len());
    assert_eq!(feature_flags(&polling) & 4, 4, "a runtime without the thread manager refuses it");
}

#[test]
fn code_for_flash_has_no_relocations() {
    for (name, wat) in MODULES {
        let bench = Bench::new(wat);
        for target in ["--target thumbv7em --cpu cortex-m7", "--target thumbv7em", "--target x86_64"] {
            let code = bench.compile(&format!("{target} --xip"));
            let e_type = u16::from_le_bytes([code[8 + 8 + 4], code[8 + 8 + 5]]);
            assert_eq!(e_type, 4, "{name}, {target}: E_TYPE_XIP");
            assert!(!code.windows(5).any(|window| window == b".rel.") && !code.windows(6).any(|window| window == b".rela."));
        }
    }
}

#[test]
fn levels_change_the_code() {
    let bench = Bench::new(MODULES[2].1);
    let unoptimized = bench.compile("--target x86_64 --opt-level 0");
    assert!(unoptimized != bench.compile("--target x86_64"));
    assert!(unoptimized.len() != bench.compile("--target x86_64 --opt-level 0 --size-level 0").len());
}
