/* memory.fill, memory.copy and memory.init, so that they can be stopped.
 *
 * The interpreters call wamr_sys_fill and wamr_sys_move (build/patch.rs), and leave the guest if these were stopped. AOT code calls
 * memset, memmove and aot_memory_init, which the relocation tables turn into the functions here (build/files.rs, BULK). They
 * have no way to leave the guest. Stopped, they leave their work undone; the guest goes on to its next poll, and no host call is
 * done for it any more. Its instance is thrown away, and so is its answer. */
#include "bulk.h"
#include "border.h"

/* The flag of the run that this thread serves. AOT code runs only after wamr_sys_exec_env_bind, on the same thread; nothing else
 * looks here. */
static os_thread_local_attribute const uint32_t *stop_of_run;

void
wamr_sys_bulk_begin(const uint32_t *stop)
{
    stop_of_run = stop;
}

static bool
is_stopped(const uint32_t *stop)
{
    return __atomic_load_n(stop, __ATOMIC_RELAXED) & WASM_SUSPEND_FLAG_TERMINATE;
}

static size_t
piece(size_t size)
{
    return size < WAMR_SYS_BULK_BYTES ? size : WAMR_SYS_BULK_BYTES;
}

bool
wamr_sys_fill_in_pieces(const uint32_t *stop, uint8_t *to, int value, size_t size)
{
    size_t now;

    for (; size; to += now, size -= now) {
        if (is_stopped(stop))
            return false;
        now = piece(size);
        memset(to, value, now);
    }
    return true;
}

bool
wamr_sys_move_in_pieces(const uint32_t *stop, uint8_t *to, const uint8_t *from, size_t size)
{
    size_t now, done;

    for (done = 0; done < size; done += now) {
        if (is_stopped(stop))
            return false;
        now = piece(size - done);
        /* As the ranges may overlap: from the front if they move down, from the back if they move up. Then no piece writes what
         * a later one reads. */
        if ((uintptr_t)to <= (uintptr_t)from)
            memmove(to + done, from + done, now);
        else
            memmove(to + (size - done - now), from + (size - done - now), now);
    }
    return true;
}

/* ---- what AOT code calls ---- */

void *
wamr_sys_aot_memset(void *to, int value, size_t size)
{
    (void)wamr_sys_fill(stop_of_run, to, value, size);
    return to;
}

void *
wamr_sys_aot_memmove(void *to, const void *from, size_t size)
{
    (void)wamr_sys_move(stop_of_run, to, from, size);
    return to;
}

bool
wamr_sys_aot_memory_init(AOTModuleInstance *instance, uint32_t segment, uint32_t offset, uint32_t size, size_t to)
{
    uint32_t now, done;

    /* Nothing is written unless all of it may be. Its end, with no bytes, is refused where the whole is; but for sums that do
     * not fit, which WAMR has to see as they are. */
    if (size <= WAMR_SYS_BULK_BYTES || size > UINT32_MAX - offset || size > SIZE_MAX - to)
        return aot_memory_init(instance, segment, offset, size, to);
    if (!aot_memory_init(instance, segment, offset + size, 0, to + size))
        return false;
    for (done = 0; done < size && !is_stopped(stop_of_run); done += now) {
        now = (uint32_t)piece(size - done);
        if (!aot_memory_init(instance, segment, offset + done, now, to + done))
            return false;
    }
    return true;
}

#if defined(__arm__)
/* The names of Arm's run-time ABI (RTABI 4.3.4), which LLVM puts in place of the others. memset's last two are the other way
 * round. */
void
wamr_sys_aeabi_memcpy(void *to, const void *from, size_t size)
{
    (void)wamr_sys_aot_memmove(to, from, size);
}

void
wamr_sys_aeabi_memmove(void *to, const void *from, size_t size)
{
    (void)wamr_sys_aot_memmove(to, from, size);
}

void
wamr_sys_aeabi_memset(void *to, size_t size, int value)
{
    (void)wamr_sys_aot_memset(to, value, size);
}

void
wamr_sys_aeabi_memclr(void *to, size_t size)
{
    (void)wamr_sys_aot_memset(to, 0, size);
}
#endif
