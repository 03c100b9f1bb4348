//! Compiles WAMR's runtime from the sources of its crates.io package, and our few lines of C on top of it.
//!
//! Nothing of WAMR is copied into this repository: Cargo locks, checksums and fetches the package, and `source` finds where
//! it lies. Some files are compiled from copies in `OUT_DIR` with a line or two changed (`patch`).

mod aot_loader;
mod compile;
mod files;
mod patch;
mod source;

use std::env;
use std::path::PathBuf;

use compile::existing;

fn main() {
    println!("cargo:rerun-if-changed=build");
    println!("cargo:rerun-if-changed=c");

    let target = files::Target::from_env();
    let core = source::wamr_core();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR"));
    println!("cargo:rustc-env=WAMR_SYS_AOT_TARGET={}", target.aot_target());

    let builder = || {
        let mut build = compile::builder(&target, &core);
        // The changed copies include `stop_poll.h`.
        build.include("c");
        build
    };
    let mut most = builder();
    most.files(files::sources(&target).iter().map(|file| existing(&core, file)))
        .file(patch::polling_interpreter(&core, files::interpreter(&target), &out))
        .file(patch::module_loader(&core, &out))
        .file(patch::numbers(&core, &out))
        .files(files::ours(&target));
    let mut instantiating = builder();
    instantiating.files(files::INSTANTIATING.iter().map(|file| existing(&core, file)));
    rename(&mut instantiating, &files::START_ENVIRONMENT);
    let mut mapping = builder();
    mapping.file(existing(&core, files::LINEAR_MEMORY));
    rename(&mut mapping, &files::PAGES);
    let mut mapping_code = builder();
    mapping_code.file(aot_loader::changed_loader(&core, &target, &out));
    rename(&mut mapping_code, &files::CODE_PAGES);
    let mut relocating = builder();
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

/// Let what is compiled call our functions in place of WAMR's.
fn rename(build: &mut cc::Build, names: &[(&str, &str)]) {
    for (theirs, ours) in names {
        build.define(theirs, Some(*ours));
    }
}
