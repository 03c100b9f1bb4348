/*
 * What `wamrc` needs of WAMR's compiler, in scalars and pointers: the structures stay on this side, where the compiler of
 * WAMR's own headers lays them out.
 */
#ifndef WAMRC_BORDER_H
#define WAMRC_BORDER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* border.c */
bool wamrc_init(bool is_verbose);
int wamrc_vprintf(const char *format, va_list arguments);
uint32_t wamrc_aot_format_version(void);
void *wamrc_create_context(void *comp_data, const char *target, const char *abi, const char *cpu, const char *features,
                           const char *intrinsics, const char *stack_usage_file, uint32_t opt_level,
                           uint32_t size_level, bool is_interruptible, bool is_xip);

/* llvm.cpp */
bool wamrc_cpu_features(const char *triple, const char *cpu, const char *features, char *names, uint32_t size,
                        bool *is_cpu_known);
bool wamrc_is_feature_known(const char *triple, const char *name);
void wamrc_disable_loop_vectorizer(void);
const char *wamrc_llvm_version(void);

#ifdef __cplusplus
}
#endif

#endif
