/* What the executor needs of WAMR, in scalars and pointers only: no layout of WAMR's is known to Rust but one that
 * border.c asserts. Sources: wasm_export.h; where it offers no way, the headers of WAMR's own modules. */
#ifndef WAMR_SYS_BORDER_H
#define WAMR_SYS_BORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "wasm_exec_env.h"
#include "wasm_export.h"
#include "wasm_memory.h"
#include "wasm_runtime.h"
#include "wasm_runtime_common.h"

#include "aot_runtime.h"

void
wamr_sys_exec_env_bind(wasm_exec_env_t env, wasm_module_inst_t instance, void *user_data);

/* stop.c */
uint32_t *
wamr_sys_exec_env_stop_flag(wasm_exec_env_t env);

/* bulk.c */
void
wamr_sys_bulk_begin(const uint32_t *stop);

/* memory.c */
void
wamr_sys_memory_bound(size_t bytes);
void *
wamr_sys_malloc(unsigned int bytes);
void *
wamr_sys_realloc(void *block, unsigned int bytes);
void
wamr_sys_free(void *block);
void *
wamr_sys_mremap(void *pages, size_t old_size, size_t new_size);


/* The platform's: pages for native code and its constants, zero; what becomes of them; and whether code may run where the
 * loader has found it. */
void *
wamr_sys_os_map_code(void *hint, size_t size, int prot, int flags, os_file_handle file);
void
wamr_sys_os_unmap_code(void *pages, size_t size);
bool
wamr_sys_runs_in_place(const void *code, size_t size);

#endif
