//! Compiles WAMR's runtime from the sources of its crates.io package, and our few lines of C on top of it.
//!
//! Nothing of WAMR is copied into this repository: Cargo locks, checksums and fetches the package, and `source` finds where
//! it lies. Some files are compiled from copies in `OUT_DIR` with a line or two changed (`patch`).

mod files;
mod patch;
mod source;

use std::env;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo:rerun-if-changed=build");
    println!("cargo:rerun-if-changed=c");

    let target = files::Target::from_env();
    let core = source::wamr_core();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR"));

    let mut most = builder(&target, &core);
    most.files(files::sources(&target).iter().map(|file| existing(&core, file)))
        .file(patch::polling_interpreter(&core, files::interpreter(&target), &out))
        .file(patch::module_loader(&core, &out))
        .file(patch::numbers(&core, &out))
        .files(files::ours(&target));
    let mut instantiating = builder(&target, &core);
    instantiating.files(files::INSTANTIATING.iter().map(|file| existing(&core, file)));
    rename(&mut instantiating, &files::START_ENVIRONMENT);
    let mut mapping = builder(&target, &core);
    mapping.file(existing(&core, files::LINEAR_MEMORY));
    rename(&mut mapping, &files::PAGES);
    let mut mapping_code = builder(&target, &core);
    mapping_code.file(patch::aot_loader(&core, &target, &out));
    rename(&mut mapping_code, &files::CODE_PAGES);
    let mut relocating = builder(&target, &core);
    relocating.file(patch::relocation(&core, &target, &out));
    rename(&mut relocating, &files::BULK);
    let mut archive = cc::Build::new();
    for part in [most, instantiating, mapping, mapping_code, relocating] {
        archive.objects(part.compile_intermediates());
    }
    archive.compile("wamr");
    if target.os == "linux" {
        println!("cargo:rustc-link-lib=m");
    }
}

fn builder(target: &files::Target, core: &Path) -> cc::Build {
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
        .define("NDEBUG", None)
        // The changed copies include `stop_poll.h`.
        .include("c");
    for (name, value) in files::defines(target) {
        build.define(&name, Some(value.as_str()));
    }
    for flag in target.flags() {
        build.flag(flag);
    }
    println!("cargo:rustc-env=WAMR_SYS_AOT_TARGET={}", target.aot_target());
    for include in files::includes(target) {
        build.include(core.join(include));
    }
    build
}

/// Let what is compiled call our functions in place of WAMR's.
fn rename(build: &mut cc::Build, names: &[(&str, &str)]) {
    for (theirs, ours) in names {
        build.define(theirs, Some(*ours));
    }
}

fn existing(core: &Path, file: &str) -> PathBuf {
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
