#ifndef WAMR_SYS_STDLIB_H
#define WAMR_SYS_STDLIB_H
#include <stddef.h>
/* heap.c */
void *
malloc(size_t bytes);
void *
realloc(void *block, size_t bytes);
void
free(void *block);
/* text.c */
void
qsort(void *items, size_t count, size_t item_bytes, int (*compare)(const void *, const void *));
void *
bsearch(const void *key, const void *items, size_t count, size_t item_bytes,
        int (*compare)(const void *, const void *));
unsigned long
strtoul(const char *text, char **end, int base);
unsigned long long
strtoull(const char *text, char **end, int base);
int
atoi(const char *text);
#define abs(x) __builtin_abs(x)
#define labs(x) __builtin_labs(x)
/* What the board does when nothing can go on. */
void
abort(void) __attribute__((noreturn));
#endif
