/* What the interpreters do at each branch and call (build/patch.rs puts this in place of WAMR's CHECK_SUSPEND_FLAGS): leave
 * if the host has asked for it. No order is asked for: nothing is read that was written before the flag. */
#ifndef WAMR_SYS_STOP_POLL_H
#define WAMR_SYS_STOP_POLL_H

#include "bulk.h"

#define CHECK_SUSPEND_FLAGS()                                                                 \
    do {                                                                                      \
        uint32 stop_flag = __atomic_load_n(&exec_env->suspend_flags.flags, __ATOMIC_RELAXED); \
        if (__builtin_expect(stop_flag & WASM_SUSPEND_FLAG_TERMINATE, 0))                     \
            return;                                                                           \
    } while (0)

/* In place of memset and memmove of what memory.fill, memory.copy and memory.init say (build/patch.rs): leave likewise. */
#define FILL_OR_LEAVE(to, value, size)                                                           \
    do {                                                                                         \
        if (!wamr_sys_fill((const uint32_t *)&exec_env->suspend_flags.flags, to, value, size)) \
            return;                                                                              \
    } while (0)
#define MOVE_OR_LEAVE(to, from, size)                                                           \
    do {                                                                                        \
        if (!wamr_sys_move((const uint32_t *)&exec_env->suspend_flags.flags, to, from, size)) \
            return;                                                                             \
    } while (0)

#endif
