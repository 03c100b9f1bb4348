/* Pages for native code on Linux. A module fills its pages at once, so they are made together, which costs a fraction of what
 * it costs to make each when it is touched; and pages of modules that are unloaded are kept for the next ones: a node whose
 * actions come and go maps and unmaps nothing on the way of a request.
 *
 * Pages that wait can be written and not run (W^X), and hold nothing of what was there. They are not counted as taken: they are
 * no more than SPARES_MAX times SPARE_BYTES_MAX. */
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
    /* The code of an action of 100 KiB or so. A larger one takes longer to copy than to map. */
    SPARE_BYTES_MAX = 256 * 1024,
};

/* While pages wait, their first words say how many bytes there are. Whoever takes them out of a place owns them. */
static _Atomic(size_t *) spares[SPARES_MAX];

static size_t
whole_pages(size_t size)
{
    size_t page = (size_t)os_getpagesize();

    return (size + page - 1) & ~(page - 1);
}

/* Keep pages. False: there is no place for them. */
static bool
keep(size_t *pages)
{
    for (int i = 0; i < SPARES_MAX; i++) {
        size_t *none = NULL;

        if (atomic_compare_exchange_strong_explicit(&spares[i], &none, pages, memory_order_release,
                                                    memory_order_relaxed))
            return true;
    }
    return false;
}

/* Pages for `size` bytes, of which the first are not zero; NULL if none wait that are enough, and not twice as many. */
static size_t *
take_spare(size_t size)
{
    for (int i = 0; i < SPARES_MAX; i++) {
        size_t *pages = atomic_exchange_explicit(&spares[i], NULL, memory_order_acquire);

        if (!pages)
            continue;
        if (*pages >= size && *pages / 2 <= size)
            return pages;
        if (!keep(pages))
            os_munmap(pages, *pages);
    }
    return NULL;
}

void *
wamr_sys_os_map_code(void *hint, size_t size, int prot, int flags, os_file_handle file)
{
    size_t *pages;
    size_t bytes = whole_pages(size);

    if (bytes >= size && (pages = take_spare(bytes))) {
        if (*pages > bytes)
            os_munmap((char *)pages + bytes, *pages - bytes);
        *pages = 0;
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

    if (pages && bytes <= SPARE_BYTES_MAX && os_mprotect(pages, bytes, MMAP_PROT_READ | MMAP_PROT_WRITE) == 0) {
        memset(pages, 0, bytes);
        *(size_t *)pages = bytes;
        if (keep(pages))
            return;
    }
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
