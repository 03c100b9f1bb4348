//! Compiles WAMR's runtime from the sources of its crates.io package, and our few lines of C on top of it.
//!
//! Nothing of WAMR is copied: Cargo locks, checksums and fetches the package, and `source` finds where it lies.

mod files;
mod source;

use std::env;
use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build");
    println!("cargo:rerun-if-changed=c");

    let target = files::Target::from_env();
    let core = source::wamr_core();
    let mut build = cc::Build::new();
    build
        .std("gnu11")
        // WAMR is built as its makers build a release; its own warnings are not ours to mend.
        .opt_level(if env::var("OPT_LEVEL").as_deref() == Ok("z") {
            2
        } else {
            opt_level()
        })
        .warnings(false)
        .flag_if_supported("-w")
        .flag_if_supported("-ffunction-sections")
        .flag_if_supported("-fdata-sections")
        .flag_if_supported("-fno-strict-aliasing")
        .define("NDEBUG", None);
    for (name, value) in files::defines(&target) {
        build.define(&name, Some(value.as_str()));
    }
    for flag in target.flags() {
        build.flag(flag);
    }
    println!("cargo:rustc-env=WAMR_SYS_AOT_TARGET={}", target.aot_target());
    for include in files::includes(&target) {
        build.include(core.join(include));
    }
    for file in files::sources(&target) {
        let path = core.join(&file);
        assert!(
            path.is_file(),
            "the WAMR package has no {file}: its version and this build script disagree"
        );
        build.file(path);
    }
    for file in ["c/border.c", "c/memory_map.c", "c/state.c"] {
        build.file(Path::new(file));
    }
    build.compile("wamr");
    if target.os == "linux" {
        println!("cargo:rustc-link-lib=m");
    }
}

/// At least 2: an interpreter without optimisation is of no use even to tests.
fn opt_level() -> u32 {
    env::var("OPT_LEVEL")
        .ok()
        .and_then(|level| level.parse().ok())
        .unwrap_or(2)
        .max(2)
}
