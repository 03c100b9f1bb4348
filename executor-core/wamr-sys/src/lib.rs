//! WAMR, the WebAssembly Micro Runtime: the declarations that the executor needs.
//!
//! The C sources come from the crates.io package `wamrx-sys` and are compiled by `build/`, with our own few lines in `c/`,
//! which hide every layout but [`NativeSymbol`]'s. The functions are documented in WAMR's `wasm_export.h` (`wasm_runtime_*`)
//! and in `c/border.c`, `c/memory.c`, `c/state.c` and `c/stop.c` (`wamr_sys_*`).
#![no_std]
#![allow(unsafe_code)] // the border itself: declarations only

use core::ffi::{c_char, c_void};

#[cfg(target_os = "none")]
pub mod bare;

/// The instruction set of the AOT code that this build of WAMR loads, in the words of WAMR's compiler: `x86_64`,
/// `aarch64v8`, `armv7`, `armv6`, `thumbv7em`.
pub const AOT_TARGET: &str = env!("WAMR_SYS_AOT_TARGET");

/// Declares a type that only WAMR can look into.
macro_rules! opaque {
    ($($(#[$doc:meta])* $name:ident),*) => {$(
        $(#[$doc])*
        #[repr(C)]
        pub struct $name {
            _private: [u8; 0],
            _not_send_sync_unpin: core::marker::PhantomData<(*mut u8, core::marker::PhantomPinned)>,
        }
    )*};
}

opaque! {
    /// `WASMModuleCommon`
    Module,
    /// `WASMModuleInstanceCommon`
    Instance,
    /// `WASMExecEnv`
    ExecEnv,
    /// `WASMFunctionInstanceCommon`
    Function
}

/// `lib_export.h: NativeSymbol`. `c/border.c` asserts this layout.
#[repr(C)]
pub struct NativeSymbol {
    /// The import's name, NUL-terminated.
    pub symbol: *const c_char,
    /// For a raw native: `fn(*mut ExecEnv, *mut u64)`.
    pub function: *mut c_void,
    /// Parameter and result letters, NUL-terminated: `"(iI)i"`.
    pub signature: *const c_char,
    /// What [`wasm_runtime_get_function_attachment`] gives inside the call.
    pub attachment: *mut c_void,
}

/// A function that a guest can import, in WAMR's raw convention: arguments in 64-bit slots, the result in the first.
pub type RawNative = unsafe extern "C" fn(*mut ExecEnv, *mut u64);

/// `wasm_import_export_kind_t: WASM_IMPORT_EXPORT_KIND_FUNC`
pub const KIND_FUNCTION: i32 = 0;
/// `wasm_import_export_kind_t: WASM_IMPORT_EXPORT_KIND_MEMORY`
pub const KIND_MEMORY: i32 = 2;

unsafe extern "C" {
    pub fn wamr_sys_init(memory_bytes: usize) -> bool;
    pub fn wamr_sys_memory_taken() -> usize;
    pub fn wamr_sys_aot_format_version() -> u32;
    pub fn wamr_sys_thread_prepare();
    pub fn wamr_sys_load(bytes: *mut u8, size: u32, error: *mut c_char, error_size: u32) -> *mut Module;
    pub fn wamr_sys_instantiate(
        module: *mut Module,
        env: *mut ExecEnv,
        stack_bytes: u32,
        max_memory_pages: u32,
        error: *mut c_char,
        error_size: u32,
    ) -> *mut Instance;
    pub fn wamr_sys_export(
        module: *mut Module,
        index: i32,
        kind: *mut i32,
        text: *mut c_char,
        size: u32,
    ) -> *const c_char;
    pub fn wamr_sys_table_elements(module: *mut Module) -> u64;
    pub fn wamr_sys_import(
        module: *mut Module,
        index: i32,
        module_name: *mut *const c_char,
        kind: *mut i32,
        linked: *mut bool,
    ) -> *const c_char;
    pub fn wamr_sys_exec_env_create(stack_bytes: u32) -> *mut ExecEnv;
    pub fn wamr_sys_exec_env_destroy(env: *mut ExecEnv);
    pub fn wamr_sys_exec_env_stop_flag(env: *mut ExecEnv) -> *mut u32;
    pub fn wamr_sys_exec_env_bind(env: *mut ExecEnv, instance: *mut Instance, user_data: *mut c_void);

    pub fn wamr_sys_state_bytes(instance: *mut Instance) -> usize;
    pub fn wamr_sys_state_save(instance: *mut Instance, buffer: *mut u8);
    pub fn wamr_sys_state_restore(instance: *mut Instance, buffer: *const u8);
    pub fn wamr_sys_memory(instance: *mut Instance, bytes: *mut usize) -> *mut u8;
    pub fn wamr_sys_memory_pages(instance: *mut Instance) -> u32;
    pub fn wamr_sys_memory_shrink(instance: *mut Instance, pages: u32, bytes: usize) -> bool;
    pub fn wamr_sys_memory_discard(start: *mut u8, bytes: usize) -> bool;

    pub fn wasm_runtime_get_version(major: *mut u32, minor: *mut u32, patch: *mut u32);
    pub fn wasm_runtime_register_natives_raw(module: *const c_char, symbols: *mut NativeSymbol, count: u32) -> bool;
    pub fn wasm_runtime_is_underlying_binary_freeable(module: *mut Module) -> bool;
    pub fn wasm_runtime_unload(module: *mut Module);
    pub fn wasm_runtime_get_export_count(module: *mut Module) -> i32;
    pub fn wasm_runtime_get_import_count(module: *mut Module) -> i32;
    pub fn wasm_runtime_deinstantiate(instance: *mut Instance);
    pub fn wasm_runtime_lookup_function(instance: *mut Instance, name: *const c_char) -> *mut Function;
    pub fn wasm_runtime_get_user_data(env: *mut ExecEnv) -> *mut c_void;
    pub fn wasm_runtime_get_function_attachment(env: *mut ExecEnv) -> *mut c_void;
    pub fn wasm_runtime_get_module_inst(env: *mut ExecEnv) -> *mut Instance;
    pub fn wasm_runtime_call_wasm(env: *mut ExecEnv, function: *mut Function, argc: u32, argv: *mut u32) -> bool;
    pub fn wasm_runtime_get_exception(instance: *mut Instance) -> *const c_char;
    pub fn wasm_runtime_set_exception(instance: *mut Instance, text: *const c_char);
    pub fn wasm_runtime_clear_exception(instance: *mut Instance);
}
