/* Pages for guests on Linux: of native code, and of linear memories. Those of a module or an instance that has gone are kept for
 * the next one: a node whose actions come and go maps and unmaps nothing on the way of a request, and meets no page fault.
 *
 * Pages that wait can be written and not run (W^X), and hold nothing of what was there: they are zero, as new ones are. They are
 * not counted as taken: of each kind they are no more than SPARES_MAX times SPARE_BYTES_MAX. */
#include "border.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

/* Linux 5.14. An older kernel says EINVAL, and makes pages when they are touched. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum {
    SPARES_MAX = 4,
    /* The code of an action of 100 KiB or so, or four pages of WebAssembly. What is larger takes longer to copy, or to clear, than
     * to map. */
    SPARE_BYTES_MAX = 256 * 1024,
};

/* While pages wait, their first words say how many bytes there are. Whoever takes them out of a place owns them. */
typedef _Atomic(size_t *) spares[SPARES_MAX];

static spares of_code, of_memory;

static size_t
whole_pages(size_t size)
{
    size_t page = (size_t)os_getpagesize();

    return (size + page - 1) & ~(page - 1);
}

/* Keep pages. False: there is no place for them. */
static bool
keep(spares places, size_t *pages)
{
    for (int i = 0; i < SPARES_MAX; i++) {
        size_t *none = NULL;

        if (atomic_compare_exchange_strong_explicit(&places[i], &none, pages, memory_order_release,
                                                    memory_order_relaxed))
            return true;
    }
    return false;
}

/* Pages of at least `size` bytes and at most `most`, all zero, and how many bytes they are; NULL if there are none. */
static void *
take(spares places, size_t size, size_t most, size_t *bytes)
{
    for (int i = 0; i < SPARES_MAX; i++) {
        size_t *pages = atomic_exchange_explicit(&places[i], NULL, memory_order_acquire);

        if (!pages)
            continue;
        if (*pages >= size && *pages <= most) {
            *bytes = *pages;
            *pages = 0;
            return pages;
        }
        if (!keep(places, pages))
            os_munmap(pages, *pages);
    }
    return NULL;
}

/* Clear pages that can be written, and keep them or give them back. */
static void
put(spares places, size_t *pages, size_t bytes)
{
    memset(pages, 0, bytes);
    *pages = bytes;
    if (!keep(places, pages))
        os_munmap(pages, bytes);
}

/* A module fills its pages at once, so new ones are made together, which costs a fraction of what it costs to make each when it
 * is touched. */
void *
wamr_sys_os_map_code(void *hint, size_t size, int prot, int flags, os_file_handle file)
{
    size_t bytes = whole_pages(size), waiting;
    void *pages = NULL;

    if (bytes >= size)
        pages = take(of_code, bytes, 2 * bytes, &waiting);
    if (pages) {
        if (waiting > bytes)
            os_munmap((char *)pages + bytes, waiting - bytes);
        return pages;
    }
    pages = os_mmap(hint, size, prot, flags, file);
    if (pages)
        (void)madvise(pages, size, MADV_POPULATE_WRITE);
    return pages;
}

void
wamr_sys_os_unmap_code(void *pages, size_t size)
{
    size_t bytes = whole_pages(size);

    if (pages && bytes <= SPARE_BYTES_MAX && os_mprotect(pages, bytes, MMAP_PROT_READ | MMAP_PROT_WRITE) == 0)
        put(of_code, pages, bytes);
    else
        os_munmap(pages, size);
}

/* Memories grow and shrink, so only pages that are just as many will do. */
void *
wamr_sys_os_map_memory(void *hint, size_t size, int prot, int flags, os_file_handle file)
{
    size_t bytes = whole_pages(size), waiting;
    void *pages = NULL;

    if (bytes >= size)
        pages = take(of_memory, bytes, bytes, &waiting);
    return pages ? pages : os_mmap(hint, size, prot, flags, file);
}

void
wamr_sys_os_unmap_memory(void *pages, size_t size)
{
    size_t bytes = whole_pages(size);

    if (pages && bytes <= SPARE_BYTES_MAX)
        put(of_memory, pages, bytes);
    else
        os_munmap(pages, size);
}

/* Whether code may run where it was found. A body is neither kept nor executable. */
bool
wamr_sys_runs_in_place(const void *code, size_t size)
{
    (void)code;
    (void)size;
    return false;
}
