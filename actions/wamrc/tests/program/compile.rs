//! The code that comes out: for every target, every part of WebAssembly, and the same each time.

use crate::bench::{Bench, MODULES};

/// Every target of the boards, as their users write it.
const TARGETS: [&str; 9] = [
    "--target x86_64",
    "--target x86_64 --cpu x86-64",
    "--target x86_64 --cpu x86-64-v3",
    "--target aarch64v8",
    "--target armv7 --target-abi gnueabihf --cpu cortex-a7",
    "--target armv7 --cpu-features +neon",
    "--target armv6",
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
            assert_eq!(
                feature_flags(&code) & 0b10101,
                0,
                "{name}, {target}: no SIMD, threads, garbage collection"
            );
        }
        assert_eq!(
            bench.files(),
            ["in.aot", "in.wasm"],
            "{name}: nothing else is left behind"
        );
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
            (
                "--target x86_64",
                "--target-abi gnu --cpu x86-64-v2 --bounds software --opt-level 3 --size-level 3",
            ),
            (
                "--target armv7",
                "--target-abi gnueabihf --cpu cortex-a7 --cpu-features -neon",
            ),
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
    let bench = Bench::new(r#"(module (func (export "f") (param f64) (result f64) (f64.floor (local.get 0))))"#);
    let calls_floor = |code: Vec<u8>| code.windows(6).any(|window| window == b"floor\0");
    assert!(calls_floor(bench.compile("--target x86_64 --cpu x86-64")));
    assert!(!calls_floor(bench.compile("--target x86_64")));
}

/// True if the code holds an instruction that puts a small number into a 32-bit register (`mov r32, imm32`).
fn moves(code: &[u8], number: u8) -> bool {
    code.windows(5)
        .any(|window| (0xB8..=0xBF).contains(&window[0]) && window[1..] == [number, 0, 0, 0])
}

#[test]
fn memory_accesses_and_stack_are_checked() {
    // What a check passes on if it fails (WAMR's `wasm_runtime.h`).
    const EXCE_OUT_OF_BOUNDS_MEMORY_ACCESS: u8 = 2;
    const EXCE_NATIVE_STACK_OVERFLOW: u8 = 11;
    let nothing = Bench::new(r#"(module (memory 1) (func (export "f") (param i32) (result i32) (local.get 0)))"#);
    let load = Bench::new(
        r#"(module (memory 1) (func (export "f") (param i32) (result i32) (i32.load offset=77 (local.get 0))))"#,
    );
    for options in [
        "",
        "--opt-level 0",
        "--size-level 0",
        "--cpu x86-64-v3",
        "--interruptible",
        "--xip",
    ] {
        let options = format!("--target x86_64 {options}");
        let (nothing, load) = (nothing.compile(&options), load.compile(&options));
        assert!(!moves(&nothing, EXCE_OUT_OF_BOUNDS_MEMORY_ACCESS), "{options}");
        assert!(moves(&load, EXCE_OUT_OF_BOUNDS_MEMORY_ACCESS), "{options}");
        assert!(moves(&nothing, EXCE_NATIVE_STACK_OVERFLOW), "{options}");
        assert!(moves(&load, EXCE_NATIVE_STACK_OVERFLOW), "{options}");
    }
}

#[test]
fn interruptible_code_polls() {
    // `test dword ptr [register + 40], 1`: the suspend flags are the sixth word of the execution environment.
    let polls = |code: &[u8]| {
        code.windows(7)
            .filter(|window| matches!(window, [0xF7, 0x40..=0x47, 40, 1, 0, 0, 0]))
            .count()
    };
    for (name, wat, expected) in [
        ("straight", r#"(module (func (export "f")))"#, 0),
        (
            "for ever",
            r#"(module (func (export "f") (loop $again (br $again))))"#,
            1,
        ),
    ] {
        let bench = Bench::new(wat);
        assert_eq!(polls(&bench.compile("--target x86_64")), 0, "{name}");
        let code = bench.compile("--target x86_64 --interruptible");
        assert_eq!(polls(&code), expected, "{name}");
        assert_eq!(
            feature_flags(&code) & 4,
            4,
            "{name}: a runtime without the thread manager refuses it"
        );
    }
}

#[test]
fn code_for_flash_has_no_relocations() {
    for (name, wat) in MODULES {
        let bench = Bench::new(wat);
        for target in ["--target thumbv7em --cpu cortex-m7", "--target thumbv7em"] {
            let code = bench.compile(&format!("{target} --xip"));
            let e_type = u16::from_le_bytes([code[8 + 8 + 4], code[8 + 8 + 5]]);
            assert_eq!(e_type, 4, "{name}, {target}: E_TYPE_XIP");
            assert!(
                !code.windows(5).any(|window| window == b".rel.") && !code.windows(6).any(|window| window == b".rela.")
            );
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
