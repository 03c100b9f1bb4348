#ifndef WAMR_SYS_STRING_H
#define WAMR_SYS_STRING_H
#include <stddef.h>
/* Rust's compiler_builtins */
void *
memcpy(void *to, const void *from, size_t bytes);
void *
memmove(void *to, const void *from, size_t bytes);
void *
memset(void *to, int value, size_t bytes);
int
memcmp(const void *one, const void *other, size_t bytes);
size_t
strlen(const char *text);
/* text.c */
int
strcmp(const char *one, const char *other);
int
strncmp(const char *one, const char *other, size_t bytes);
char *
strcpy(char *to, const char *from);
char *
strncpy(char *to, const char *from, size_t bytes);
char *
strchr(const char *text, int letter);
char *
strstr(const char *text, const char *part);
char *
strtok_r(char *text, const char *separators, char **rest);
#endif
