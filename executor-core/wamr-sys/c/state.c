/* What a guest can change in its instance, and how it is put back. WAMR has no reset call; these are the parts of
 * WASMModuleInstance (wasm_runtime.h, which an AOT instance shares) that instructions write:
 *
 *   memory.*, stores       the linear memory's bytes, and its size
 *   global.set             global_data
 *   table.*                each table's elements, and its size
 *   data.drop, elem.drop   the two bitmaps of dropped segments
 *
 * Everything else is written by the loader and by instantiation only. */
#include "border.h"

#include <string.h>

#include "bh_bitmap.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

static WASMModuleInstanceExtraCommon *
extra(WASMModuleInstance *instance)
{
    if (instance->module_type == Wasm_Module_AoT)
        return &((AOTModuleInstanceExtra *)instance->e)->common;
    return &instance->e->common;
}

static size_t
bitmap_bytes(const bh_bitmap *bitmap)
{
    return bitmap ? (bitmap->end_index - bitmap->begin_index + 7) / 8 : 0;
}

static WASMMemoryInstance *
memory_of(wasm_module_inst_t instance)
{
    WASMModuleInstance *inst = (WASMModuleInstance *)instance;

    return inst->memory_count ? inst->memories[0] : NULL;
}

/* ---- all but the linear memory ---- */

typedef enum { MEASURE, SAVE, RESTORE } Way;

static uint8_t *
move(Way way, void *part, uint8_t *at, size_t bytes)
{
    if (way == SAVE)
        memcpy(at, part, bytes);
    else if (way == RESTORE)
        memcpy(part, at, bytes);
    return at + bytes;
}

/* One walk for all three ways, so that what is saved is what is put back. */
static size_t
walk(WASMModuleInstance *instance, Way way, uint8_t *buffer)
{
    WASMModuleInstanceExtraCommon *common = extra(instance);
    uint8_t *at = buffer;
    uint32_t i;

    at = move(way, instance->global_data, at, instance->global_data_size);
    if (common->data_dropped)
        at = move(way, common->data_dropped->map, at, bitmap_bytes(common->data_dropped));
    if (common->elem_dropped)
        at = move(way, common->elem_dropped->map, at, bitmap_bytes(common->elem_dropped));
    for (i = 0; i < instance->table_count; i++) {
        WASMTableInstance *table = instance->tables[i];

        /* The size first: it says how many elements follow. What lies beyond is written by table.grow before a guest
         * can read it. */
        at = move(way, &table->cur_size, at, sizeof(table->cur_size));
        at = move(way, table->elems, at, (size_t)table->cur_size * sizeof(table_elem_type_t));
    }
    return (size_t)(at - buffer);
}

size_t
wamr_sys_state_bytes(wasm_module_inst_t instance)
{
    /* `move` only counts; a null buffer would make that arithmetic on a null pointer. */
    uint8_t origin;

    return walk((WASMModuleInstance *)instance, MEASURE, &origin);
}

void
wamr_sys_state_save(wasm_module_inst_t instance, uint8_t *buffer)
{
    (void)walk((WASMModuleInstance *)instance, SAVE, buffer);
}

void
wamr_sys_state_restore(wasm_module_inst_t instance, const uint8_t *buffer)
{
    (void)walk((WASMModuleInstance *)instance, RESTORE, (uint8_t *)buffer);
}

/* ---- the linear memory ---- */

/* Where it is and how long, now: memory.grow may move it. */
uint8_t *
wamr_sys_memory(wasm_module_inst_t instance, size_t *bytes)
{
    WASMMemoryInstance *memory = memory_of(instance);

    *bytes = memory ? (size_t)memory->memory_data_size : 0;
    return memory ? memory->memory_data : NULL;
}

uint32_t
wamr_sys_memory_pages(wasm_module_inst_t instance)
{
    WASMMemoryInstance *memory = memory_of(instance);

    return memory ? memory->cur_page_count : 0;
}

/* Gives a grown memory its first size again. False: it cannot be done, throw the instance away. */
bool
wamr_sys_memory_shrink(wasm_module_inst_t instance, uint32_t pages, size_t bytes)
{
    WASMMemoryInstance *memory = memory_of(instance);
    uint8_t *data;

    if (!memory || bytes == 0 || memory->heap_data != memory->heap_data_end)
        return false;
    data = wamr_sys_mremap(memory->memory_data, memory->memory_data_size, bytes);
    if (!data)
        return false;
    memory->memory_data = data;
    memory->memory_data_end = data + bytes;
    memory->heap_data = memory->heap_data_end = memory->memory_data_end;
    memory->cur_page_count = pages;
    SET_LINEAR_MEMORY_SIZE(memory, bytes);
    wasm_runtime_set_mem_bound_check_bytes(memory, bytes);
    return true;
}

/* Makes `bytes` from `start` (both whole pages of the machine) zero, and gives the pages behind them back. */
bool
wamr_sys_memory_discard(uint8_t *start, size_t bytes)
{
#if defined(__linux__)
    return madvise(start, bytes, MADV_DONTNEED) == 0;
#else
    memset(start, 0, bytes);
    return true;
#endif
}
