#include "border.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <llvm-c/ErrorHandling.h>

#include "aot_export.h"
#include "bh_platform.h"
#include "wasm_export.h"

static bool verbose;

/* The file that LLVM writes beside the code. Rust removes it; if LLVM gives up, there is no way back to Rust. */
static const char *stack_usage;

static void
give_up(const char *reason)
{
    fprintf(stderr, "wamrc: LLVM cannot compile this module: %s; try a lower --opt-level\n", reason);
    if (stack_usage)
        (void)remove(stack_usage);
    /* No destructors: LLVM is in the middle of something. */
    _exit(1);
}

bool
wamrc_init(bool is_verbose)
{
    RuntimeInitArgs args;

    verbose = is_verbose;
    LLVMInstallFatalErrorHandler(give_up);
    memset(&args, 0, sizeof(args));
    args.mem_alloc_type = Alloc_With_Allocator;
    args.mem_alloc_option.allocator.malloc_func = (void *)malloc;
    args.mem_alloc_option.allocator.realloc_func = (void *)realloc;
    args.mem_alloc_option.allocator.free_func = (void *)free;
    if (!wasm_runtime_full_init(&args))
        return false;
    wasm_runtime_set_log_level(is_verbose ? WASM_LOG_LEVEL_VERBOSE : WASM_LOG_LEVEL_ERROR);
    return true;
}

/* All that WAMR prints. Its standard output is ours. */
int
wamrc_vprintf(const char *format, va_list arguments)
{
    return verbose ? vfprintf(stderr, format, arguments) : 0;
}

uint32_t
wamrc_aot_format_version(void)
{
    return AOT_CURRENT_VERSION;
}

/* The strings must outlive the context. NULL: the error is in aot_get_last_error. */
void *
wamrc_create_context(void *comp_data, const char *target, const char *abi, const char *cpu, const char *features,
                     const char *intrinsics, const char *stack_usage_file, uint32_t opt_level, uint32_t size_level,
                     bool is_interruptible, bool is_xip)
{
    AOTCompOption option;

    memset(&option, 0, sizeof(option));
    option.target_arch = (char *)target;
    option.target_abi = (char *)abi;
    option.target_cpu = (char *)cpu;
    option.cpu_features = (char *)features;
    option.opt_level = opt_level;
    option.size_level = size_level;
    option.output_format = AOT_FORMAT_FILE;

    /* Software bounds: WAMR's default on 64-bit targets is none at all. */
    option.bounds_checks = 1;
    option.stack_bounds_checks = 1;
    option.stack_usage_file = stack_usage = stack_usage_file;
    option.enable_aux_stack_check = true;

    /* The features of the runtime. What is not named is off. */
    option.enable_bulk_memory = true;
    option.enable_bulk_memory_opt = true;
    option.enable_ref_types = true;
    option.enable_call_indirect_overlong = true;
    option.enable_extended_const = true;
    option.aux_stack_frame_type = AOT_STACK_FRAME_OFF;
    aot_call_stack_features_init_default(&option.call_stack_features);

    /* The poll is the thread manager's. */
    option.enable_thread_mgr = is_interruptible;

    if (is_xip) {
        option.is_indirect_mode = true;
        option.disable_llvm_intrinsics = true;
        option.builtin_intrinsics = intrinsics;
    }
    return aot_create_comp_context((aot_comp_data_t)comp_data, &option);
}
