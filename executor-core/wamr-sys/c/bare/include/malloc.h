#ifndef WAMR_SYS_MALLOC_H
#define WAMR_SYS_MALLOC_H
#include <stddef.h>
/* heap.c */
size_t
malloc_usable_size(void *block);
#endif
