/* What a board supplies to WAMR's platform layer. src/bare.rs declares the same for Rust. */
#ifndef WAMR_SYS_MACHINE_H
#define WAMR_SYS_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A stretch of memory. */
struct wamr_sys_region {
    uint8_t *start;
    size_t bytes;
};

struct wamr_sys_machine {
    /* The runtime heap: what WAMR makes of modules, instances and environments. */
    struct wamr_sys_region heap;
    /* Linear memories, and the data of AOT modules. Whole pages of 4 KiB. */
    struct wamr_sys_region pages;
    /* AOT code. Whole pages of 4 KiB; may be empty. */
    struct wamr_sys_region code;
    /* Where code may run that lies there: what is executed and never written, as flash is. May be empty. */
    struct wamr_sys_region flash;
    /* The lowest address of the stack that guests run on. */
    uint8_t *stack_limit;
    /* Microseconds since the start. */
    uint64_t (*uptime_us)(void);
    /* Make `code` writable and not executable, or executable and not writable. In the second case the instruction cache must
     * not hold what was there before; on AArch64, pages.c sees to that. */
    void (*code_is_writable)(bool is_writable);
};

/* The board, as wamr_sys_bare_start was told. */
extern struct wamr_sys_machine wamr_sys_machine;

/* pages.c: all pages are free. */
void
wamr_sys_pages_reset(void);

#endif
