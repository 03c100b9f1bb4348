/* How a guest is stopped: a flag in its execution environment, which interpreter and AOT code poll.
 *
 * Both leave the guest as if its function had returned, without an exception and with no meaningful result: whoever called
 * has to look at the flag. Nothing of the instance is written by another thread. */
#include "border.h"

#include <stddef.h>
#include <string.h>

/* AOT code loads 32 bits at this place (aot_emit_control.c), and Rust an AtomicU32. */
_Static_assert(sizeof(((WASMExecEnv *)0)->suspend_flags.flags) == sizeof(uint32_t), "the flag: 32 bits");
_Static_assert(offsetof(WASMExecEnv, suspend_flags) == 5 * sizeof(void *), "the flag: where AOT code polls");

/* An environment that serves no instance yet. */
wasm_exec_env_t
wamr_sys_exec_env_create(uint32_t stack_bytes)
{
    WASMModuleInstanceCommon nobody;
    wasm_exec_env_t env;

    memset(&nobody, 0, sizeof(nobody));
    nobody.module_type = Wasm_Module_Bytecode;
    env = wasm_exec_env_create_internal(&nobody, stack_bytes);
    if (env)
        env->module_inst = NULL;
    return env;
}

void
wamr_sys_exec_env_destroy(wasm_exec_env_t env)
{
    wasm_exec_env_destroy_internal(env);
}

/* Bit 0: stop. Interpreter and AOT code look at no other: they are the host's. */
uint32_t *
wamr_sys_exec_env_stop_flag(wasm_exec_env_t env)
{
    return (uint32_t *)&env->suspend_flags.flags;
}

/* What a module has run at its instantiation (start function, __post_instantiate, __wasm_call_ctors) runs on the environment
 * that wamr_sys_instantiate was given, so that it can be stopped like any other call. The instance carries it meanwhile. */
WASMExecEnv *
wamr_sys_start_env_create(struct WASMModuleInstanceCommon *instance, uint32 stack_size)
{
    WASMExecEnv *env = wasm_runtime_get_custom_data(instance);

    if (!env)
        return wasm_exec_env_create(instance, stack_size);
    wamr_sys_exec_env_bind(env, (wasm_module_inst_t)instance, NULL);
    return env;
}

void
wamr_sys_start_env_destroy(WASMExecEnv *env)
{
    if (env != wasm_runtime_get_custom_data(env->module_inst))
        wasm_exec_env_destroy(env);
}
