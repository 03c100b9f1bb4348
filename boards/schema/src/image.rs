//! The build script of a board's program: its linker script and constants from `board.toml`, and what is baked in.
//!
//! `cargo xtask build` says what is baked in by two variables, which hold one path or key a line:
//!
//! | variable | holds |
//! | --- | --- |
//! | `EXECUTOR_TRUST` | public keys: AOT code that one of them has signed may run |
//! | `EXECUTOR_BAKE` | bundles; each becomes a container that is named as the file, without its extension |

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::Board;

/// What a build script of a board calls. Writes `memory.x`, `description.rs` and `image.rs`.
///
/// # Panics
/// If the board is not described, or what is to be baked in is not there: that ends the build with the reason.
pub fn build_script(name: &str) {
    println!("cargo:rerun-if-env-changed=EXECUTOR_TRUST");
    println!("cargo:rerun-if-env-changed=EXECUTOR_BAKE");
    let board = Board::find(name).unwrap_or_else(|error| panic!("{error}"));
    let bare = board.bare.as_ref().expect("board.toml has [bare]");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR"));
    write(&out.join("memory.x"), &bare.memory_script());
    write(
        &out.join("description.rs"),
        &bare.constants(name, board.node.containers_max),
    );
    write(
        &out.join("image.rs"),
        &image(&lines("EXECUTOR_TRUST"), &lines("EXECUTOR_BAKE")),
    );
    println!("cargo:rustc-link-search={}", out.display());
}

fn lines(variable: &str) -> Vec<String> {
    let text = env::var(variable).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// The keys and the actions, as Rust.
fn image(trust: &[String], bake: &[String]) -> String {
    let mut text = format!("pub(crate) static TRUST: &[&str] = &{trust:?};\n");
    text += "pub(crate) static BAKED: &[Baked] = &[\n";
    for path in bake {
        println!("cargo:rerun-if-changed={path}");
        let path = fs::canonicalize(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let name = path.file_stem().unwrap_or_default();
        let _ = writeln!(
            text,
            "    Baked {{ name: {:?}, bundle: {{ static IN_FLASH: &Aligned<[u8]> = &Aligned(*include_bytes!({:?})); &IN_FLASH.0 }} }},",
            name.to_string_lossy(),
            path.display().to_string()
        );
    }
    text += "];\n";
    text
}
