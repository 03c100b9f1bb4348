/* A plugin for QEMU: counts the instructions that a program executes, all its threads together, and writes the number to the
 * file of the argument `out` when the program ends.
 *
 * Of a whole board, which never ends and never rests, that would be a number of the time. With the argument `busy`, only those
 * stretches between one wait for an interrupt (WFI) and the next are counted that have at least so many instructions; and what
 * was executed before the first wait is told besides.
 *
 * Debian has no header for plugins. These are the declarations of QEMU 7.2's include/qemu/qemu-plugin.h that are used here, and
 * they are the same as far as plugin version 1 goes. A block of code is counted when it begins: one that faults is counted whole.
 *
 * Build: cc -O2 -shared -fPIC count_instructions.c -o count_instructions.so */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *instruction);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *instruction);
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*callback)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block, void (*callback)(unsigned, void *), int flags,
                                          void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *instruction, void (*callback)(unsigned, void *), int flags,
                                            void *data);
void qemu_plugin_register_atexit_cb(plugin_id id, void (*callback)(plugin_id, void *), void *data);

EXPORT int qemu_plugin_version = 1;

/* Since the start; of a board, since the last wait. */
static atomic_uint_fast64_t count;
static char path[4096];

/* Of a board, which has one processor. */
static unsigned long long busy_min, ready, counted;
static bool is_board, has_waited;

static void executed(unsigned processor, void *instructions) {
    (void)processor;
    atomic_fetch_add_explicit(&count, (uintptr_t)instructions, memory_order_relaxed);
}

static void end_stretch(void) {
    unsigned long long stretch = atomic_exchange(&count, 0);
    if (stretch >= busy_min) counted += stretch;
}

static void waits(unsigned processor, void *data) {
    (void)processor;
    (void)data;
    if (!has_waited) ready = atomic_load(&count);
    has_waited = true;
    end_stretch();
}

static bool is_wait(const struct qemu_plugin_insn *instruction) {
    static const uint8_t thumb[] = {0x30, 0xbf}, aarch64[] = {0x7f, 0x20, 0x03, 0xd5};
    const void *data = qemu_plugin_insn_data(instruction);
    switch (qemu_plugin_insn_size(instruction)) {
    case sizeof thumb: return memcmp(data, thumb, sizeof thumb) == 0;
    case sizeof aarch64: return memcmp(data, aarch64, sizeof aarch64) == 0;
    default: return false;
    }
}

static void translated(plugin_id id, struct qemu_plugin_tb *block) {
    (void)id;
    size_t instructions = qemu_plugin_tb_n_insns(block);
    qemu_plugin_register_vcpu_tb_exec_cb(block, executed, 0, (void *)(uintptr_t)instructions);
    for (size_t index = 0; is_board && index < instructions; index++) {
        struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(block, index);
        if (is_wait(instruction)) qemu_plugin_register_vcpu_insn_exec_cb(instruction, waits, 0, NULL);
    }
}

static void ended(plugin_id id, void *data) {
    (void)id;
    (void)data;
    FILE *file = fopen(path, "w");
    if (file == NULL) return;
    if (is_board) {
        end_stretch();
        fprintf(file, "ready: %llu\nsummary: %llu\n", ready, counted);
    } else {
        fprintf(file, "summary: %llu\n", (unsigned long long)atomic_load(&count));
    }
    fclose(file);
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argument_count, char **arguments) {
    (void)info;
    for (int index = 0; index < argument_count; index++) {
        const char *argument = arguments[index];
        if (strncmp(argument, "out=", 4) == 0 && strlen(argument) < sizeof path) {
            strcpy(path, argument + 4);
        } else if (sscanf(argument, "busy=%llu", &busy_min) == 1) {
            is_board = true;
        } else {
            return 1;
        }
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
