//! Compiles WAMR's ahead-of-time compiler from the sources of its crates.io package, and links LLVM 19.
//!
//! Nothing of WAMR is copied into this repository: Cargo locks, checksums and fetches the package, and `source` finds where
//! it lies. One file is compiled from a copy in `OUT_DIR` with one condition changed (`patch`).

mod files;
mod llvm;
mod patch;
#[path = "../../../executor-core/wamr-sys/build/source.rs"]
mod source;
mod symbols;

use std::env;
use std::path::{Path, PathBuf};

use llvm::Llvm;

/// WAMR's own code is not where compiling spends its time: that is LLVM, which comes compiled.
const OPT_LEVEL: u32 = 1;

fn main() {
    println!("cargo:rerun-if-changed=build");
    println!("cargo:rerun-if-changed=c");
    println!("cargo:rerun-if-changed=../../executor-core/wamr-sys/build/source.rs");

    let llvm = Llvm::find();
    let core = source::wamr_core();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR"));

    symbols::generate(&core, &out);
    let patched = patch::interruptible(&core, &out);

    let mut c = builder(&core, &llvm);
    c.std("gnu11")
        .files(files::c_sources(&core))
        .file(patched)
        .file("c/border.c");
    let mut cpp = builder(&core, &llvm);
    cpp.cpp(true)
        .std("c++17")
        .flag("-fno-rtti") // Debian's LLVM is built without
        .flag("-fno-exceptions") // the same
        .files(files::cpp_sources(&core))
        .file("c/llvm.cpp");

    // The two halves call each other: they go into one archive.
    let mut archive = cc::Build::new();
    archive.cargo_metadata(false);
    for object in cpp.compile_intermediates().into_iter().chain(c.compile_intermediates()) {
        archive.object(object);
    }
    archive.compile("wamr_compiler");
    // For the program alone: one of this package's tests links the runtime, which has the same names.
    let archive = out.join("libwamr_compiler.a");
    let libraries = ["-lstdc++".to_owned(), "-lm".to_owned()];
    for argument in [archive.display().to_string()]
        .into_iter()
        .chain(llvm.link_arguments())
        .chain(libraries)
    {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
}

fn builder(core: &Path, llvm: &Llvm) -> cc::Build {
    let mut build = cc::Build::new();
    build
        .opt_level(OPT_LEVEL)
        .debug(false)
        // WAMR's own warnings are not ours to mend.
        .warnings(false)
        .flag("-w")
        .flag("-fno-strict-aliasing")
        .flag("-ffunction-sections")
        .flag("-fdata-sections")
        .define("NDEBUG", None)
        .includes(files::includes(core))
        .flag("-isystem")
        .flag(&llvm.include_folder);
    for (name, value) in files::DEFINES {
        build.define(name, *value);
    }
    build
}
