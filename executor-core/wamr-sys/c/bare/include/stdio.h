#ifndef WAMR_SYS_STDIO_H
#define WAMR_SYS_STDIO_H
#include <stdarg.h>
#include <stddef.h>
/* text.c */
int
snprintf(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
int
vsnprintf(char *text, size_t size, const char *format, va_list arguments) __attribute__((format(printf, 3, 0)));
#endif
