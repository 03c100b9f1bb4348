//! The changes to WAMR: guests can be stopped without its thread manager, and no module makes its loader fail.
//!
//! WAMR's interpreters poll a flag in the execution environment at branches and calls, and its AOT code at backward branches
//! and calls; but only if WAMR is built for guests that start threads, with all that belongs to that. Here a guest has one
//! thread, and the host sets the flag (`c/stop.c`). One instruction can write a whole memory; it polls, too (`c/bulk.c`).

use std::fs;
use std::path::{Path, PathBuf};

use crate::files;

/// Where the fast interpreter defines what it does between instructions, behind all headers.
const FAST_POLL: &str = "#if WASM_ENABLE_THREAD_MGR != 0\n#define CHECK_SUSPEND_FLAGS()";
/// The same in the classic one.
const CLASSIC_POLL: &str =
    "#if WASM_ENABLE_THREAD_MGR != 0\n#if WASM_ENABLE_DEBUG_INTERP != 0\n#define CHECK_SUSPEND_FLAGS()";

/// Our poll, switched on from here to the end of the file; upstream's, which may also wait, is left out.
const OUR_POLL: &str = "#undef WASM_ENABLE_THREAD_MGR\n#define WASM_ENABLE_THREAD_MGR 1\n#include \"stop_poll.h\"\n";

/// What writes as much as a memory is long: memory.fill, memory.copy and memory.init. In pieces, as `c/stop_poll.h` has it.
const BULK: [(&str, &str); 3] = [
    (
        "                        memset(mdst, fill_val, len);",
        "                        FILL_OR_LEAVE(mdst, fill_val, len);",
    ),
    (
        "                            memmove(mdst, msrc, len);",
        "                            MOVE_OR_LEAVE(mdst, msrc, len);",
    ),
    (
        "                        bh_memcpy_s(maddr, (uint32)(linear_mem_size - addr),
                                    data + offset, (uint32)bytes);",
        "                        MOVE_OR_LEAVE(maddr, data + offset, (uint32)bytes);",
    ),
];

/// The loader's refusal of code that polls.
const REFUSAL: &str = "#if WASM_ENABLE_THREAD_MGR == 0\n    if (feature_flags & WASM_FEATURE_MULTI_THREAD) {";
const NO_REFUSAL: &str = "#if 0\n    if (feature_flags & WASM_FEATURE_MULTI_THREAD) {";

/// Fuzzing found: what is left of a constant expression that is refused is freed, but a constant of it has no tree to free.
const CONSTANT: &str = "            if (is_expr_binary_op(ctx->stack[j].expr->init_expr_type)) {";
const CHECKED_CONSTANT: &str =
    "            if (ctx->stack[j].expr && is_expr_binary_op(ctx->stack[j].expr->init_expr_type)) {";

/// Code without relocations (XIP) can run where it lies. Upstream runs it there wherever that is: also in a body, which nobody
/// may execute and which is not kept. Elsewhere than in flash it is loaded as all code is.
const IN_PLACE: &str = "    module->is_indirect_mode = is_indirect_mode;\n";
const IN_PLACE_IF_IT_CAN: &str = "    extern bool wamr_sys_runs_in_place(const void *code, size_t size);\n    \
     module->is_indirect_mode = is_indirect_mode && wamr_sys_runs_in_place(buf, size);\n";

/// Upstream copies code to pages of its own, constants to others, and then both to a third place, so that they lie beside each
/// other; each page of the first two is made to be thrown away. Here both stay in the file until they are copied to that
/// place (but code that is run where it lies, XIP, which this place is not for).
const COPIED_ONCE: &[(&str, &str)] = &[
    // The code stays in the file.
    (
        "if ((section_size > 0) && !module->is_indirect_mode) {\n                    total_size =",
        "if (false) {\n                    total_size =",
    ),
    // The constants stay there.
    (
        "    if (total_size > 0) {\n        /* Allocate memory for data */",
        "    if (total_size > 0 && !module->is_indirect_mode) {\n        *p_buf = buf;\n        return true;\n    }\n    \
         if (total_size > 0) {\n        /* Allocate memory for data */",
    ),
    // Room for both, zero, and for the table behind the code by which it calls out. Without code, constants are copied, too:
    // the file's own pages are not to be protected.
    (
        "    if (code_size == 0) {\n        return true;\n    }\n\n    /* calculate the total memory needed */",
        "    const size_t file_size = code_size;\n    if (code_size > 0)\n        code_size = (code_size + \
         aot_get_plt_table_size() + 3) & ~(size_t)3;\n",
    ),
    (
        "    /* code_size was checked and must be larger than 0 here */\n    bh_assert(total_size > 0);\n",
        "    if (total_size == 0)\n        return true;\n",
    ),
    // Nothing was copied before, so there is nothing to free.
    (
        "    bh_memcpy_s(sections, (uint32)code_size, old_buf, (uint32)code_size);\n    os_munmap(old_buf, code_size);\n",
        "    bh_memcpy_s(sections, (uint32)code_size, old_buf, (uint32)file_size);\n",
    ),
    // The right to run it comes last.
    (
        "    if (os_mprotect(sections, code_size,\n                    MMAP_PROT_READ | MMAP_PROT_WRITE | MMAP_PROT_EXEC)\n        \
         != 0) {\n        os_munmap(sections, (uint32)total_size);\n        return false;\n    }\n",
        "",
    ),
    (
        "                         module->is_indirect_mode\n                                 || module->merged_data_text_sections\n\
         \x20                            ? false\n                             : true);\n",
        "                         false);\n",
    ),
    // Constants that lie beside each other are protected together.
    (
        "    map_prot = MMAP_PROT_READ;\n\n#if defined(BH_PLATFORM_WINDOWS)",
        "    map_prot = MMAP_PROT_READ;\n    uint8 *constants = NULL, *constants_end = NULL;\n\n\
         #if defined(BH_PLATFORM_WINDOWS)",
    ),
    (
        "            os_mprotect(data_section->data, data_section->size, map_prot);\n        }\n    }\n",
        "            if (data_section->data != constants_end) {\n                if (constants)\n                    \
         os_mprotect(constants, constants_end - constants, map_prot);\n                constants = data_section->data;\n\
         \x20           }\n            constants_end = data_section->data + align_uint(data_section->size, \
         os_getpagesize());\n        }\n    }\n    if (constants)\n        os_mprotect(constants, \
         constants_end - constants, map_prot);\n",
    ),
    // If there is no room, nothing can be run from where the code lies now.
    (
        "                if (!module->is_indirect_mode && is_load_from_file_buf)\n                    if (!try_merge",
        "                if (!module->is_indirect_mode)\n                    if (!try_merge",
    ),
    (
        "                        LOG_WARNING(\"merge .data and .text sections failed\");\n",
        "                    {\n                        set_error_buf(error_buf, error_buf_size, \"allocate memory failed\");\n\
         \x20                       return false;\n                    }\n",
    ),
];

/// Upstream notes whether the file may be freed only when it has loaded it, and goes by that note while it loads (are data
/// segments copied?) and while it unloads (are they freed?).
const FREEABLE: &str = "    os_thread_jit_write_protect_np(false); /* Make memory writable */\n    if (!load(";
const FREEABLE_FROM_THE_START: &str = "    module->is_binary_freeable = args->wasm_binary_freeable;\n    if (!load(";

/// A module lies where a client's JSON has it. Some processors fault at a number that is not aligned, if the compiler takes it
/// for one that is (Armv7-M: LDM, LDRD).
const READ: &str = "    (p += sizeof(Type), *(Type *)(p - sizeof(Type)))";
const READ_ANYWHERE: &str = "    (p += sizeof(Type),               \\\n     \
     ((struct __attribute__((packed)) { \\\n         Type value;                    \\\n     \
     } *)(p - sizeof(Type)))->value)";

/// The loader that refuses a bad constant expression without following a null pointer, and reads numbers wherever they lie.
pub fn module_loader(core: &Path, out: &Path) -> PathBuf {
    let changes = [(CONSTANT, CHECKED_CONSTANT), (READ, READ_ANYWHERE)];
    changed(core, files::MODULE_LOADER, out, &changes)
}

/// The interpreter with its polls.
pub fn polling_interpreter(core: &Path, file: &str, out: &Path) -> PathBuf {
    let poll = if file == "iwasm/interpreter/wasm_interp_fast.c" {
        FAST_POLL
    } else {
        CLASSIC_POLL
    };
    let ours = poll.replacen("#if WASM_ENABLE_THREAD_MGR != 0\n", &format!("{OUR_POLL}#if 0\n"), 1);
    let mut changes = vec![(poll, ours.as_str())];
    changes.extend(BULK);
    changed(core, file, out, &changes)
}

/// The loader that takes code which polls, and copies code and constants once.
pub fn aot_loader(core: &Path, target: &files::Target, out: &Path) -> PathBuf {
    let mut changes = vec![
        (REFUSAL, NO_REFUSAL),
        (FREEABLE, FREEABLE_FROM_THE_START),
        (IN_PLACE, IN_PLACE_IF_IT_CAN),
    ];
    // Without memory management, code has a place of its own.
    if !target.is_bare() {
        changes.extend_from_slice(COPIED_ONCE);
    }
    changed(core, files::AOT_LOADER, out, &changes)
}

/// What compilers call for floating-point numbers where the processor has no instructions for them, by the ends of its names.
/// A node takes native code only if it has all that the code was compiled for, and this layer is for processors with such
/// instructions: nothing calls these functions, which are 2 % of a board's program.
fn is_soft_float(name: &str) -> bool {
    const ENDS: [&str; 12] = [
        "adddf3",
        "addsf3",
        "divdf3",
        "divsf3",
        "muldf3",
        "mulsf3",
        "subdf3",
        "subsf3",
        "df2",
        "sf2",
        "fixdfsi",
        "fixunsdfsi",
    ];
    const CONVERSIONS: [&str; 5] = ["floatsidf", "floatsisf", "floatunsidf", "floatunsisf", "extendsfdf2"];
    const OF_ARM: [&str; 12] = [
        "d2f", "d2iz", "d2uiz", "f2d", "f2iz", "i2d", "i2f", "ui2d", "ui2f", "dadd", "ddiv", "dmul",
    ];
    if let Some(arm) = name.strip_prefix("__aeabi_") {
        return OF_ARM.contains(&arm)
            || ["dsub", "fadd", "fdiv", "fmul", "fsub"].contains(&arm)
            || arm.starts_with("dcmp")
            || arm.starts_with("fcmp");
    }
    ENDS.iter().chain(&CONVERSIONS).any(|end| name.ends_with(end))
}

/// What code without relocations (XIP) calls of WAMR's own, on a processor that has instructions for floating-point numbers:
/// arithmetic and conversions of 64-bit integers. The rest is for processors without, or for other ones than Thumb's.
fn is_soft_intrinsic(name: &str) -> bool {
    name.strip_prefix("aot_intrinsic_")
        .is_some_and(|intrinsic| !intrinsic.starts_with("i64_") && !intrinsic.contains("_to_"))
}

/// The relocation of AOT code; for Thumb, without what is never called.
pub fn relocation(core: &Path, target: &files::Target, out: &Path) -> PathBuf {
    let file = target.relocation();
    if !target.is_thumb() {
        return crate::existing(core, &file);
    }
    // The other file includes this one: the copy beside it comes before the original.
    without_symbols(core, "iwasm/aot/aot_reloc.h", out, 30, is_soft_intrinsic);
    without_symbols(core, &file, out, 40, is_soft_float)
}

/// The path of a copy without the symbols that are left out, which must be more than so many.
fn without_symbols(core: &Path, file: &str, out: &Path, more_than: usize, is_left_out: fn(&str) -> bool) -> PathBuf {
    let path = crate::existing(core, file);
    let source = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let has_symbol = |line: &&str| {
        let entry = line.trim_end_matches('\\').trim();
        let name = entry.strip_prefix("REG_SYM(").and_then(|rest| rest.strip_suffix("),"));
        // A macro's last line has to stay, whatever it is.
        name.is_some_and(|name| is_left_out(name) && (line.ends_with('\\') || file.ends_with(".c")))
    };
    let (left_out, kept): (Vec<&str>, Vec<&str>) = source.lines().partition(has_symbol);
    assert!(
        left_out.len() > more_than,
        "{file} has changed: see which of its symbols are never called"
    );
    let copy = out.join(path.file_name().expect("it is a file"));
    fs::write(&copy, kept.join("\n")).expect("OUT_DIR can be written");
    copy
}

/// The path of a copy in which each `theirs`, which must occur once, is `ours`.
fn changed(core: &Path, file: &str, out: &Path, changes: &[(&str, &str)]) -> PathBuf {
    let path = crate::existing(core, file);
    let mut source = fs::read_to_string(&path).expect("WAMR's sources are text");
    for (theirs, ours) in changes {
        assert_eq!(
            source.matches(theirs).count(),
            1,
            "{file} has changed: see whether it still needs what build/patch.rs does to it, and mend that"
        );
        source = source.replace(theirs, ours);
    }
    let copy = out.join(path.file_name().expect("it is a file"));
    fs::write(&copy, source).expect("OUT_DIR can be written");
    copy
}
