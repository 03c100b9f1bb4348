//! Compiles WAMR as its makers wrote it, from the package, by the choice of files and with the settings that the executor has
//! (`executor-core/wamr-sys/build`), but without our C and without our changes.
//!
//! One line is changed, which takes no time: the loader refuses code that can be stopped, unless WAMR is built with its thread
//! manager.
#![allow(dead_code, reason = "these modules are wamr-sys's, which needs all of them")]

#[path = "../../../../../executor-core/wamr-sys/build/aot_loader.rs"]
mod aot_loader;
#[path = "../../../../../executor-core/wamr-sys/build/compile.rs"]
mod compile;
#[path = "../../../../../executor-core/wamr-sys/build/files.rs"]
mod files;
#[path = "../../../../../executor-core/wamr-sys/build/patch.rs"]
mod patch;
#[path = "../../../../../executor-core/wamr-sys/build/source.rs"]
mod source;

use std::env;
use std::path::PathBuf;

use compile::existing;

fn main() {
    println!("cargo:rerun-if-changed=build");
    println!("cargo:rerun-if-changed=../../../../executor-core/wamr-sys/build");

    let target = files::Target::from_env();
    let core = source::wamr_core();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR"));
    let relocation = target.relocation();
    let rest = [
        files::interpreter(&target),
        files::MODULE_LOADER,
        files::LINEAR_MEMORY,
        files::NUMBERS,
        &relocation,
        "shared/platform/common/posix/posix_memmap.c",
    ];
    compile::builder(&target, &core)
        .files(files::sources(&target).iter().map(|file| existing(&core, file)))
        .files(files::INSTANTIATING.iter().map(|file| existing(&core, file)))
        .files(rest.iter().map(|file| existing(&core, file)))
        .file(patch::changed(
            &core,
            files::AOT_LOADER,
            &out,
            &[(aot_loader::REFUSAL, aot_loader::NO_REFUSAL)],
        ))
        .compile("wamr");
    println!("cargo:rustc-link-lib=m");
}
