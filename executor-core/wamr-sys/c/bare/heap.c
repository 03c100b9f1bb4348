/* The C library's allocator, for c/memory.c: WAMR's own (shared/mem-alloc/ems) over one fixed pool. */
#include "machine.h"

#include "border.h"
#include "ems/ems_gc_internal.h"
#include "mem_alloc.h"

#include <malloc.h>
#include <stdlib.h>

static mem_allocator_t pool;

/* Made at the first request, which is WAMR's start. */
static mem_allocator_t
the_pool(void)
{
    if (!pool)
        pool = mem_allocator_create(wamr_sys_machine.heap.start, (uint32_t)wamr_sys_machine.heap.bytes);
    return pool;
}

void *
malloc(size_t bytes)
{
    return bytes <= UINT32_MAX && the_pool() ? mem_allocator_malloc(pool, (uint32_t)bytes) : NULL;
}

void *
realloc(void *block, size_t bytes)
{
    return bytes <= UINT32_MAX && the_pool() ? mem_allocator_realloc(pool, block, (uint32_t)bytes) : NULL;
}

void
free(void *block)
{
    if (block)
        mem_allocator_free(pool, block);
}

/* Of a block that is in use: its size with the allocator's own head. */
size_t
malloc_usable_size(void *block)
{
    return hmu_get_size(obj_to_hmu(block));
}

/* WAMR asks for none by these names: it is given an allocator (border.c). */
void *
os_malloc(unsigned bytes)
{
    (void)bytes;
    return NULL;
}

void *
os_realloc(void *block, unsigned bytes)
{
    (void)block;
    (void)bytes;
    return NULL;
}

void
os_free(void *block)
{
    (void)block;
}
