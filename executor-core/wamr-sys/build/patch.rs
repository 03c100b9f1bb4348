//! The changes to WAMR, but for its loader of native code ([`crate::aot_loader`]): guests can be stopped without its thread manager,
//! and no module makes its loader fail.
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

/// Fuzzing found: what is left of a constant expression that is refused is freed, but a constant of it has no tree to free.
const CONSTANT: &str = "            if (is_expr_binary_op(ctx->stack[j].expr->init_expr_type)) {";
const CHECKED_CONSTANT: &str =
    "            if (ctx->stack[j].expr && is_expr_binary_op(ctx->stack[j].expr->init_expr_type)) {";

/// A module lies where a client's JSON has it. Some processors fault at a number that is not aligned, if the compiler takes it
/// for one that is (Armv7-M: LDM, LDRD).
const READ: &str = "    (p += sizeof(Type), *(Type *)(p - sizeof(Type)))";
const READ_ANYWHERE: &str = "    (p += sizeof(Type),               \\\n     \
     ((struct __attribute__((packed)) { \\\n         Type value;                    \\\n     \
     } *)(p - sizeof(Type)))->value)";

/// Most numbers of a module are one byte, and there are tens of thousands in 40 KB. What is signed and of another size than these
/// two, upstream takes as it is.
const LEB128: [(&str, &str); 1] = [(
    "    uint64 byte;\n\n    while (true) {",
    "    uint64 byte;\n\n    if (maxbits > 7 && buf < buf_end && *buf < 0x80) {\n        byte = *buf;\n        \
     if (sign && (maxbits == 32 || maxbits == 64) && (byte & 0x40))\n            byte |= ~(uint64)0x7f;\n        \
     *p_offset = 1;\n        *p_result = byte;\n        return BH_LEB_READ_SUCCESS;\n    }\n    while (true) {",
)];

/// How the module loader reads numbers: first as if they were one byte.
pub fn numbers(core: &Path, out: &Path) -> PathBuf {
    changed(core, files::NUMBERS, out, &LEB128)
}

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
pub fn changed(core: &Path, file: &str, out: &Path, changes: &[(&str, &str)]) -> PathBuf {
    let path = crate::existing(core, file);
    let mut source = fs::read_to_string(&path).expect("WAMR's sources are text");
    for (theirs, ours) in changes {
        assert_eq!(
            source.matches(theirs).count(),
            1,
            "{file} has changed: see whether it still needs what this build script does to it, and mend that"
        );
        source = source.replace(theirs, ours);
    }
    let copy = out.join(path.file_name().expect("it is a file"));
    fs::write(&copy, source).expect("OUT_DIR can be written");
    copy
}
