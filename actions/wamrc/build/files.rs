//! Which of WAMR's files make its compiler, and with which settings: the choice, as data.
//!
//! Source: WAMR's `wamr-compiler/CMakeLists.txt`, which builds a compiler for every feature. This one is for our runtime:
//! the features are those of `executor-core/wamr-sys`, so that a module which the compiler takes is one that the runtime
//! takes, and the other way round.

use std::path::{Path, PathBuf};

/// `config.h` says what each of them does. What is not named here is off.
pub const DEFINES: &[(&str, Option<&str>)] = &[
    ("WASM_ENABLE_WAMR_COMPILER", Some("1")),
    ("WASM_ENABLE_AOT", Some("1")),
    // The loader that checks a module. The compiler reads the classic interpreter's form of the code.
    ("WASM_ENABLE_INTERP", Some("1")),
    ("WASM_ENABLE_FAST_INTERP", Some("0")),
    // As in the runtime.
    ("WASM_ENABLE_BULK_MEMORY", Some("1")),
    ("WASM_ENABLE_BULK_MEMORY_OPT", Some("1")),
    ("WASM_ENABLE_REF_TYPES", Some("1")),
    ("WASM_ENABLE_CALL_INDIRECT_OVERLONG", Some("1")),
    ("WASM_ENABLE_EXTENDED_CONST_EXPR", Some("1")),
    ("WASM_ENABLE_SIMD", Some("0")),
    ("WASM_DISABLE_HW_BOUND_CHECK", Some("1")),
    ("WASM_DISABLE_STACK_HW_BOUND_CHECK", Some("1")),
    ("WASM_DISABLE_WRITE_GS_BASE", Some("1")),
    ("WASM_ENABLE_MODULE_INST_CONTEXT", Some("0")),
    ("BH_MALLOC", Some("wasm_runtime_malloc")),
    ("BH_FREE", Some("wasm_runtime_free")),
    // Standard output is for the caller: what WAMR prints goes through border.c.
    ("BH_VPRINTF", Some("wamrc_vprintf")),
    ("BH_PLATFORM_LINUX", Some("1")),
    ("WASM_HAVE_MREMAP", Some("1")),
    ("_GNU_SOURCE", Some("1")),
];

/// The one file of `compilation` that is compiled from a changed copy.
pub const PATCHED: &str = "iwasm/compilation/aot_emit_control.c";

const INCLUDES: &[&str] = &[
    ".",
    "iwasm/include",
    "iwasm/common",
    "iwasm/compilation",
    "iwasm/interpreter",
    "iwasm/aot",
    "shared/include",
    "shared/utils",
    "shared/mem-alloc",
    "shared/platform/include",
    "shared/platform/linux",
    "shared/platform/common/libc-util",
];

const C_SOURCES: &[(&str, &[&str])] = &[
    (
        "iwasm/compilation",
        &[
            "aot.c",
            "aot_compiler.c",
            "aot_emit_aot_file.c",
            "aot_emit_compare.c",
            "aot_emit_const.c",
            "aot_emit_conversion.c",
            "aot_emit_exception.c",
            "aot_emit_function.c",
            "aot_emit_memory.c",
            "aot_emit_numberic.c",
            "aot_emit_parametric.c",
            "aot_emit_table.c",
            "aot_emit_variable.c",
            "aot_llvm.c",
            "aot_stack_frame_comp.c",
        ],
    ),
    ("iwasm/aot", &["aot_intrinsic.c", "aot_loader.c", "aot_runtime.c"]),
    // The compiler relocates nothing and calls nothing: it needs no file of a processor.
    ("iwasm/aot/arch", &["aot_reloc_dummy.c"]),
    ("iwasm/common/arch", &["invokeNative_general.c"]),
    (
        "iwasm/common",
        &[
            "wasm_blocking_op.c",
            "wasm_c_api.c",
            "wasm_exec_env.c",
            "wasm_loader_common.c",
            "wasm_memory.c",
            "wasm_native.c",
            "wasm_runtime_common.c",
            "wasm_shared_memory.c",
        ],
    ),
    (
        "iwasm/interpreter",
        &["wasm_interp_classic.c", "wasm_loader.c", "wasm_runtime.c"],
    ),
    ("shared/mem-alloc", &["mem_alloc.c"]),
    (
        "shared/mem-alloc/ems",
        &["ems_alloc.c", "ems_gc.c", "ems_hmu.c", "ems_kfc.c"],
    ),
    (
        "shared/utils",
        &[
            "bh_assert.c",
            "bh_bitmap.c",
            "bh_common.c",
            "bh_hashmap.c",
            "bh_leb128.c",
            "bh_list.c",
            "bh_log.c",
            "bh_queue.c",
            "bh_vector.c",
            "runtime_timer.c",
        ],
    ),
    ("shared/platform/linux", &["platform_init.c"]),
    (
        "shared/platform/common/posix",
        &[
            "posix_blocking_op.c",
            "posix_malloc.c",
            "posix_memmap.c",
            "posix_sleep.c",
            "posix_thread.c",
            "posix_time.c",
        ],
    ),
];

const CPP_SOURCES: &[&str] = &[
    "iwasm/compilation/aot_llvm_extra.cpp",
    "iwasm/compilation/aot_llvm_extra2.cpp",
    // Its JIT is not used, but aot_llvm.c names it.
    "iwasm/compilation/aot_orc_extra.cpp",
    "iwasm/compilation/aot_orc_extra2.cpp",
];

pub fn includes(core: &Path) -> impl Iterator<Item = PathBuf> + use<'_> {
    INCLUDES.iter().map(|folder| core.join(folder))
}

pub fn c_sources(core: &Path) -> impl Iterator<Item = PathBuf> + use<'_> {
    C_SOURCES
        .iter()
        .flat_map(move |(folder, names)| names.iter().map(move |name| source(core, &format!("{folder}/{name}"))))
}

pub fn cpp_sources(core: &Path) -> impl Iterator<Item = PathBuf> + use<'_> {
    CPP_SOURCES.iter().map(|name| source(core, name))
}

/// One file, which must be there.
pub fn source(core: &Path, name: &str) -> PathBuf {
    let path = core.join(name);
    assert!(
        path.is_file(),
        "the WAMR package has no {name}: its version and this build script disagree"
    );
    path
}
