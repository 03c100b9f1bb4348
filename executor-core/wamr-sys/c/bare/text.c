/* What WAMR needs of a C library: texts, sorting and searching. The rest (memcpy and its kind) comes with Rust. */
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
strncmp(const char *one, const char *other, size_t bytes)
{
    for (; bytes > 0; bytes--, one++, other++) {
        if (*one != *other)
            return (unsigned char)*one - (unsigned char)*other;
        if (*one == '\0')
            return 0;
    }
    return 0;
}

int
strcmp(const char *one, const char *other)
{
    return strncmp(one, other, SIZE_MAX);
}

char *
strcpy(char *to, const char *from)
{
    return memcpy(to, from, strlen(from) + 1);
}

char *
strncpy(char *to, const char *from, size_t bytes)
{
    size_t i;

    for (i = 0; i < bytes && from[i] != '\0'; i++)
        to[i] = from[i];
    for (; i < bytes; i++)
        to[i] = '\0';
    return to;
}

char *
strchr(const char *text, int letter)
{
    for (; *text != (char)letter; text++) {
        if (*text == '\0')
            return NULL;
    }
    return (char *)text;
}

char *
strstr(const char *text, const char *part)
{
    size_t len = strlen(part);

    for (; *text != '\0'; text++) {
        if (strncmp(text, part, len) == 0)
            return (char *)text;
    }
    return len == 0 ? (char *)text : NULL;
}

char *
strtok_r(char *text, const char *separators, char **rest)
{
    char *start = text ? text : *rest;

    while (*start != '\0' && strchr(separators, *start))
        start++;
    for (*rest = start; **rest != '\0'; (*rest)++) {
        if (strchr(separators, **rest)) {
            *(*rest)++ = '\0';
            break;
        }
    }
    return *start == '\0' ? NULL : start;
}

static unsigned
digit_value(char letter)
{
    if (letter >= '0' && letter <= '9')
        return (unsigned)(letter - '0');
    letter |= 32;
    return letter >= 'a' && letter <= 'z' ? (unsigned)(letter - 'a') + 10 : UINT_MAX;
}

unsigned long long
strtoull(const char *text, char **end, int base)
{
    unsigned long long value = 0;

    if ((base == 0 || base == 16) && text[0] == '0' && (text[1] | 32) == 'x') {
        text += 2;
        base = 16;
    }
    if (base == 0)
        base = 10;
    for (; digit_value(*text) < (unsigned)base; text++)
        value = value * (unsigned)base + digit_value(*text);
    if (end)
        *end = (char *)text;
    return value;
}

unsigned long
strtoul(const char *text, char **end, int base)
{
    return (unsigned long)strtoull(text, end, base);
}

int
atoi(const char *text)
{
    return (int)strtoull(text, NULL, 10);
}

static void
swap(char *one, char *other, size_t bytes)
{
    for (; bytes > 0; bytes--, one++, other++) {
        char kept = *one;

        *one = *other;
        *other = kept;
    }
}

/* Heap sort: no recursion, and never slower than n log n, whatever a module holds. */
void
qsort(void *items, size_t count, size_t item_bytes, int (*compare)(const void *, const void *))
{
    char *base = items;
    size_t start = count / 2, end = count, parent, child;

    while (end > 1) {
        if (start > 0) {
            start--;
        }
        else {
            end--;
            swap(base, base + end * item_bytes, item_bytes);
        }
        for (parent = start; (child = 2 * parent + 1) < end; parent = child) {
            if (child + 1 < end && compare(base + child * item_bytes, base + (child + 1) * item_bytes) < 0)
                child++;
            if (compare(base + parent * item_bytes, base + child * item_bytes) >= 0)
                break;
            swap(base + parent * item_bytes, base + child * item_bytes, item_bytes);
        }
    }
}

void *
bsearch(const void *key, const void *items, size_t count, size_t item_bytes,
        int (*compare)(const void *, const void *))
{
    const char *base = items;

    while (count > 0) {
        const char *middle = base + count / 2 * item_bytes;
        int order = compare(key, middle);

        if (order == 0)
            return (void *)middle;
        if (order > 0) {
            base = middle + item_bytes;
            count--;
        }
        count /= 2;
    }
    return NULL;
}

/* ---- snprintf ---- */

struct writer {
    char *text;
    size_t size;
    size_t len;
};

static void
put(struct writer *to, char letter)
{
    if (to->len + 1 < to->size)
        to->text[to->len] = letter;
    to->len++;
}

static void
put_number(struct writer *to, unsigned long long value, bool is_negative, unsigned base, bool is_upper, int width,
           bool is_zero_padded)
{
    char digits[24];
    int len = 0;

    do {
        unsigned digit = (unsigned)(value % base);

        digits[len++] = (char)(digit < 10 ? '0' + digit : (is_upper ? 'A' : 'a') + digit - 10);
        value /= base;
    } while (value > 0);
    width -= len + is_negative;
    for (; !is_zero_padded && width > 0; width--)
        put(to, ' ');
    if (is_negative)
        put(to, '-');
    for (; width > 0; width--)
        put(to, '0');
    while (len > 0)
        put(to, digits[--len]);
}

static unsigned long long
next_unsigned(va_list *arguments, int longs)
{
    switch (longs) {
        case 0:
            return va_arg(*arguments, unsigned);
        case 1:
            return va_arg(*arguments, unsigned long);
        default:
            return va_arg(*arguments, unsigned long long);
    }
}

static long long
next_signed(va_list *arguments, int longs)
{
    switch (longs) {
        case 0:
            return va_arg(*arguments, int);
        case 1:
            return va_arg(*arguments, long);
        default:
            return va_arg(*arguments, long long);
    }
}

/* The conversions c, s, d, i, u, x, X and p, with 0, width, precision of s, and the lengths h, l, ll and z: all that WAMR's
 * messages use. Any other is written as it stands. */
int
vsnprintf(char *text, size_t size, const char *format, va_list list)
{
    struct writer to = { text, size, 0 };
    va_list arguments;

    va_copy(arguments, list);
    for (; *format != '\0'; format++) {
        bool is_zero_padded = false;
        int width = 0, precision = INT_MAX, longs = 0;

        if (*format != '%') {
            put(&to, *format);
            continue;
        }
        format++;
        for (; *format == '0' || *format == '-' || *format == '#'; format++)
            is_zero_padded |= *format == '0';
        for (; digit_value(*format) < 10; format++)
            width = width * 10 + (int)digit_value(*format);
        if (*format == '.') {
            format++;
            if (*format == '*') {
                precision = va_arg(arguments, int);
                format++;
            }
            else {
                for (precision = 0; digit_value(*format) < 10; format++)
                    precision = precision * 10 + (int)digit_value(*format);
            }
        }
        for (; *format == 'l' || *format == 'z' || *format == 'h'; format++)
            longs += *format != 'h';
        switch (*format) {
            case 'c':
                put(&to, (char)va_arg(arguments, int));
                break;
            case 's':
            {
                const char *part = va_arg(arguments, const char *);

                for (part = part ? part : "(null)"; precision > 0 && *part != '\0'; precision--)
                    put(&to, *part++);
                break;
            }
            case 'd':
            case 'i':
            {
                long long value = next_signed(&arguments, longs);

                put_number(&to, value < 0 ? -(unsigned long long)value : (unsigned long long)value, value < 0, 10,
                           false, width, is_zero_padded);
                break;
            }
            case 'u':
                put_number(&to, next_unsigned(&arguments, longs), false, 10, false, width, is_zero_padded);
                break;
            case 'x':
            case 'X':
                put_number(&to, next_unsigned(&arguments, longs), false, 16, *format == 'X', width, is_zero_padded);
                break;
            case 'p':
                put_number(&to, (uintptr_t)va_arg(arguments, void *), false, 16, false, width, is_zero_padded);
                break;
            case '\0':
                format--;
                break;
            default:
                put(&to, *format);
        }
    }
    va_end(arguments);
    if (size > 0)
        text[to.len < size ? to.len : size - 1] = '\0';
    return to.len > INT_MAX ? INT_MAX : (int)to.len;
}

int
snprintf(char *text, size_t size, const char *format, ...)
{
    va_list arguments;
    int len;

    va_start(arguments, format);
    len = vsnprintf(text, size, format, arguments);
    va_end(arguments);
    return len;
}
