/* Memory that is written or run, never both: WAMR's own memory mapping, and what asks for both gets W^X.
 *
 * aot_loader.c maps a module's code readable, writable and executable, copies it there, relocates it, and takes the right to
 * write away at last (load_relocation_section). Nothing is run before that. So the right to execute need not be there while
 * the right to write is: it is left out here, and comes with the last step. (Of a file that leaves this section out, WAMR would
 * run code that can be written still; here, such code cannot run.) */
#define os_mmap wamr_os_mmap
#define os_mprotect wamr_os_mprotect
#define os_icache_flush wamr_os_icache_flush
#include "posix_memmap.c"
#undef os_mmap
#undef os_mprotect
#undef os_icache_flush

static int
write_xor_execute(int prot)
{
    return prot & MMAP_PROT_WRITE ? prot & ~MMAP_PROT_EXEC : prot;
}

void *
os_mmap(void *hint, size_t size, int prot, int flags, os_file_handle file)
{
    return wamr_os_mmap(hint, size, write_xor_execute(prot), flags, file);
}

int
os_mprotect(void *addr, size_t size, int prot)
{
    return wamr_os_mprotect(addr, size, write_xor_execute(prot));
}

/* Called when a module is loaded. WAMR leaves it empty on Linux; Arm's processors may hold what was in this memory before. */
void
os_icache_flush(void *start, size_t len)
{
    if (start)
        __builtin___clear_cache((char *)start, (char *)start + len);
}
