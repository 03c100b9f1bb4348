/* The action `hello` in C on the lean ABI (actions/ABI.md), without a C library:
 * `{"name":"Ada"}` gives `{"greeting":"Hello, Ada!"}`.
 *
 * Build: clang-19 @flags hello.c -o hello.wasm        (Debian: clang-19 lld-19)
 * or: bundle build hello.c
 *
 * The executor hands over one well-formed JSON object or array, so the scanner below need not doubt its form; it still
 * never looks beyond the end. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name(name)))
#define PAGE_BYTES ((size_t)64 * 1024)

/* A stretch of text. */
typedef struct {
    const char *start;
    const char *end;
} text;

#define TEXT(literal) ((text){(literal), (literal) + sizeof(literal) - 1})

static size_t length(text piece) { return (size_t)(piece.end - piece.start); }

/* --- memory: never freed, because the executor puts it back after the run --- */

extern char __heap_base; /* the linker's: the first address after stack and data */
static size_t next = 0;

static char *take(size_t bytes) {
    if (next == 0) next = (size_t)&__heap_base;
    size_t end;
    if (__builtin_add_overflow(next, bytes, &end)) return NULL;
    size_t memory_bytes = __builtin_wasm_memory_size(0) * PAGE_BYTES;
    if (end > memory_bytes) {
        size_t pages = (end - memory_bytes - 1) / PAGE_BYTES + 1;
        if (__builtin_wasm_memory_grow(0, pages) == (size_t)-1) return NULL;
    }
    char *block = (char *)next;
    next = end;
    return block;
}

/* --- JSON --- */

static bool equal(text left, text right) {
    if (length(left) != length(right)) return false;
    while (left.start < left.end)
        if (*left.start++ != *right.start++) return false;
    return true;
}

static const char *skip_spaces(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) at++;
    return at;
}

/* From the opening quote to after the closing one. */
static const char *skip_string(const char *at, const char *end) {
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\') at++;
    return at < end ? at + 1 : end;
}

/* From the first byte of a value to after its last. */
static const char *skip_value(const char *at, const char *end) {
    size_t depth = 0;
    while (at < end) {
        char byte = *at;
        if (byte == '"') {
            at = skip_string(at, end);
            if (depth == 0) return at;
            continue;
        }
        if (byte == '{' || byte == '[') {
            depth++;
        } else if (byte == '}' || byte == ']') {
            if (depth == 0) return at; /* after a number or a word that was the last member */
            if (--depth == 0) return at + 1;
        } else if (depth == 0 && (byte == ',' || byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r')) {
            return at;
        }
        at++;
    }
    return end;
}

/* The value of an object's member, or nothing. A key that is written with escapes is not recognised. */
static text member(text object, text key) {
    const char *end = object.end, *at = skip_spaces(object.start, end);
    if (at >= end || *at != '{') return (text){end, end};
    at = skip_spaces(at + 1, end);
    while (at < end && *at == '"') {
        const char *key_end = skip_string(at, end);
        text found = {at + 1, key_end - 1};
        at = skip_spaces(key_end, end);
        if (at < end) at = skip_spaces(at + 1, end); /* the colon */
        text value = {at, skip_value(at, end)};
        if (equal(found, key)) return value;
        at = skip_spaces(value.end, end);
        if (at < end && *at == ',') at = skip_spaces(at + 1, end);
    }
    return (text){end, end};
}

/* --- the action --- */

/* An answer: its address in the upper half, its length in the lower one. 0 says that there is none. */
static uint64_t answer(text first, text second, text third) {
    size_t bytes = length(first) + length(second) + length(third);
    char *block = take(bytes), *at = block;
    if (block == NULL) return 0;
    text pieces[] = {first, second, third};
    for (size_t index = 0; index < 3; index++) {
        for (const char *from = pieces[index].start; from < pieces[index].end; from++) *at++ = *from;
    }
    return (uint64_t)(size_t)block << 32 | bytes;
}

EXPORT("ow_allocate") void *ow_allocate(size_t len) { return take(len); }

EXPORT("ow_run") uint64_t ow_run(const char *input, size_t len) {
    text name = member((text){input, input + len}, TEXT("name"));
    if (length(name) == 0 || equal(name, TEXT("null"))) name = TEXT("\"stranger\"");
    if (length(name) < 2 || *name.start != '"') {
        return answer(TEXT("{\"error\":\"Expected "), TEXT("name"), TEXT(" to be a string\"}"));
    }
    /* What stands between the quotes is a JSON string's content, and becomes one again. */
    return answer(TEXT("{\"greeting\":\"Hello, "), (text){name.start + 1, name.end - 1}, TEXT("!\"}"));
}
