//! The command line: what is refused and how, and what is said of the code.

use std::fs;

use crate::bench::{Bench, MODULES, wamrc};

const ADD: &str = MODULES[1].1;

#[test]
fn a_module_that_the_runtime_does_not_take_is_refused() {
    for (name, wat, expected) in [
        (
            "SIMD",
            "(module (func (result v128) (v128.const i32x4 1 2 3 4)))",
            "SIMD",
        ),
        (
            "SIMD inside",
            "(module (func (drop (i32x4.splat (i32.const 1)))))",
            "-simd128",
        ),
        ("tail calls", "(module (func $f (return_call $f)))", "tail calls"),
        ("memory64", "(module (memory i64 1))", "wasm32"),
        ("shared memory", "(module (memory 1 1 shared))", "without threads"),
        ("two memories", "(module (memory 1) (memory 1))", "memor"),
        ("structures", "(module (type (struct (field i32))))", "refused"),
    ] {
        let error = Bench::new(wat).refusal("--target x86_64");
        assert!(
            error.starts_with("wamrc: in.wasm: the module is refused: "),
            "{name}: {error}"
        );
        assert!(error.contains(expected), "{name}: {error}");
    }
}

#[test]
fn what_is_no_module_is_refused() {
    let whole = wat::parse_str(ADD).expect("well-formed");
    for (bytes, expected) in [
        (&b"garbage"[..], "does not begin"),
        (b"", "empty"),
        (b"(module)", "wat2wasm"),
        (b"\0asm\x01\0\0\0\xff\xff\xff", "refused"),
        (&whole[..whole.len() - 3], "refused"),
    ] {
        let error = Bench::of_bytes(bytes).refusal("--target x86_64");
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn no_damage_of_a_module_does_harm() {
    // Each byte of a module in turn: it is refused in one line, or it is another module.
    let whole = wat::parse_str(ADD).expect("well-formed");
    for position in 8..whole.len() {
        let mut damaged = whole.clone();
        damaged[position] ^= 0x41;
        let output = Bench::of_bytes(&damaged).run("--target x86_64 --opt-level 0");
        let said = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(0) => assert!(said.is_empty(), "byte {position}: {said}"),
            Some(1) => assert_eq!(said.trim_end().lines().count(), 1, "byte {position}: {said}"),
            other => panic!("byte {position}: {other:?}, {said}"),
        }
    }
}

#[test]
fn what_llvm_does_not_know_is_refused() {
    let bench = Bench::new(ADD);
    for (arguments, expected) in [
        ("--target pdp11 --cpu any", "does not know the target `pdp11`"),
        ("--target x86_64-unknown-linux-gnu", "--target-abi"),
        ("--target riscv64", "--cpu"),
        ("--target x86_64 --cpu cortex-a7", "no CPU `cortex-a7` for x86_64"),
        ("--target x86_64 --cpu native", "no CPU `native`"),
        ("--target x86_64 --cpu-features +neon", "no CPU feature `neon`"),
        ("--target x86_64 --cpu-features avx2", "`+avx2`"),
        ("--target x86_64 --target-abi bsd", "no ABI of this name"),
        ("--target thumbv7m --cpu cortex-m3", "no target of this name"),
    ] {
        let error = bench.refusal(arguments);
        assert!(error.contains(expected), "{arguments}: {error}");
    }
}

#[test]
fn code_that_would_not_load_is_refused() {
    // A Cortex-M0 shifts 64 bits by a call, and WAMR's runtime has that function for two of the three shifts.
    for (shift, is_supplied) in [("shl", true), ("shr_u", true), ("shr_s", false)] {
        let wat = format!(
            r#"(module (func (export "f") (param i64 i64) (result i64) (i64.{shift} (local.get 0) (local.get 1))))"#
        );
        let bench = Bench::new(&wat);
        let target = "--target thumbv6m --cpu cortex-m0";
        if is_supplied {
            bench.compile(target);
        } else {
            let error = bench.refusal(target);
            assert!(
                error.contains("would call __aeabi_lasr, which WAMR's runtime does not supply"),
                "{error}"
            );
        }
    }
}

#[test]
fn the_code_must_come_from_this_compiler() {
    let bench = Bench::new(ADD);
    let mut command = wamrc(&bench.path(""));
    command
        .args(["--target", "x86_64", "in.wasm"])
        .env("WAMRC_LLC_COMPILER", "/bin/true");
    let output = command.output().expect("wamrc runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("unset WAMRC_LLC_COMPILER"));
}

#[test]
fn files_are_named_and_kept() {
    let bench = Bench::new(ADD);
    for (arguments, expected) in [
        ("--target x86_64 -o in.wasm", "is the module itself"),
        ("--target x86_64 -o .", "folder"),
        ("--target x86_64 -o no/where.aot", "cannot write into no"),
    ] {
        let error = bench.refusal(arguments);
        assert!(error.contains(expected), "{error}");
    }
    let output = wamrc(&bench.path(""))
        .args(["--target", "x86_64", "none.wasm"])
        .output()
        .expect("wamrc runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("wamrc: cannot read none.wasm: "));

    // An older file stays if there is no new one.
    fs::write(bench.path("in.aot"), "old").expect("writable");
    assert_eq!(bench.run("--target x86_64 --cpu none").status.code(), Some(1));
    assert_eq!(fs::read(bench.path("in.aot")).expect("readable"), b"old");
    assert!(bench.run("--target x86_64").status.success());
    assert!(fs::read(bench.path("in.aot")).expect("readable").starts_with(b"\0aot"));
}

#[test]
fn the_code_is_described() {
    let describe = |arguments: &str| {
        let bench = Bench::new(ADD);
        let output = bench.run(&format!("{arguments} --describe"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let description: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one JSON value");
        let length = fs::metadata(bench.path("in.aot")).expect("the code is there").len();
        assert_eq!(description["bytes"], length, "{arguments}");
        description
    };
    let x86_64 = describe("--target x86_64");
    assert_eq!(x86_64["target"], "x86_64");
    assert_eq!(x86_64["target_abi"], "gnu");
    assert_eq!(x86_64["cpu"], "x86-64-v2");
    let features = serde_json::json!(["cmpxchg16b", "popcnt", "sse3", "sse4.1", "sse4.2", "ssse3"]);
    assert_eq!(x86_64["cpu_features"], features);
    assert_eq!(x86_64["bounds"], "software");
    assert_eq!(x86_64["aot_format"], 6);
    assert_eq!(x86_64["interruptible"], false);
    assert_eq!(x86_64["xip"], false);
    assert_eq!(x86_64["vectorized"], true);

    assert_eq!(
        describe("--target x86_64 --cpu x86-64")["cpu_features"],
        serde_json::json!([])
    );
    assert_eq!(describe("--target x86_64 --no-vectorize")["vectorized"], false);
    assert_eq!(describe("--target aarch64v8")["cpu_features"], serde_json::json!([]));
    assert_eq!(
        describe("--target aarch64v8 --cpu cortex-a72")["cpu_features"],
        serde_json::json!(["crc"])
    );
    let armv7 = describe("--target armv7 --cpu-features +neon");
    assert_eq!(armv7["cpu_features"], serde_json::json!(["hwdiv", "neon", "vfp4"]));
    assert_eq!(
        describe("--target thumbv7em")["cpu_features"],
        serde_json::json!(["vfp4d16sp"])
    );
    assert_eq!(
        describe("--target thumbv7em --xip --interruptible")["interruptible"],
        true
    );
}

#[test]
fn a_description_needs_no_module() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = wamrc(folder.path())
        .args(["--target", "x86_64", "--describe"])
        .output()
        .expect("wamrc runs");
    let description: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one JSON value");
    assert_eq!(description["cpu"], "x86-64-v2");
    assert!(description.get("bytes").is_none());
    let output = wamrc(folder.path())
        .args(["--target", "x86_64"])
        .output()
        .expect("wamrc runs");
    assert_eq!(output.status.code(), Some(2), "neither a module nor a question");
}

#[test]
fn versions_are_said() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = wamrc(folder.path()).arg("--version").output().expect("wamrc runs");
    let said = String::from_utf8(output.stdout).expect("text");
    let expected = format!("wamrc {} (WAMR ", env!("CARGO_PKG_VERSION"));
    assert!(said.starts_with(&expected), "{said}");
    assert!(said.contains("AOT format 6") && said.contains("LLVM 19."), "{said}");
}
