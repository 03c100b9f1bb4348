/* A plugin for QEMU's user-mode emulation: counts the instructions that a program executes, all its threads together, and
 * writes the number to the file of the argument `out` when the program ends.
 *
 * Debian has no header for plugins. These are the declarations of QEMU 7.2's include/qemu/qemu-plugin.h that are used here, and
 * they are the same as far as plugin version 1 goes. A block of code is counted when it begins: one that faults is counted whole.
 *
 * Build: cc -O2 -shared -fPIC count_instructions.c -o count_instructions.so */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct qemu_plugin_tb;

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*callback)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block, void (*callback)(unsigned, void *), int flags,
                                          void *data);
void qemu_plugin_register_atexit_cb(plugin_id id, void (*callback)(plugin_id, void *), void *data);

EXPORT int qemu_plugin_version = 1;

static atomic_uint_fast64_t count;
static char path[4096];

static void executed(unsigned processor, void *instructions) {
    (void)processor;
    atomic_fetch_add_explicit(&count, (uintptr_t)instructions, memory_order_relaxed);
}

static void translated(plugin_id id, struct qemu_plugin_tb *block) {
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_cb(block, executed, 0, (void *)(uintptr_t)qemu_plugin_tb_n_insns(block));
}

static void ended(plugin_id id, void *data) {
    (void)id;
    (void)data;
    FILE *file = fopen(path, "w");
    if (file == NULL) return;
    fprintf(file, "summary: %llu\n", (unsigned long long)atomic_load(&count));
    fclose(file);
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argument_count, char **arguments) {
    (void)info;
    if (argument_count != 1 || strncmp(arguments[0], "out=", 4) != 0 || strlen(arguments[0]) >= sizeof path) return 1;
    strcpy(path, arguments[0] + 4);
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
