#ifndef WAMR_SYS_TYPES_H
#define WAMR_SYS_TYPES_H
#include <stddef.h>
typedef ptrdiff_t ssize_t;
typedef long long off_t;
#endif
