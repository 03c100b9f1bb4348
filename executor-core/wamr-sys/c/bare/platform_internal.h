/* WAMR's platform types for a machine without an operating system: one thread, no files, no sockets. */
#ifndef _PLATFORM_INTERNAL_H
#define _PLATFORM_INTERNAL_H

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BH_APPLET_PRESERVED_STACK_SIZE (8 * 1024)
#define BH_THREAD_DEFAULT_PRIORITY 0
#define PATH_MAX 64

/* The only thread. */
typedef int korp_tid;
typedef int korp_thread;
/* Nobody to exclude: interrupt handlers do not call WAMR. */
typedef int korp_mutex;
typedef int korp_cond;
typedef int korp_sem;
typedef int korp_rwlock;

#define OS_THREAD_MUTEX_INITIALIZER 0
#define os_thread_local_attribute

typedef int os_file_handle;
typedef int os_raw_file_handle;
typedef int os_dir_stream;
typedef int os_poll_file_handle;
typedef unsigned int os_nfds_t;
typedef int64_t os_timespec;

static inline os_file_handle
os_get_invalid_handle(void)
{
    return -1;
}

/* The step in which linear memories are sized: pages.c has as many bytes in a page. */
static inline int
os_getpagesize(void)
{
    return 4096;
}

#endif
