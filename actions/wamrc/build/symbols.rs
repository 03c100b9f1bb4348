//! Which functions the runtime supplies to AOT code, by processor: read from the tables of the runtime's own sources.
//!
//! The runtime refuses an artifact that asks for any other. An artifact for another processor cannot be loaded here for a
//! try, but its names can be compared.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::files;

/// The processor's name, WAMR's define for it, and the file with its table.
const TABLES: &[(&str, &str, &str)] = &[
    ("X86_64", "BUILD_TARGET_X86_64", "aot_reloc_x86_64.c"),
    ("AARCH64", "BUILD_TARGET_AARCH64", "aot_reloc_aarch64.c"),
    ("ARM", "BUILD_TARGET_ARM", "aot_reloc_arm.c"),
    ("THUMB", "BUILD_TARGET_THUMB", "aot_reloc_thumb.c"),
    ("RISCV", "BUILD_TARGET_RISCV64_LP64D", "aot_reloc_riscv.c"),
];

/// Writes `symbols.rs`: one constant a processor.
pub fn generate(core: &Path, out: &Path) {
    let mut text = String::new();
    for (processor, define, file) in TABLES {
        let names = names(core, define, file);
        // A short list means that this script no longer understands the source.
        assert!(
            names.len() > 80,
            "{file} has a table of {} symbols only: mend build/symbols.rs",
            names.len()
        );
        writeln!(text, "pub const {processor}: &[&str] = &{names:?};").expect("writing to a string cannot fail");
    }
    fs::write(out.join("symbols.rs"), text).expect("OUT_DIR can be written");
}

/// The names of `target_sym_map`, after the preprocessor: `{ "name", (void *)function }, …`.
fn names(core: &Path, define: &str, file: &str) -> Vec<String> {
    let mut build = cc::Build::new();
    build
        .std("gnu11")
        .warnings(false)
        .flag("-P")
        .includes(files::includes(core))
        .define(define, "1");
    build.define("BUILD_TARGET", "\"\"");
    // As in the runtime, which is not the compiler.
    for (name, value) in files::DEFINES
        .iter()
        .filter(|(name, _)| *name != "WASM_ENABLE_WAMR_COMPILER")
    {
        build.define(name, *value);
    }
    let path = files::source(core, &format!("iwasm/aot/arch/{file}"));
    let expanded = build.file(path).expand();
    let expanded = String::from_utf8_lossy(&expanded);
    let table = expanded
        .split_once("target_sym_map[] = {")
        .and_then(|(_, rest)| rest.split_once("};"))
        .map(|(table, _)| table)
        .unwrap_or_else(|| panic!("{file} has no target_sym_map: mend build/symbols.rs"));
    let names = table.split('{').filter_map(|entry| entry.split('"').nth(1));
    names.map(str::to_owned).collect()
}
