//! Lists the boards beside this crate, so that a tool that was installed elsewhere knows them, too.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let boards = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate lies in boards");
    println!("cargo:rerun-if-changed={}", boards.display());
    let mut files: Vec<(String, PathBuf)> = fs::read_dir(boards)
        .expect("the folder of boards can be read")
        .filter_map(|entry| {
            let folder = entry.ok()?;
            let file = folder.path().join("board.toml");
            Some((folder.file_name().into_string().ok()?, file)).filter(|(_, file)| file.is_file())
        })
        .collect();
    files.sort();
    let mut text = String::from("&[\n");
    for (name, file) in files {
        println!("cargo:rerun-if-changed={}", file.display());
        writeln!(text, "    ({name:?}, include_str!({file:?})),").expect("writing to a string cannot fail");
    }
    text.push_str("]\n");
    let out = env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("boards.rs"), text).expect("OUT_DIR can be written");
}
