#ifndef WAMR_SYS_ERRNO_H
#define WAMR_SYS_ERRNO_H
/* Set by nothing here. */
static int errno;
#define EINVAL 22
#define ERANGE 34
#endif
