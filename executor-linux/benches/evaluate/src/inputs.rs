//! What is sent: the actions in the form that each system takes, and the bodies of their `/init`.
//!
//! All forms are made of the same Wasm module. A *variant* does the same and is not the same: one text of its data has a number
//! in it, so that every form of it has other content. They are made once and kept beside the tool's other files, under a hash
//! of what they are made of.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use base64_simd::STANDARD;
use memchr::memmem;
use serde::Deserialize;

use crate::progress::Progress;

/// What an `/init` brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A signed bundle with native code for this machine and the portable module.
    Bundle,
    /// The module.
    Wasm,
    /// Wasmtime's native code.
    Wasmtime,
    /// A program.
    Native,
    /// Source text.
    JavaScript,
}

impl Form {
    fn extension(self) -> &'static str {
        match self {
            Form::Bundle => "zip",
            Form::Wasm => "wasm",
            Form::Wasmtime => "cwasm",
            Form::Native => "elf",
            Form::JavaScript => "js",
        }
    }
}

/// The paths that `cargo xtask evaluate` hands over.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    pub executor: PathBuf,
    /// The same, with its feature `spans`.
    pub executor_spans: PathBuf,
    pub public_key: PathBuf,
    pub secret_key: PathBuf,
    pub bundle: PathBuf,
    pub wamrc: PathBuf,
    pub board: String,
    /// The folder of the peers.
    pub peers: PathBuf,
    pub wasmtime_compiler: PathBuf,
    /// The peer on node, if there is node.
    pub nodejs: Option<PathBuf>,
    /// What is to be told with the results.
    pub notes: Vec<String>,
    pub add: PathBuf,
    pub hash: PathBuf,
    /// The executor's commit.
    pub revision: String,
    /// Where things are kept.
    pub work: PathBuf,
}

/// More than the executor remembers signatures of (64), so that each is new when its turn comes again.
pub const VARIANTS: usize = 72;

/// A text of `add`'s data that each variant has another number in. It is said only when the input is wrong.
const VARIED: &[u8] = b"Expected param2 to be";

/// Modules by their name.
pub const ADD: &str = "add";
pub const HASH: &str = "hash";
pub const BLOCK: &str = "block";
pub const LARGE: &str = "large";
/// (name, functions that it has besides): modules of other sizes that do what `block` does, without the sleep.
pub const SIZED: [(&str, usize); 2] = [("medium", 880), (LARGE, 4400)];

impl Inputs {
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is not as it should be", path.display()))
    }

    pub fn file(&self, name: &str, form: Form) -> PathBuf {
        self.work.join("actions").join(format!("{name}.{}", form.extension()))
    }

    /// The body of an `/init`.
    pub fn init_body(&self, name: &str, form: Form) -> Result<Vec<u8>> {
        let path = self.file(name, form);
        let code = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let is_binary = form != Form::JavaScript;
        let code = if is_binary {
            format!("\"{}\"", STANDARD.encode_to_string(code))
        } else {
            serde_json::to_string(std::str::from_utf8(&code)?)?
        };
        let body =
            format!(r#"{{"value":{{"name":"add","main":"main","binary":{is_binary},"env":{{}},"code":{code}}}}}"#);
        Ok(body.into())
    }

    /// The same of a variant of `add`.
    pub fn init_body_of_variant(&self, number: usize, form: Form) -> Result<Vec<u8>> {
        match form {
            // A program's content does not matter to the kernel, nor a text's to node.
            Form::Native | Form::JavaScript => self.init_body(ADD, form),
            _ => self.init_body(&format!("add-{:03}", number % VARIANTS), form),
        }
    }

    /// Make what is not there.
    pub fn prepare(&self) -> Result<()> {
        fs::create_dir_all(self.work.join("actions"))?;
        let key = self.work.join("actions/made-of");
        let made_of = self.made_of()?;
        if fs::read_to_string(&key).unwrap_or_default() != made_of {
            fs::remove_dir_all(self.work.join("actions"))?;
            fs::create_dir_all(self.work.join("actions"))?;
            fs::write(&key, made_of)?;
        }
        self.compile_c(
            "native_add.c",
            &self.file(ADD, Form::Native),
            &["-nostdlib", "-ffreestanding", "-fno-stack-protector"],
        )?;
        self.compile_c("static_server.c", &self.work.join("static_server"), &[])?;
        fs::write(self.file(ADD, Form::JavaScript), JAVASCRIPT_ADD)?;
        let add = fs::read(&self.add).with_context(|| format!("cannot read {}", self.add.display()))?;
        self.module(ADD, &add)?;
        self.module(HASH, &fs::read(&self.hash)?)?;
        self.module(BLOCK, &wat::parse_str(BLOCK_TEXT)?)?;
        for (name, functions) in SIZED {
            self.module(name, &wat::parse_str(sized_module(functions))?)?;
        }
        let progress = Progress::new("variants of the action", VARIANTS);
        // Two at a time: compilers have one thread.
        let made = |numbers: std::ops::Range<usize>| -> Result<()> {
            for number in numbers {
                self.module(&format!("add-{number:03}"), &varied(&add, number)?)?;
                progress.step();
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let half = scope.spawn(|| made(0..VARIANTS / 2));
            made(VARIANTS / 2..VARIANTS)?;
            half.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?
        })
    }

    fn made_of(&self) -> Result<String> {
        let mut hash = blake3::Hasher::new();
        for path in [
            &self.add,
            &self.hash,
            &self.bundle,
            &self.wamrc,
            &self.wasmtime_compiler,
            &self.secret_key,
        ] {
            hash.update(&fs::read(path).with_context(|| format!("cannot read {}", path.display()))?);
        }
        for text in [BLOCK_TEXT, &sized_module(1), NATIVE_ADD, STATIC_SERVER] {
            hash.update(text.as_bytes());
        }
        Ok(hash.finalize().to_hex().to_string())
    }

    /// A module in all its forms.
    fn module(&self, name: &str, module: &[u8]) -> Result<()> {
        let wasm = self.file(name, Form::Wasm);
        fs::write(&wasm, module)?;
        let bundle = self.file(name, Form::Bundle);
        if !bundle.is_file() {
            run(Command::new(&self.bundle)
                .arg("build")
                .arg(&wasm)
                .args(["--board", &self.board, "--wamrc"])
                .arg(&self.wamrc)
                .arg("--sign")
                .arg(&self.secret_key)
                .arg("--output")
                .arg(&bundle))?;
        }
        let wasmtime = self.file(name, Form::Wasmtime);
        if !wasmtime.is_file() {
            run(Command::new(&self.wasmtime_compiler).arg(&wasm).arg(&wasmtime))?;
        }
        Ok(())
    }

    fn compile_c(&self, source: &str, output: &Path, flags: &[&str]) -> Result<()> {
        if output.is_file() {
            return Ok(());
        }
        let text = if source == "native_add.c" {
            NATIVE_ADD
        } else {
            STATIC_SERVER
        };
        let path = self.work.join(source);
        fs::write(&path, text)?;
        run(Command::new("cc")
            .args(["-O2", "-static", "-s"])
            .args(flags)
            .arg(&path)
            .arg("-o")
            .arg(output))
    }
}

const BLOCK_TEXT: &str = include_str!("guests/block.wat");
const JAVASCRIPT_ADD: &str = include_str!("guests/add.js");
const NATIVE_ADD: &str = include_str!("guests/native_add.c");
const STATIC_SERVER: &str = include_str!("guests/static_server.c");

fn run(command: &mut Command) -> Result<()> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    ensure!(
        output.status.success(),
        "{} failed: {}",
        command.get_program().display(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// The same module, with another number in a text of its data.
fn varied(module: &[u8], number: usize) -> Result<Vec<u8>> {
    let at = memmem::find(module, VARIED).context("add has no text to vary")?;
    let mut varied = module.to_vec();
    let digits = format!("{number:08}");
    varied
        .get_mut(at..at + digits.len())
        .context("the text is too short")?
        .copy_from_slice(digits.as_bytes());
    Ok(varied)
}

/// A lean module (`actions/ABI.md`) that answers `{"sized":1}`, with so many functions of some 70 bytes that each call the next.
fn sized_module(functions: usize) -> String {
    let mut text = String::from(
        r#"(module
  (memory (export "memory") 1)
  (data (i32.const 256) "{\"sized\":1}")
  (func (export "ow_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "ow_run") (param i32 i32) (result i64)
    (drop (call $f0 (local.get 1) (i32.const 3)))
    (i64.const 0x1000000000b))
"#,
    );
    for number in 0..functions {
        let constant = (number as u32).wrapping_mul(2_654_435_761) & 0x7fff_ffff;
        let next = if number + 1 < functions { number + 1 } else { number };
        text += &format!(
            "  (func $f{number} (param $a i32) (param $b i32) (result i32) (local $c i32)
    (local.set $c (i32.xor (i32.mul (local.get $a) (i32.const {constant})) (local.get $b)))
    (if (result i32) (i32.gt_u (local.get $b) (i32.const {number}))
      (then (i32.add (call $f{next} (local.get $c) (i32.sub (local.get $b) (i32.const 1)))
        (i32.load offset=2048 (i32.and (local.get $c) (i32.const 1020)))))
      (else (i32.store offset=4096 (i32.and (local.get $a) (i32.const 4092)) (local.get $c))
        (i32.rotl (local.get $c) (i32.const {})))))\n",
            number % 31
        );
    }
    text + ")"
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails so")]
    use super::*;

    #[test]
    fn variants_differ_and_are_as_long() {
        let module = [b"\0asm....".as_slice(), VARIED, b" present"].concat();
        let (one, two) = (varied(&module, 1).unwrap(), varied(&module, 2).unwrap());
        assert!(one != two && one != module && one.len() == module.len());
        assert!(varied(b"\0asm", 1).is_err(), "nothing to vary");
    }

    #[test]
    fn modules_grow_with_their_functions() {
        let [one, many] = [1, 100].map(|functions| wat::parse_str(sized_module(functions)).unwrap().len());
        assert!((50..100).contains(&((many - one) / 99)), "{one} {many}");
    }
}
