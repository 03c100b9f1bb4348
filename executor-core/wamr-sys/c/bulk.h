/* Instructions that write much at once, cut into pieces: between two of them the stop flag is looked at. */
#ifndef WAMR_SYS_BULK_H
#define WAMR_SYS_BULK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A piece. Where no page of it was touched before, it takes a tenth of a millisecond or so; what the cut itself costs is lost
 * in the time that the piece takes. */
#define WAMR_SYS_BULK_BYTES ((size_t)256 * 1024)

/* What is longer than a piece. False: stopped, and a part is done. */
bool
wamr_sys_fill_in_pieces(const uint32_t *stop, uint8_t *to, int value, size_t size);
bool
wamr_sys_move_in_pieces(const uint32_t *stop, uint8_t *to, const uint8_t *from, size_t size);

/* memset, if nobody stops it. */
static inline bool
wamr_sys_fill(const uint32_t *stop, uint8_t *to, int value, size_t size)
{
    if (__builtin_expect(size > WAMR_SYS_BULK_BYTES, 0))
        return wamr_sys_fill_in_pieces(stop, to, value, size);
    memset(to, value, size);
    return true;
}

/* memmove, if nobody stops it. */
static inline bool
wamr_sys_move(const uint32_t *stop, uint8_t *to, const uint8_t *from, size_t size)
{
    if (__builtin_expect(size > WAMR_SYS_BULK_BYTES, 0))
        return wamr_sys_move_in_pieces(stop, to, from, size);
    memmove(to, from, size);
    return true;
}

#endif
