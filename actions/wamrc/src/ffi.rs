//! WAMR's compiler, and LLVM below it: the one module with `unsafe`. What it offers is safe.
//!
//! **Ownership.** A [`Module`] owns the bytes that WAMR's module points into; a [`Context`] owns its module, the compile data
//! and the strings that WAMR only points to. Dropping frees in WAMR's order: context, data, module, bytes.
//!
//! Source: `aot_export.h`, `wasm_export.h`, and `c/border.h` for what takes structures.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, NulError, c_char, c_void};
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::target::Target;

unsafe extern "C" {
    // wasm_export.h
    fn wasm_runtime_load(bytes: *mut u8, size: u32, error: *mut c_char, error_size: u32) -> *mut c_void;
    fn wasm_runtime_unload(module: *mut c_void);
    fn wasm_runtime_free(pointer: *mut c_void);
    fn wasm_runtime_get_version(major: *mut u32, minor: *mut u32, patch: *mut u32);
    // aot_export.h
    fn aot_create_comp_data(module: *mut c_void, target: *const c_char, is_gc_enabled: bool) -> *mut c_void;
    fn aot_destroy_comp_data(data: *mut c_void);
    fn aot_destroy_comp_context(context: *mut c_void);
    fn aot_compile_wasm(context: *mut c_void) -> bool;
    fn aot_emit_aot_file_buf(context: *mut c_void, data: *mut c_void, size: *mut u32) -> *mut u8;
    safe fn aot_get_last_error() -> *const c_char;
    // border.h
    fn wamrc_init(is_verbose: bool) -> bool;
    safe fn wamrc_aot_format_version() -> u32;
    fn wamrc_create_context(
        data: *mut c_void,
        target: *const c_char,
        abi: *const c_char,
        cpu: *const c_char,
        features: *const c_char,
        intrinsics: *const c_char,
        stack_usage_file: *const c_char,
        opt_level: u32,
        size_level: u32,
        is_interruptible: bool,
        is_xip: bool,
    ) -> *mut c_void;
    fn wamrc_cpu_features(
        triple: *const c_char,
        cpu: *const c_char,
        features: *const c_char,
        names: *mut c_char,
        size: u32,
        is_cpu_known: *mut bool,
    ) -> bool;
    fn wamrc_is_feature_known(triple: *const c_char, name: *const c_char) -> bool;
    fn wamrc_disable_loop_vectorizer();
    safe fn wamrc_llvm_version() -> *const c_char;
}

const ERROR_BYTES: usize = 256;
/// All features of LLVM's largest target fit three times.
const FEATURES_BYTES: usize = 16 * 1024;

/// The compiler, started. WAMR and LLVM keep global state: there is one in a process, and it stays on its thread.
pub struct Compiler {
    _not_send: *const (),
}

/// How to compile, besides the target.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// 0 to 3.
    pub opt_level: u32,
    /// 0 to 3: LLVM's code model, from large to small.
    pub size_level: u32,
    /// Poll in loops and around calls whether the guest was told to stop.
    pub is_interruptible: bool,
    /// No relocations in the code.
    pub is_xip: bool,
}

/// What LLVM says of a target and its CPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cpu {
    /// All features that code for it may use, in LLVM's words, with commas.
    Known(String),
    /// The target has no CPU of that name.
    Missing,
    /// LLVM has no such target.
    NoTarget,
}

impl Compiler {
    /// Start WAMR and LLVM. `None`: it is running already in this process, or it does not start.
    pub fn start(is_verbose: bool) -> Option<Self> {
        static IS_STARTED: AtomicBool = AtomicBool::new(false);
        if IS_STARTED.swap(true, Ordering::AcqRel) {
            return None;
        }
        // SAFETY: border.h: takes a scalar; the flag above sees to it that it runs once.
        let is_started = unsafe { wamrc_init(is_verbose) };
        is_started.then_some(Compiler { _not_send: ptr::null() })
    }

    /// What LLVM knows of a CPU with these features.
    ///
    /// # Errors
    /// A name holds a zero byte.
    pub fn cpu(&self, triple: &str, cpu: &str, features: &str) -> Result<Cpu, NulError> {
        let (triple, cpu, features) = (CString::new(triple)?, CString::new(cpu)?, CString::new(features)?);
        let mut names = vec![0_u8; FEATURES_BYTES];
        let mut is_cpu_known = false;
        // SAFETY: border.h: three strings, a buffer with its size, and where to put a bool; all outlive the call, and LLVM
        // runs, since `self` exists.
        let is_target_known = unsafe {
            wamrc_cpu_features(
                triple.as_ptr(),
                cpu.as_ptr(),
                features.as_ptr(),
                names.as_mut_ptr().cast(),
                capacity(&names),
                &raw mut is_cpu_known,
            )
        };
        if !is_target_known {
            return Ok(Cpu::NoTarget);
        }
        if !is_cpu_known {
            return Ok(Cpu::Missing);
        }
        Ok(Cpu::Known(text_of(&names)))
    }

    /// True if LLVM has a feature of this name for the target.
    ///
    /// # Errors
    /// A name holds a zero byte.
    pub fn has_feature(&self, triple: &str, name: &str) -> Result<bool, NulError> {
        let (triple, name) = (CString::new(triple)?, CString::new(name)?);
        // SAFETY: border.h: two strings that outlive the call; LLVM runs, since `self` exists.
        Ok(unsafe { wamrc_is_feature_known(triple.as_ptr(), name.as_ptr()) })
    }

    /// Compile without LLVM's loop vectorizer from now on. To be called once: LLVM takes an option once.
    pub fn disable_loop_vectorizer(&self) {
        static IS_DISABLED: AtomicBool = AtomicBool::new(false);
        if !IS_DISABLED.swap(true, Ordering::AcqRel) {
            // SAFETY: border.h: no arguments; the flag sees to it that it runs once, `self` that LLVM runs.
            unsafe { wamrc_disable_loop_vectorizer() };
        }
    }

    /// Check a module, as the runtime would.
    ///
    /// # Errors
    /// What the loader says of it.
    pub fn load(&self, wasm: &[u8]) -> Result<Module<'_>, String> {
        let size = u32::try_from(wasm.len()).map_err(|_| "it is longer than 4 GiB".to_owned())?;
        // The loader changes some opcodes in place, and the module points into the bytes.
        let mut bytes = wasm.to_vec().into_boxed_slice();
        let mut error = vec![0_u8; ERROR_BYTES];
        // SAFETY: wasm_export.h: bytes to read and write and a buffer for an error text, with their sizes. The bytes stay where
        // they are until the module is unloaded: `Module` owns both.
        let module =
            unsafe { wasm_runtime_load(bytes.as_mut_ptr(), size, error.as_mut_ptr().cast(), capacity(&error)) };
        match NonNull::new(module) {
            Some(module) => Ok(Module {
                module,
                _bytes: bytes,
                _compiler: self,
            }),
            None => Err(text_of(&error)),
        }
    }
}

/// A module that the loader has accepted.
pub struct Module<'c> {
    module: NonNull<c_void>,
    _bytes: Box<[u8]>,
    _compiler: &'c Compiler,
}

impl<'c> Module<'c> {
    /// Compile the module to an AOT file. LLVM writes the functions' stack usage to `stack_usage_file`, from where WAMR reads
    /// it.
    ///
    /// # Errors
    /// What WAMR says.
    pub fn compile(self, target: &Target, options: Options, stack_usage_file: &Path) -> Result<Vec<u8>, String> {
        let context = Context::new(self, target, options, stack_usage_file)?;
        // SAFETY: aot_export.h: the context is alive, and compiled once: it is consumed here.
        if !unsafe { aot_compile_wasm(context.context.as_ptr()) } {
            return Err(last_error());
        }
        let mut size = 0_u32;
        // SAFETY: aot_export.h: context and data are alive and belong together; `size` outlives the call.
        let file =
            unsafe { aot_emit_aot_file_buf(context.context.as_ptr(), context.data.data.as_ptr(), &raw mut size) };
        let Some(file) = NonNull::new(file) else {
            return Err(last_error());
        };
        let length = usize::try_from(size).map_err(|_| "the code is longer than memory".to_owned())?;
        // SAFETY: aot_export.h: the buffer holds `size` bytes, all written (WAMR clears it first).
        let bytes = unsafe { std::slice::from_raw_parts(file.as_ptr(), length) }.to_vec();
        // SAFETY: the buffer came from wasm_runtime_malloc and is freed once. (aot_destroy_aot_file is declared, not defined.)
        unsafe { wasm_runtime_free(file.as_ptr().cast()) };
        Ok(bytes)
    }
}

impl Drop for Module<'_> {
    fn drop(&mut self) {
        // SAFETY: wasm_export.h: the module is loaded, and unloaded once; what points into it (`Data`) is gone, since it owns
        // this.
        unsafe { wasm_runtime_unload(self.module.as_ptr()) };
    }
}

/// The compile data of a module.
struct Data<'c> {
    data: NonNull<c_void>,
    _module: Module<'c>,
}

impl Drop for Data<'_> {
    fn drop(&mut self) {
        // SAFETY: aot_export.h: the data is alive, and destroyed once, after the context and before the module.
        unsafe { aot_destroy_comp_data(self.data.as_ptr()) };
    }
}

/// A compile context: LLVM's module, target machine and builder.
struct Context<'c> {
    context: NonNull<c_void>,
    // Dropped after the context is destroyed, in this order.
    data: Data<'c>,
    _strings: Strings,
}

/// What WAMR points to for as long as the context lives.
struct Strings {
    target: CString,
    abi: CString,
    cpu: CString,
    features: CString,
    intrinsics: CString,
    stack_usage_file: CString,
}

impl<'c> Context<'c> {
    fn new(module: Module<'c>, target: &Target, options: Options, stack_usage_file: &Path) -> Result<Self, String> {
        let string = |text: &str| CString::new(text).map_err(|_| format!("`{text}` holds a zero byte"));
        let strings = Strings {
            target: string(&target.name)?,
            abi: string(&target.abi)?,
            cpu: string(&target.cpu)?,
            features: string(&target.features)?,
            intrinsics: string(target.xip_intrinsics())?,
            stack_usage_file: string(
                stack_usage_file
                    .to_str()
                    .ok_or("the temporary folder's name is not UTF-8")?,
            )?,
        };
        // Empty means WAMR's own choice, which it takes NULL for.
        let optional = |text: &CString| if text.is_empty() { ptr::null() } else { text.as_ptr() };

        // SAFETY: aot_export.h: the module is loaded, the string outlives the call.
        let data = unsafe { aot_create_comp_data(module.module.as_ptr(), strings.target.as_ptr(), false) };
        let data = Data {
            data: NonNull::new(data).ok_or_else(last_error)?,
            _module: module,
        };
        // SAFETY: border.h: the data is alive; `Context` keeps data and strings as long as the context.
        let context = unsafe {
            wamrc_create_context(
                data.data.as_ptr(),
                strings.target.as_ptr(),
                strings.abi.as_ptr(),
                strings.cpu.as_ptr(),
                optional(&strings.features),
                optional(&strings.intrinsics),
                strings.stack_usage_file.as_ptr(),
                options.opt_level,
                options.size_level,
                options.is_interruptible,
                options.is_xip,
            )
        };
        let context = NonNull::new(context).ok_or_else(last_error)?;
        Ok(Context {
            context,
            data,
            _strings: strings,
        })
    }
}

impl Drop for Context<'_> {
    fn drop(&mut self) {
        // SAFETY: aot_export.h: the context is alive, and destroyed once, before the data that it points to.
        unsafe { aot_destroy_comp_context(self.context.as_ptr()) };
    }
}

/// WAMR's version.
pub fn wamr_version() -> (u32, u32, u32) {
    let (mut major, mut minor, mut patch) = (0, 0, 0);
    // SAFETY: wasm_export.h: three places to put a number, which outlive the call. It needs no started runtime.
    unsafe { wasm_runtime_get_version(&raw mut major, &raw mut minor, &raw mut patch) };
    (major, minor, patch)
}

/// The version of the AOT file format that the compiler writes.
pub fn aot_format_version() -> u32 {
    wamrc_aot_format_version()
}

/// LLVM's version.
pub fn llvm_version() -> String {
    // SAFETY: border.h: a string literal.
    unsafe { CStr::from_ptr(wamrc_llvm_version()) }
        .to_string_lossy()
        .into_owned()
}

fn last_error() -> String {
    // SAFETY: aot_export.h: always a string, in a static buffer; nothing else of WAMR runs until it is copied.
    let text = unsafe { CStr::from_ptr(aot_get_last_error()) }
        .to_string_lossy()
        .into_owned();
    let text = text.strip_prefix("Error: ").unwrap_or(&text).trim();
    if text.is_empty() {
        "WAMR does not say why".to_owned()
    } else {
        text.to_owned()
    }
}

/// The text before the first zero byte.
fn text_of(buffer: &[u8]) -> String {
    let text = buffer.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

fn capacity(buffer: &[u8]) -> u32 {
    u32::try_from(buffer.len()).unwrap_or(u32::MAX)
}
