//! Runs the real program in a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A folder with one module in it, `in.wasm`.
pub struct Bench {
    folder: TempDir,
}

impl Bench {
    /// The module as text.
    pub fn new(wat: &str) -> Self {
        Bench::of_bytes(&wat::parse_str(wat).expect("the test's module is well-formed"))
    }

    pub fn of_bytes(bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("in.wasm"), bytes).expect("the folder is writable");
        Bench { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Run with these arguments, separated by spaces, and `in.wasm`.
    pub fn run(&self, arguments: &str) -> Output {
        let mut command = wamrc(self.folder.path());
        command.args(arguments.split_whitespace()).arg("in.wasm");
        command.output().expect("wamrc runs")
    }

    /// The code, which must come into being without a word.
    pub fn compile(&self, arguments: &str) -> Vec<u8> {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments}: {said}");
        assert_eq!((said.as_ref(), output.stdout.as_slice()), ("", &b""[..]), "{arguments}");
        fs::read(self.path("in.aot")).expect("the code is there")
    }

    /// The error, which must be one line, with status 1 and no file left behind.
    pub fn refusal(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8(output.stderr).expect("an error is text");
        assert_eq!(output.status.code(), Some(1), "{arguments}: {said}");
        assert_eq!(said.trim_end().lines().count(), 1, "{arguments}: {said}");
        assert_eq!(self.files(), ["in.wasm"], "{arguments}");
        said
    }

    /// All names in the folder, sorted.
    pub fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).expect("the folder is readable");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

/// The program, to be run in a folder.
pub fn wamrc(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wamrc"));
    command.current_dir(folder);
    command
}

/// A module for each part of WebAssembly that takes its own way through the compiler.
pub const MODULES: [(&str, &str); 9] = [
    ("nothing", "(module)"),
    (
        "add",
        r#"(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))"#,
    ),
    (
        "loops",
        r#"(module (func (export "sum") (param i64) (result i64) (local i64)
            (loop $again (result i64)
              (local.set 1 (i64.add (local.get 1) (i64.mul (local.get 0) (local.get 0))))
              (local.set 0 (i64.sub (local.get 0) (i64.const 1)))
              (br_if $again (i64.ne (local.get 0) (i64.const 0)))
              (local.get 1)))
          (func (export "pick") (param i32) (result i32)
            (block $c (block $b (block $a (br_table $a $b $c (local.get 0))) (return (i32.const 7))) (return (i32.const 9)))
            (i32.const 11)))"#,
    ),
    (
        "memory",
        r#"(module (memory (export "memory") 1 16) (data (i32.const 8) "hello")
          (func (export "grow") (result i32) (memory.grow (i32.const 1)))
          (func (export "store") (param i32 i64) (i64.store offset=16 (local.get 0) (local.get 1)))
          (func (export "load") (param i32) (result i32) (i32.load16_s offset=3 (local.get 0))))"#,
    ),
    (
        "calls",
        r#"(module (import "env" "host" (func $host (param i32) (result i32)))
          (type $unary (func (param i32) (result i32)))
          (table 4 8 funcref) (elem (i32.const 1) $twice $host)
          (func $twice (type $unary) (i32.shl (local.get 0) (i32.const 1)))
          (func (export "indirect") (param i32 i32) (result i32)
            (call_indirect (type $unary) (local.get 0) (local.get 1)))
          (func (export "direct") (param i32) (result i32) (call $host (call $twice (local.get 0)))))"#,
    ),
    (
        "floats",
        r#"(module (func (export "mix") (param f32 f64) (result f64)
            (f64.add (f64.sqrt (local.get 1)) (f64.promote_f32 (f32.nearest (f32.min (local.get 0) (f32.const 2.5))))))
          (func (export "round") (param f64) (result f64) (f64.floor (f64.ceil (f64.trunc (local.get 0)))))
          (func (export "convert") (param f64) (result i64)
            (i64.add (i64.trunc_f64_s (local.get 0)) (i64.trunc_sat_f64_u (local.get 0)))))"#,
    ),
    (
        "bulk memory",
        r#"(module (memory 1) (data $segment "0123456789")
          (func (export "go") (param i32 i32 i32)
            (memory.copy (local.get 0) (local.get 1) (local.get 2))
            (memory.fill (local.get 0) (local.get 1) (local.get 2))
            (memory.init $segment (local.get 0) (local.get 1) (local.get 2))
            (data.drop $segment)))"#,
    ),
    (
        "references",
        r#"(module (table $t 2 10 funcref) (elem declare func $f) (func $f)
          (func (export "go") (param i32) (result i32)
            (table.set $t (local.get 0) (ref.func $f))
            (drop (table.grow $t (ref.null func) (i32.const 1)))
            (ref.is_null (table.get $t (local.get 0)))))"#,
    ),
    (
        // What a compiler makes of `u128`: its parts, with carries; and a loop over them that LLVM may want to vectorize.
        "wide",
        r#"(module (memory 1)
          (func $wide (param i64 i64) (result i64) (local i64 i64 i64)
            (local.set 2 (i64.and (local.get 0) (i64.const 0xffffffff)))
            (local.set 3 (i64.shr_u (local.get 0) (i64.const 32)))
            (local.set 4 (i64.shr_u (i64.mul (local.get 2) (i64.and (local.get 1) (i64.const 0xffffffff))) (i64.const 32)))
            (i64.add (i64.mul (local.get 3) (i64.shr_u (local.get 1) (i64.const 32)))
              (i64.shr_u (i64.add (local.get 4) (i64.mul (local.get 3) (local.get 1))) (i64.const 32))))
          (func (export "go") (param i32) (local i32)
            (loop $again
              (i64.store (local.get 1)
                (i64.div_u (call $wide (i64.load (local.get 1)) (i64.const 0x9e3779b97f4a7c15)) (i64.const 10)))
              (local.set 1 (i32.add (local.get 1) (i32.const 8)))
              (br_if $again (i32.lt_u (local.get 1) (local.get 0))))))"#,
    ),
];
