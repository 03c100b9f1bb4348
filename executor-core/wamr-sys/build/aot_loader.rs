//! The changes to WAMR's loader of native code: it takes code that can be stopped, and does less for each module.

use std::path::{Path, PathBuf};

use crate::files;
use crate::patch::changed;

/// The loader's refusal of code that polls.
pub const REFUSAL: &str = "#if WASM_ENABLE_THREAD_MGR == 0\n    if (feature_flags & WASM_FEATURE_MULTI_THREAD) {";
pub const NO_REFUSAL: &str = "#if 0\n    if (feature_flags & WASM_FEATURE_MULTI_THREAD) {";

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

/// Where the file may be freed, its texts are kept in a table of 32 lists. But the names of symbols, of which each function has
/// one, are of no use when the code is relocated: they stay in the file.
const NAMES: &str = "    char **symbols = NULL;\n\n    read_uint32(buf, buf_end, symbol_count);\n";
const NAMES_STAY: &str = "    char **symbols = NULL;\n\n    is_load_from_file_buf = true;\n    \
     read_uint32(buf, buf_end, symbol_count);\n";

/// Relocations of type GOTPCREL are looked for before all others, for which upstream copies the name of each into a buffer that it
/// has cleared.
const SEEN_FIRST: &str = "            /* relocation offset and addend */\n            buf += sizeof(void *) * 2;\n\n\
     \x20           read_uint32(buf, buf_end, relocation.relocation_type);\n            read_uint32(buf, buf_end, symbol_index);\n";
const PASSED_OVER: &str = "            /* relocation offset and addend */\n            buf += sizeof(void *) * 2;\n\n\
     \x20           read_uint32(buf, buf_end, relocation.relocation_type);\n            read_uint32(buf, buf_end, symbol_index);\n\
     \x20           if (relocation.relocation_type != R_X86_64_GOTPCREL\n\
     \x20               && relocation.relocation_type != R_X86_64_GOTPCRELX\n\
     \x20               && relocation.relocation_type != R_X86_64_REX_GOTPCRELX)\n                continue;\n";

/// Most relocations of a module are of a few symbols, such as the function that raises a trap. Upstream copies the name of each,
/// and compares it with all that it knows, one after the other. Here a name stays where it is, and what was found is found again
/// by that place; but for functions of the module, whose numbers are in their names.
const LOOKED_UP: &[(&str, &str)] = &[
    (
        "    char symbol_buf[128] = { 0 }, *symbol, *p;\n    void *symbol_addr;\n",
        "    char *symbol, *p;\n    void *symbol_addr;\n    struct known {\n        const char *name;\n        \
         void *address;\n        int32 index;\n    } known[32] = { 0 }, *place;\n",
    ),
    (
        "        symbol_len = (uint32)strlen(relocation->symbol_name);\n        \
         if (symbol_len + 1 <= sizeof(symbol_buf))\n            symbol = symbol_buf;\n        else {\n            \
         if (!(symbol = loader_malloc(symbol_len + 1, error_buf,\n                                         \
         error_buf_size))) {\n                return false;\n            }\n        }\n        \
         bh_memcpy_s(symbol, symbol_len, relocation->symbol_name, symbol_len);\n        symbol[symbol_len] = '\\0';\n",
        "        symbol = relocation->symbol_name;\n        \
         place = &known[(uintptr_t)symbol / 2 % (sizeof(known) / sizeof(*known))];\n",
    ),
    (
        "        if (!strncmp(symbol, AOT_FUNC_PREFIX, strlen(AOT_FUNC_PREFIX))) {\n            p = symbol",
        "        if (place->name == symbol) {\n            symbol_addr = place->address;\n            \
         symbol_index = place->index;\n        }\n        \
         else if (!strncmp(symbol, AOT_FUNC_PREFIX, strlen(AOT_FUNC_PREFIX))) {\n            place = NULL;\n            \
         p = symbol",
    ),
    (
        "        if (symbol != symbol_buf)\n            wasm_runtime_free(symbol);\n\n        if (!apply_relocation(\n",
        "        if (place)\n            *place = (struct known){ symbol, symbol_addr, symbol_index };\n\n        \
         if (!apply_relocation(\n",
    ),
    (
        "check_symbol_fail:\n    if (symbol != symbol_buf)\n        wasm_runtime_free(symbol);\n",
        "check_symbol_fail:\n",
    ),
];

/// The loader with all of these.
pub fn changed_loader(core: &Path, target: &files::Target, out: &Path) -> PathBuf {
    let mut changes = vec![
        (REFUSAL, NO_REFUSAL),
        (FREEABLE, FREEABLE_FROM_THE_START),
        (IN_PLACE, IN_PLACE_IF_IT_CAN),
        (NAMES, NAMES_STAY),
        (SEEN_FIRST, PASSED_OVER),
    ];
    changes.extend_from_slice(LOOKED_UP);
    // Without memory management, code has a place of its own.
    if !target.is_bare() {
        changes.extend_from_slice(COPIED_ONCE);
    }
    changed(core, files::AOT_LOADER, out, &changes)
}
