#include "border.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>


/* The one structure that Rust lays out itself. */
_Static_assert(sizeof(NativeSymbol) == 4 * sizeof(void *), "NativeSymbol: four pointers");
_Static_assert(offsetof(NativeSymbol, symbol) == 0, "NativeSymbol: symbol first");
_Static_assert(offsetof(NativeSymbol, func_ptr) == sizeof(void *), "NativeSymbol: func_ptr second");
_Static_assert(offsetof(NativeSymbol, signature) == 2 * sizeof(void *), "NativeSymbol: signature third");
_Static_assert(offsetof(NativeSymbol, attachment) == 3 * sizeof(void *), "NativeSymbol: attachment last");

/* `memory_bytes`: the most that WAMR may take of the machine's memory. */
bool
wamr_sys_init(size_t memory_bytes)
{
    RuntimeInitArgs args;

    memset(&args, 0, sizeof(args));
    args.mem_alloc_type = Alloc_With_Allocator;
    args.mem_alloc_option.allocator.malloc_func = wamr_sys_malloc;
    args.mem_alloc_option.allocator.realloc_func = wamr_sys_realloc;
    args.mem_alloc_option.allocator.free_func = wamr_sys_free;
    wamr_sys_memory_bound(memory_bytes);
    args.running_mode = Mode_Interp;
    if (!wasm_runtime_full_init(&args))
        return false;
    /* WAMR's log goes to stdout, which belongs to the guests. What matters comes back as an error text. */
    wasm_runtime_set_log_level(WASM_LOG_LEVEL_FATAL);
    return true;
}

uint32_t
wamr_sys_aot_format_version(void)
{
    return AOT_CURRENT_VERSION;
}

/* Finds this thread's stack, once, so that the first call of a guest does not have to. */
void
wamr_sys_thread_prepare(void)
{
    (void)os_thread_get_stack_boundary();
}

/* Whether what is loaded from these bytes points into them for as long as it is loaded: the classic interpreter runs a
 * module where it lies, and so is native code run that is in flash and made for that (XIP). All else is copied. */
bool
wamr_sys_keeps_bytes(const uint8_t *bytes, uint32_t size)
{
    /* aot_loader.c: magic number, version, a section's type and size, two numbers of 16 bits, then the file's type. */
    const uint32_t file_type = 20, xip = 4;

    if (get_package_type(bytes, size) == Wasm_Module_AoT)
        return size >= file_type + 2 && (bytes[file_type] | bytes[file_type + 1] << 8) == xip
               && wamr_sys_runs_in_place(bytes, size);
    return WASM_ENABLE_FAST_INTERP == 0;
}

wasm_module_t
wamr_sys_load(uint8_t *bytes, uint32_t size, char *error, uint32_t error_size)
{
    LoadArgs args;

    memset(&args, 0, sizeof(args));
    args.name = "";
    args.wasm_binary_freeable = !wamr_sys_keeps_bytes(bytes, size);
    return wasm_runtime_load_ex(bytes, size, &args, error, error_size);
}

/* `env` serves what the module has run at its instantiation, and nothing else is running on it. */
wasm_module_inst_t
wamr_sys_instantiate(wasm_module_t module, wasm_exec_env_t env, uint32_t stack_bytes, uint32_t max_memory_pages,
                     char *error, uint32_t error_size)
{
    struct InstantiationArgs2 args;
    wasm_module_inst_t instance;

    wasm_runtime_instantiation_args_set_defaults(&args);
    args.v1.default_stack_size = stack_bytes;
    args.v1.max_memory_pages = max_memory_pages;
    args.custom_data = env;
    instance = wasm_runtime_instantiate_ex2(module, &args, error, error_size);
    if (instance)
        wasm_runtime_set_custom_data(instance, NULL);
    return instance;
}

static char
value_letter(wasm_valkind_t kind)
{
    switch (kind) {
        case WASM_I32:
            return 'i';
        case WASM_I64:
            return 'I';
        case WASM_F32:
            return 'f';
        case WASM_F64:
            return 'F';
        default:
            return '?';
    }
}

/* Writes a function's type as "(params)results", cut off at `size`. */
static void
describe(wasm_func_type_t type, char *text, uint32_t size)
{
    uint32_t params = wasm_func_type_get_param_count(type);
    uint32_t results = wasm_func_type_get_result_count(type);
    uint32_t length = 0, i;

#define PUT(letter)                \
    do {                           \
        if (length + 1 < size)     \
            text[length++] = (letter); \
    } while (0)
    PUT('(');
    for (i = 0; i < params; i++)
        PUT(value_letter(wasm_func_type_get_param_valkind(type, i)));
    PUT(')');
    for (i = 0; i < results; i++)
        PUT(value_letter(wasm_func_type_get_result_valkind(type, i)));
#undef PUT
    text[length] = '\0';
}

/* One export: its name, and a function's type in `text` ("" for anything but a function). */
const char *
wamr_sys_export(wasm_module_t module, int32_t index, int32_t *kind, char *text, uint32_t size)
{
    wasm_export_t item;

    memset(&item, 0, sizeof(item));
    wasm_runtime_get_export_type(module, index, &item);
    *kind = (int32_t)item.kind;
    text[0] = '\0';
    if (item.name && item.kind == WASM_IMPORT_EXPORT_KIND_FUNC)
        describe(item.u.func_type, text, size);
    return item.name;
}

/* How many elements the tables of one instance may have at most, in all: it has room for them from its start. */
uint64_t
wamr_sys_table_elements(wasm_module_t module)
{
    uint64_t sum = 0;
    uint32_t i;

#define ADD(type) (sum += (type).max_size > (type).init_size ? (type).max_size : (type).init_size)
    if (((WASMModuleCommon *)module)->module_type == Wasm_Module_AoT) {
        AOTModule *aot = (AOTModule *)module;

        for (i = 0; i < aot->import_table_count; i++)
            ADD(aot->import_tables[i].table_type);
        for (i = 0; i < aot->table_count; i++)
            ADD(aot->tables[i].table_type);
    }
    else {
        WASMModule *wasm = (WASMModule *)module;

        for (i = 0; i < wasm->import_table_count; i++)
            ADD(wasm->import_tables[i].u.table.table_type);
        for (i = 0; i < wasm->table_count; i++)
            ADD(wasm->tables[i].table_type);
    }
#undef ADD
    return sum;
}

/* One import: its name, its module's, and whether something stands behind it. */
const char *
wamr_sys_import(wasm_module_t module, int32_t index, const char **module_name, int32_t *kind, bool *linked)
{
    wasm_import_t item;

    memset(&item, 0, sizeof(item));
    wasm_runtime_get_import_type(module, index, &item);
    *module_name = item.module_name;
    *kind = (int32_t)item.kind;
    *linked = item.linked;
    return item.name;
}

/* An execution environment is a stack and a few registers. One serves any instance of its kind, one after the other:
 * this does for `instance` what wasm_exec_env_create does. */
void
wamr_sys_exec_env_bind(wasm_exec_env_t env, wasm_module_inst_t instance, void *user_data)
{
    WASMModuleInstanceCommon *common = (WASMModuleInstanceCommon *)instance;

    env->module_inst = common;
    env->cur_frame = NULL;
    env->wasm_stack.top = env->wasm_stack.bottom;
    env->user_data = user_data;
    env->attachment = NULL;
    wamr_sys_bulk_begin(wamr_sys_exec_env_stop_flag(env));
    if (common->module_type == Wasm_Module_AoT) {
        AOTModule *module = (AOTModule *)((AOTModuleInstance *)instance)->module;

        env->native_symbol = module->native_symbol_list;
        env->aux_stack_bottom = (uintptr_t)module->aux_stack_bottom;
        env->aux_stack_boundary = (uintptr_t)module->aux_stack_bottom - module->aux_stack_size;
    }
    else {
        WASMModule *module = ((WASMModuleInstance *)instance)->module;

        env->native_symbol = NULL;
        env->aux_stack_bottom = (uintptr_t)module->aux_stack_bottom;
        env->aux_stack_boundary = (uintptr_t)module->aux_stack_bottom - module->aux_stack_size;
    }
}
