//! What a module is, before it is bundled.
//!
//! In: the module's bytes. Out: its ABI, by its exports, as the executor recognises it. A module that the executor would
//! refuse is an error here, with what to do about it; whether the imports are there is for [`crate::engine`] to say.

use std::fmt;

use action_bundle::manifest::Abi;
use anyhow::{Context, Result, bail};
use wasmparser::types::{EntityType, Types};
use wasmparser::{Parser, Payload, ValType, Validator, WasmFeatures};

/// What the executor's engine is built with: WebAssembly 2.0 without SIMD.
const FEATURES: WasmFeatures = WasmFeatures::WASM2.difference(WasmFeatures::SIMD);

/// What was found out about a module.
#[derive(Debug)]
pub struct Inspection {
    /// How it is called.
    pub abi: Abi,
    /// It imports a host function that needs the network.
    pub uses_network: bool,
}

/// Look at a module.
pub fn inspect(wasm: &[u8]) -> Result<Inspection> {
    if wasm.starts_with(b"\0asm\x0d\0\x01\0") {
        bail!("this is a WebAssembly component: build a core module (in Rust, for wasm32-wasip1 instead of wasip2)");
    }
    let types = match Validator::new_with_features(FEATURES).validate_all(wasm) {
        Ok(types) => types,
        Err(error) => {
            if Validator::new_with_features(WasmFeatures::all())
                .validate_all(wasm)
                .is_ok()
            {
                bail!(
                    "the module uses a feature of WebAssembly that the executor's engine lacks \
                     (SIMD, threads, exceptions, garbage collection, …): build without it: {error}"
                );
            }
            return Err(error).context("this is not a valid WebAssembly module");
        }
    };
    let signatures = Signatures::of(wasm, &types)?;
    let uses_network = signatures
        .imports
        .iter()
        .any(|(module, name)| module == "http" && name == "get");
    Ok(Inspection {
        abi: signatures.abi()?,
        uses_network,
    })
}

/// The exports and imports of a module.
struct Signatures {
    functions: Vec<(String, Signature)>,
    has_memory: bool,
    imports: Vec<(String, String)>,
}

/// A function's type.
#[derive(Debug, PartialEq, Eq)]
struct Signature {
    parameters: Vec<ValType>,
    results: Vec<ValType>,
}

impl Signatures {
    fn of(wasm: &[u8], types: &Types) -> Result<Self> {
        let mut signatures = Signatures {
            functions: Vec::new(),
            has_memory: false,
            imports: Vec::new(),
        };
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import?;
                        signatures
                            .imports
                            .push((import.module.to_owned(), import.name.to_owned()));
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export?;
                        match types.as_ref().entity_type_from_export(&export) {
                            Some(EntityType::Func(id)) => {
                                let function = types[id].unwrap_func();
                                let signature = Signature {
                                    parameters: function.params().to_vec(),
                                    results: function.results().to_vec(),
                                };
                                signatures.functions.push((export.name.to_owned(), signature));
                            }
                            Some(EntityType::Memory(_)) if export.name == "memory" => signatures.has_memory = true,
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(signatures)
    }

    fn exports(&self, name: &str, parameters: &[ValType], results: &[ValType]) -> bool {
        self.functions.iter().any(|(other, signature)| {
            other == name && signature.parameters == parameters && signature.results == results
        })
    }

    fn abi(&self) -> Result<Abi> {
        const I32: ValType = ValType::I32;
        const I64: ValType = ValType::I64;
        if !self.has_memory {
            bail!("the module does not export its memory as `memory`");
        }
        if self.exports("ow_allocate", &[I32], &[I32]) && self.exports("ow_run", &[I32, I32], &[I64]) {
            return Ok(Abi::Lean);
        }
        if !self.exports("_start", &[], &[]) {
            let names: Vec<&str> = self.functions.iter().map(|(name, _)| name.as_str()).collect();
            bail!(
                "the module cannot be called: it exports neither `_start` (a WASI command, or WOW's ABI) nor \
                 `ow_allocate: [i32] -> [i32]` and `ow_run: [i32 i32] -> [i64]` (the lean ABI). Its functions: {}",
                if names.is_empty() {
                    "none".to_owned()
                } else {
                    names.join(", ")
                }
            );
        }
        let is_wow = self.exports("wasm_memory_buffer_allocate_space", &[I32], &[])
            && self.exports("get_wasm_memory_buffer_pointer", &[], &[I32])
            && self.exports("get_wasm_memory_buffer_len", &[], &[I32]);
        Ok(if is_wow { Abi::Wow } else { Abi::WasiCommand })
    }
}

/// An ABI's name for people.
pub struct AbiName(pub Abi);

impl fmt::Display for AbiName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Abi::Lean => "lean",
            Abi::Wow => "WOW",
            Abi::WasiCommand => "WASI command",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAN: &str = r#"(func (export "ow_allocate") (param i32) (result i32) i32.const 0)
        (func (export "ow_run") (param i32 i32) (result i64) i64.const 0)"#;
    const WOW: &str = r#"(func (export "wasm_memory_buffer_allocate_space") (param i32))
        (func (export "get_wasm_memory_buffer_pointer") (result i32) i32.const 0)
        (func (export "get_wasm_memory_buffer_len") (result i32) i32.const 0)"#;
    const START: &str = r#"(func (export "_start"))"#;
    const MEMORY: &str = r#"(memory (export "memory") 1)"#;

    fn inspected(parts: &[&str]) -> Result<Inspection> {
        inspect(&wat::parse_str(format!("(module {})", parts.join(" "))).unwrap())
    }

    #[test]
    fn the_exports_tell_the_abi() {
        for (parts, abi) in [
            (&[MEMORY, LEAN][..], Abi::Lean),
            (&[MEMORY, LEAN, START], Abi::Lean),
            (&[MEMORY, WOW, START], Abi::Wow),
            (&[MEMORY, START], Abi::WasiCommand),
        ] {
            assert_eq!(inspected(parts).unwrap().abi, abi, "{parts:?}");
        }
    }

    #[test]
    fn what_cannot_be_called_is_an_error_that_says_why() {
        for (parts, text) in [
            (&[LEAN][..], "memory"),
            (&[MEMORY], "Its functions: none"),
            (&[MEMORY, WOW], "get_wasm_memory_buffer_len"),
            (&[MEMORY, r#"(func (export "_start") (param i32))"#], "neither `_start`"),
            (
                &[
                    MEMORY,
                    r#"(func (export "ow_run") (param i32) (result i64) i64.const 0)"#,
                ],
                "ow_run: [i32 i32]",
            ),
            (
                &[MEMORY, START, "(func (result v128) v128.const i64x2 0 0)"],
                "build without it",
            ),
        ] {
            let error = format!("{:#}", inspected(parts).unwrap_err());
            assert!(error.contains(text), "{parts:?}: {error}");
        }
        for (bytes, text) in [
            (&b"\0asm\x0d\0\x01\0"[..], "component"),
            (b"\0asm\x01\0\0\0\xff", "not a valid"),
            (b"", "not a valid"),
        ] {
            let error = format!("{:#}", inspect(bytes).unwrap_err());
            assert!(error.contains(text), "{bytes:?}: {error}");
        }
    }

    #[test]
    fn the_imports_tell_the_use_of_the_network() {
        for (import, uses_network) in [
            (r#"(import "http" "get" (func (result i32)))"#, true),
            (r#"(import "http" "post" (func (result i32)))"#, false),
            (r#"(import "env" "get" (func (result i32)))"#, false),
            ("", false),
        ] {
            assert_eq!(
                inspected(&[import, MEMORY, START]).unwrap().uses_network,
                uses_network,
                "{import}"
            );
        }
    }
}
