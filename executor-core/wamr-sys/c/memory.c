/* What WAMR takes of the machine's memory, counted and bounded: its heap (what it makes of a module, instances, tables), linear
 * memories as they grow, and the pages of native code.
 *
 * WAMR gets its heap from the functions below; the two files that map pages are compiled so that they call ours. Beyond the
 * bound a call fails as it does on a machine without memory: loading and instantiation with an error, memory.grow with -1.
 *
 * Counted is what was asked of the mapping calls, and what the allocator says that a block takes. */
#include "border.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>

static atomic_size_t taken;
/* Set before WAMR starts, and not again. */
static size_t most = SIZE_MAX;

static bool
take(size_t bytes)
{
    size_t now = atomic_load_explicit(&taken, memory_order_relaxed);

    /* Nothing else is published by this number: relaxed is enough. */
    do {
        if (bytes > most || now > most - bytes)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&taken, &now, now + bytes, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

static void
give_back(size_t bytes)
{
    (void)atomic_fetch_sub_explicit(&taken, bytes, memory_order_relaxed);
}

void
wamr_sys_memory_bound(size_t bytes)
{
    most = bytes;
}

size_t
wamr_sys_memory_taken(void)
{
    return atomic_load_explicit(&taken, memory_order_relaxed);
}

/* ---- the heap ---- */

void *
wamr_sys_malloc(unsigned int bytes)
{
    void *block;

    if (!take(bytes))
        return NULL;
    block = malloc(bytes);
    if (!block) {
        give_back(bytes);
        return NULL;
    }
    /* A few bytes more than were asked for: what there is, even if that is a little over the bound. */
    (void)atomic_fetch_add_explicit(&taken, malloc_usable_size(block) - bytes, memory_order_relaxed);
    return block;
}

void *
wamr_sys_realloc(void *block, unsigned int bytes)
{
    size_t before = block ? malloc_usable_size(block) : 0;
    size_t more = bytes > before ? bytes - before : 0;
    void *moved;

    if (more && !take(more))
        return NULL;
    moved = realloc(block, bytes);
    if (!moved) {
        give_back(more);
        return NULL;
    }
    give_back(before + more);
    (void)atomic_fetch_add_explicit(&taken, malloc_usable_size(moved), memory_order_relaxed);
    return moved;
}

void
wamr_sys_free(void *block)
{
    if (block)
        give_back(malloc_usable_size(block));
    free(block);
}

/* ---- pages ---- */

typedef void *(*map)(void *hint, size_t size, int prot, int flags, os_file_handle file);
typedef void (*unmap)(void *pages, size_t size);

static void *
map_counted(map map, void *hint, size_t size, int prot, int flags, os_file_handle file)
{
    void *pages;

    if (!take(size))
        return NULL;
    pages = map(hint, size, prot, flags, file);
    if (!pages)
        give_back(size);
    return pages;
}

static void
unmap_counted(unmap unmap, void *pages, size_t size)
{
    if (pages)
        give_back(size);
    unmap(pages, size);
}

/* WAMR asks for pages without rights, and then for the right to read and write all of them. They have it from the start. */
void *
wamr_sys_map_memory(void *hint, size_t size, int prot, int flags, os_file_handle file)
{
    (void)prot;
    return map_counted(wamr_sys_os_map_memory, hint, size, MMAP_PROT_READ | MMAP_PROT_WRITE, flags, file);
}

int
wamr_sys_protect_memory(void *pages, size_t size, int prot)
{
    (void)pages;
    (void)size;
    return prot == (MMAP_PROT_READ | MMAP_PROT_WRITE) ? 0 : -1;
}

void
wamr_sys_unmap_memory(void *pages, size_t size)
{
    unmap_counted(wamr_sys_os_unmap_memory, pages, size);
}

void *
wamr_sys_map_code(void *hint, size_t size, int prot, int flags, os_file_handle file)
{
    return map_counted(wamr_sys_os_map_code, hint, size, prot, flags, file);
}

void
wamr_sys_unmap_code(void *pages, size_t size)
{
    unmap_counted(wamr_sys_os_unmap_code, pages, size);
}

void *
wamr_sys_mremap(void *pages, size_t old_size, size_t new_size)
{
    void *moved;

    if (new_size > old_size && !take(new_size - old_size))
        return NULL;
    moved = os_mremap(pages, old_size, new_size);
    if (!moved && new_size > old_size)
        give_back(new_size - old_size);
    else if (moved && new_size < old_size)
        give_back(old_size - new_size);
    return moved;
}
