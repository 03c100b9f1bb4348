/* Memory mapping without a memory management unit: pages of two fixed regions, one for data and one for code.
 *
 * The code region is either writable or executable as a whole (W^X): writable while WAMR loads a module into it, which it ends
 * with an os_mprotect that takes the right to write away (c/memory_map.c tells the same of Linux). Nothing of a guest runs
 * meanwhile: there is one thread.
 *
 * First fit: there are as many mappings as instances and modules, and a few thousand pages. */
#include "machine.h"

#include "platform_api_vmcore.h"

#include <string.h>

enum {
    PAGE_BYTES = 4096,
    /* 32 MiB in each region, 256 MiB with addresses of 64 bits: a byte of static memory for each page. */
    PAGES_MAX = sizeof(void *) == 8 ? 65536 : 8192,
};

typedef enum { FREE, TAKEN, TAKEN_WRITABLE } Page;

static uint8_t data_pages[PAGES_MAX];
static uint8_t code_pages[PAGES_MAX];

/* Pages of code that may still be written. */
static size_t writable_code_pages;

struct area {
    struct wamr_sys_region region;
    uint8_t *pages;
    size_t count;
};

static struct area
area_of(bool is_code)
{
    struct wamr_sys_region region = is_code ? wamr_sys_machine.code : wamr_sys_machine.pages;
    size_t count = region.bytes / PAGE_BYTES;

    return (struct area){ region, is_code ? code_pages : data_pages, count < PAGES_MAX ? count : PAGES_MAX };
}

static size_t
pages_for(size_t bytes)
{
    return bytes / PAGE_BYTES + (bytes % PAGE_BYTES != 0);
}

static bool
is_code(const void *address)
{
    return (uintptr_t)address - (uintptr_t)wamr_sys_machine.code.start < wamr_sys_machine.code.bytes;
}

void
wamr_sys_pages_reset(void)
{
    memset(data_pages, FREE, sizeof(data_pages));
    memset(code_pages, FREE, sizeof(code_pages));
    writable_code_pages = 0;
}

/* Note what pages are; of code, tell the board when the first becomes writable, and when the last one no longer is. */
static void
mark(struct area *area, size_t first, size_t count, Page page)
{
    size_t before = writable_code_pages, i;

    for (i = first; i < first + count; i++) {
        writable_code_pages -= area->pages[i] == TAKEN_WRITABLE;
        writable_code_pages += page == TAKEN_WRITABLE;
        area->pages[i] = (uint8_t)page;
    }
    if ((before == 0) != (writable_code_pages == 0))
        wamr_sys_machine.code_is_writable(writable_code_pages != 0);
}

/* The first of so many free pages in a row; `area->count` if there are not as many. */
static size_t
find(const struct area *area, size_t count)
{
    size_t first = 0, i;

    for (i = 0; i < area->count; i++) {
        if (area->pages[i] != FREE)
            first = i + 1;
        else if (i + 1 - first == count)
            return first;
    }
    return area->count;
}

void *
os_mmap(void *hint, size_t size, int prot, int flags, os_file_handle file)
{
    struct area area = area_of(prot & MMAP_PROT_EXEC);
    size_t count = pages_for(size), first;
    uint8_t *start;

    (void)hint;
    (void)file;
    if (count == 0 || (flags & MMAP_MAP_FIXED))
        return NULL;
    first = find(&area, count);
    if (first == area.count)
        return NULL;
    mark(&area, first, count, prot & MMAP_PROT_EXEC ? TAKEN_WRITABLE : TAKEN);
    start = area.region.start + first * PAGE_BYTES;
    memset(start, 0, count * PAGE_BYTES);
    return start;
}

void
os_munmap(void *address, size_t size)
{
    struct area area = area_of(is_code(address));

    if (address)
        mark(&area, (size_t)((uint8_t *)address - area.region.start) / PAGE_BYTES, pages_for(size), FREE);
}

int
os_mprotect(void *address, size_t size, int prot)
{
    struct area area = area_of(is_code(address));
    Page page = prot & MMAP_PROT_WRITE && is_code(address) ? TAKEN_WRITABLE : TAKEN;

    /* Data never becomes code. aot_loader.c tries to lay a module's code beside its data; where it cannot, the code stays where
     * it was mapped. */
    if ((prot & MMAP_PROT_EXEC) && !is_code(address))
        return -1;
    mark(&area, (size_t)((uint8_t *)address - area.region.start) / PAGE_BYTES, pages_for(size), page);
    return 0;
}

size_t
wamr_sys_code_taken(void)
{
    struct area area = area_of(true);
    size_t count = 0, i;

    for (i = 0; i < area.count; i++)
        count += area.pages[i] != FREE;
    return count * PAGE_BYTES;
}

void *
wamr_sys_os_map_code(void *hint, size_t size, int prot, int flags, os_file_handle file)
{
    return os_mmap(hint, size, prot, flags, file);
}

void
wamr_sys_os_unmap_code(void *pages, size_t size)
{
    os_munmap(pages, size);
}

void *
wamr_sys_os_map_memory(void *hint, size_t size, int prot, int flags, os_file_handle file)
{
    return os_mmap(hint, size, prot, flags, file);
}

void
wamr_sys_os_unmap_memory(void *pages, size_t size)
{
    os_munmap(pages, size);
}

bool
wamr_sys_runs_in_place(const void *code, size_t size)
{
    size_t offset = (size_t)((uintptr_t)code - (uintptr_t)wamr_sys_machine.flash.start);

    return offset < wamr_sys_machine.flash.bytes && size <= wamr_sys_machine.flash.bytes - offset;
}

/* Of data only. Shrinks and grows where it lies, if the pages behind it are free; else it moves. What is new is zero. */
void *
os_mremap(void *address, size_t old_size, size_t new_size)
{
    struct area area = area_of(false);
    size_t old_count = pages_for(old_size), new_count = pages_for(new_size);
    size_t first = (size_t)((uint8_t *)address - area.region.start) / PAGE_BYTES, i;

    if (new_count <= old_count) {
        mark(&area, first + new_count, old_count - new_count, FREE);
        return address;
    }
    for (i = first + old_count; i < first + new_count; i++) {
        if (i >= area.count || area.pages[i] != FREE)
            return os_mremap_slow(address, old_size, new_size);
    }
    mark(&area, first + old_count, new_count - old_count, TAKEN);
    memset(area.region.start + (first + old_count) * PAGE_BYTES, 0, (new_count - old_count) * PAGE_BYTES);
    return address;
}

/* Means a whole cache, which loading code never needs: os_icache_flush knows what was written. */
void
os_dcache_flush(void)
{}

#if defined(__aarch64__)
/* Armv8-A, B2.4.4: what was written to these addresses is what is run there. */
void
os_icache_flush(void *start, size_t len)
{
    uintptr_t end = (uintptr_t)start + len, line;
    uint64_t types;
    size_t data_line, code_line;

    __asm__ volatile("mrs %0, ctr_el0" : "=r"(types));
    data_line = (size_t)4 << ((types >> 16) & 15);
    code_line = (size_t)4 << (types & 15);
    for (line = (uintptr_t)start & ~(data_line - 1); line < end; line += data_line)
        __asm__ volatile("dc cvau, %0" : : "r"(line) : "memory");
    __asm__ volatile("dsb ish" : : : "memory");
    for (line = (uintptr_t)start & ~(code_line - 1); line < end; line += code_line)
        __asm__ volatile("ic ivau, %0" : : "r"(line) : "memory");
    __asm__ volatile("dsb ish\n\tisb" : : : "memory");
}
#else
/* Code is written before the board makes it executable: see wamr_sys_machine.code_is_writable. */
void
os_icache_flush(void *start, size_t len)
{
    (void)start;
    (void)len;
}
#endif
