//! How each of WAMR's files is compiled.

use std::env;
use std::path::{Path, PathBuf};

use crate::files;

pub fn builder(target: &files::Target, core: &Path) -> cc::Build {
    let mut build = cc::Build::new();
    build
        .std("gnu11")
        // WAMR is built as its makers build a release; its own warnings are not ours to mend.
        .opt_level_str(&opt_level())
        .warnings(false)
        .flag_if_supported("-w")
        .flag_if_supported("-ffunction-sections")
        .flag_if_supported("-fdata-sections")
        .flag_if_supported("-fno-strict-aliasing")
        .define("NDEBUG", None);
    for (name, value) in files::defines(target) {
        build.define(&name, Some(value.as_str()));
    }
    for flag in target.flags() {
        build.flag(flag);
    }
    for include in files::includes(target) {
        build.include(core.join(include));
    }
    build
}

pub fn existing(core: &Path, file: &str) -> PathBuf {
    let path = core.join(file);
    assert!(
        path.is_file(),
        "the WAMR package has no {file}: its version and this build script disagree"
    );
    path
}

/// At least 2: an interpreter without optimisation is of no use even to tests. Or for size, where flash is what is short.
fn opt_level() -> String {
    match env::var("OPT_LEVEL").unwrap_or_default().as_str() {
        level @ ("s" | "z" | "3") => level.to_owned(),
        _ => "2".to_owned(),
    }
}
