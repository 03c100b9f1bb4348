//! Which of WAMR's files make the runtime, and with which settings: the choice, as data.

use std::env;

/// What the runtime is built for.
pub struct Target {
    pub os: String,
    arch: String,
    abi: String,
    triple: String,
    fast_interpreter: bool,
}

impl Target {
    pub fn from_env() -> Self {
        let cargo = |name: &str| env::var(format!("CARGO_{name}")).unwrap_or_default();
        let target = Target {
            os: cargo("CFG_TARGET_OS"),
            arch: cargo("CFG_TARGET_ARCH"),
            abi: cargo("CFG_TARGET_ABI"),
            triple: env::var("TARGET").unwrap_or_default(),
            fast_interpreter: env::var_os("CARGO_FEATURE_FAST_INTERPRETER").is_some(),
        };
        assert!(
            target.is_bare() || target.os == "linux",
            "wamr-sys has platform layers for Linux and for machines without a system; there is none for `{}`",
            target.os
        );
        target
    }

    /// There is no operating system: `c/bare` takes its place.
    pub fn is_bare(&self) -> bool {
        self.os == "none"
    }

    /// Thumb code, for processors of the M profile.
    pub fn is_thumb(&self) -> bool {
        self.triple.starts_with("thumb")
    }

    /// The instruction set of the AOT code that this build runs, in the words of WAMR's compiler: an AOT file names its own,
    /// and the loader takes no other.
    ///
    /// Cargo tells all 32-bit Arm apart by the triple only: `CARGO_CFG_TARGET_ARCH` is `arm` for each, and the version is
    /// not among the features that stable Rust shows. Rust's plain `arm` is Armv6.
    pub fn aot_target(&self) -> String {
        match (self.arch.as_str(), self.triple.split('-').next().unwrap_or_default()) {
            ("aarch64", _) => "aarch64v8".to_owned(),
            ("arm", "arm") => "armv6".to_owned(),
            ("arm", version) if version.starts_with("armv7") || version.starts_with("thumbv7neon") => {
                "armv7".to_owned()
            }
            ("arm", version) => version.to_owned(),
            (other, _) => other.to_owned(),
        }
    }

    /// What the C compiler has to be told beyond what `cc` tells it.
    pub fn flags(&self) -> &'static [&'static str] {
        match self.arch.as_str() {
            // No C library's headers; rounding and square roots are instructions, with nobody to read `errno`.
            _ if self.is_bare() => &["-nostdlibinc", "-fno-math-errno", "-Ic/bare", "-Ic/bare/include"],
            // Debian's compiler for armhf makes Thumb code by default; WAMR's makers build for Arm, and its calls from
            // assembly are tested so.
            "arm" => &["-marm"],
            _ => &[],
        }
    }

    /// The file that relocates AOT code, and has the table of the functions that it may call. Compiled with [`BULK`]. Below WAMR's
    /// `core`.
    pub fn relocation(&self) -> String {
        let (.., file) = self.processor();
        format!("iwasm/aot/arch/{file}")
    }

    /// WAMR's name of the processor, the file that calls native functions on it, and the file that relocates AOT code.
    fn processor(&self) -> (&'static str, &'static str, &'static str) {
        match (self.arch.as_str(), self.abi.as_str()) {
            ("x86_64", _) => ("BUILD_TARGET_X86_64", "invokeNative_em64.s", "aot_reloc_x86_64.c"),
            ("aarch64", _) => ("BUILD_TARGET_AARCH64", "invokeNative_aarch64.s", "aot_reloc_aarch64.c"),
            ("arm", "eabihf") if self.is_thumb() => (
                "BUILD_TARGET_THUMB_VFP",
                "invokeNative_thumb_vfp.s",
                "aot_reloc_thumb.c",
            ),
            ("arm", _) if self.is_thumb() => ("BUILD_TARGET_THUMB", "invokeNative_thumb.s", "aot_reloc_thumb.c"),
            ("arm", "eabihf") => ("BUILD_TARGET_ARM_VFP", "invokeNative_arm_vfp.s", "aot_reloc_arm.c"),
            ("arm", _) => ("BUILD_TARGET_ARM", "invokeNative_arm.s", "aot_reloc_arm.c"),
            (other, _) => panic!("wamr-sys does not know the architecture `{other}`"),
        }
    }
}

/// `config.h` says what each of them does. What is not named here is off.
pub fn defines(target: &Target) -> Vec<(String, String)> {
    let on = |condition: bool| if condition { "1" } else { "0" };
    let mut defines = vec![
        // Engines: the interpreter runs everywhere, AOT where an artifact fits.
        ("WASM_ENABLE_INTERP", "1"),
        ("WASM_ENABLE_FAST_INTERP", on(target.fast_interpreter)),
        ("WASM_ENABLE_AOT", "1"),
        // What compilers emit by default today; AOT code and interpreter agree, so that a bundle may fall back.
        ("WASM_ENABLE_BULK_MEMORY", "1"),
        ("WASM_ENABLE_BULK_MEMORY_OPT", "1"),
        ("WASM_ENABLE_REF_TYPES", "1"),
        ("WASM_ENABLE_CALL_INDIRECT_OVERLONG", "1"),
        ("WASM_ENABLE_EXTENDED_CONST_EXPR", "1"),
        ("WASM_ENABLE_SIMD", "0"),
        // Bounds are checked in code: no 8 GB of address space per instance, no signal handlers, the same on every board.
        ("WASM_DISABLE_HW_BOUND_CHECK", "1"),
        ("WASM_DISABLE_STACK_HW_BOUND_CHECK", "1"),
        ("WASM_DISABLE_WRITE_GS_BASE", "1"),
        // Guests are stopped without it (`patch`): it would cut each guest's C stack to a fifth, for threads of its own, and
        // give every instance and environment locks.
        ("WASM_ENABLE_THREAD_MGR", "0"),
        // The stack that a host call may still use when a guest has used up its share.
        (
            "WASM_STACK_GUARD_SIZE",
            if target.is_bare() { "16384" } else { "32768" },
        ),
        // WASI and every other import are supplied from Rust.
        ("WASM_ENABLE_LIBC_WASI", "0"),
        ("WASM_ENABLE_LIBC_BUILTIN", "0"),
        ("WASM_ENABLE_MODULE_INST_CONTEXT", "0"),
        ("BH_MALLOC", "wasm_runtime_malloc"),
        ("BH_FREE", "wasm_runtime_free"),
        ("WASM_HAVE_MREMAP", "1"),
    ];
    if target.is_bare() {
        // Ways into native code that are faster by some nanoseconds, one for each of the commonest types, take flash.
        defines.push(("WASM_ENABLE_QUICK_AOT_ENTRY", "0"));
    } else {
        defines.extend([("BH_PLATFORM_LINUX", "1"), ("_GNU_SOURCE", "1")]);
    }
    let (processor, ..) = target.processor();
    defines.push((processor, "1"));
    let quoted = format!("\"{}\"", target.aot_target());
    // What the loader compares an AOT file's target with (`get_current_target`), on the processors of several kinds.
    defines.push(("BUILD_TARGET", &quoted));
    defines
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Below WAMR's `core`.
pub fn includes(target: &Target) -> Vec<&'static str> {
    let mut includes = vec![
        ".",
        "iwasm/include",
        "iwasm/common",
        "iwasm/interpreter",
        "iwasm/aot",
        "shared/include",
        "shared/utils",
        "shared/mem-alloc",
        "shared/platform/include",
    ];
    if !target.is_bare() {
        includes.extend([
            "shared/platform/linux",
            // For `c/memory_map.c`, which includes posix_memmap.c.
            "shared/platform/common/posix",
            "shared/platform/common/libc-util",
        ]);
    }
    includes
}

/// Compiled from changed copies (`patch`). Below WAMR's `core`.
pub fn interpreter(target: &Target) -> &'static str {
    if target.fast_interpreter {
        "iwasm/interpreter/wasm_interp_fast.c"
    } else {
        "iwasm/interpreter/wasm_interp_classic.c"
    }
}

/// Compiled from a changed copy (`patch`). Below WAMR's `core`.
pub const AOT_LOADER: &str = "iwasm/aot/aot_loader.c";

/// Compiled from a changed copy (`patch`). Below WAMR's `core`.
pub const MODULE_LOADER: &str = "iwasm/interpreter/wasm_loader.c";

/// Those that run what a module has run at its instantiation, on an environment that they make for it. Ours is one that can
/// be stopped: they are compiled with [`START_ENVIRONMENT`]. Below WAMR's `core`.
pub const INSTANTIATING: [&str; 2] = ["iwasm/interpreter/wasm_runtime.c", "iwasm/aot/aot_runtime.c"];

/// What those files call in place of WAMR's own: `c/stop.c` has it.
pub const START_ENVIRONMENT: [(&str, &str); 2] = [
    ("wasm_exec_env_create", "wamr_sys_start_env_create"),
    ("wasm_exec_env_destroy", "wamr_sys_start_env_destroy"),
];

/// Maps and unmaps the pages of linear memories. Compiled with [`PAGES`]. Below WAMR's `core`.
pub const LINEAR_MEMORY: &str = "iwasm/common/wasm_memory.c";

/// What that file calls in place of WAMR's platform layer, so that it is counted: `c/memory.c` has it.
pub const PAGES: [(&str, &str); 3] = [
    ("os_mmap", "wamr_sys_mmap"),
    ("os_mremap", "wamr_sys_mremap"),
    ("os_munmap", "wamr_sys_munmap"),
];

/// The same for [`AOT_LOADER`], which maps and unmaps the pages of native code.
pub const CODE_PAGES: [(&str, &str); 2] = [("os_mmap", "wamr_sys_map_code"), ("os_munmap", "wamr_sys_unmap_code")];

/// What the table of functions for AOT code has in place of WAMR's own: `c/bulk.c` has it. Its texts, by which AOT code asks
/// for them, stay. The file is [`Target::relocation`].
pub const BULK: [(&str, &str); 7] = [
    ("aot_memset", "wamr_sys_aot_memset"),
    ("aot_memmove", "wamr_sys_aot_memmove"),
    ("aot_memory_init", "wamr_sys_aot_memory_init"),
    // On Arm, LLVM calls these in place of C's.
    ("__aeabi_memclr", "wamr_sys_aeabi_memclr"),
    ("__aeabi_memcpy", "wamr_sys_aeabi_memcpy"),
    ("__aeabi_memmove", "wamr_sys_aeabi_memmove"),
    ("__aeabi_memset", "wamr_sys_aeabi_memset"),
];

/// All others, below WAMR's `core`.
pub fn sources(target: &Target) -> Vec<String> {
    let (_, invoke_native, _) = target.processor();
    let mut groups: Vec<(&str, Vec<&str>)> = vec![
        (
            "iwasm/common",
            vec![
                "wasm_blocking_op.c",
                // Never called, but wasm_runtime_common.c names one function of it.
                "wasm_c_api.c",
                "wasm_exec_env.c",
                "wasm_loader_common.c",
                "wasm_native.c",
                "wasm_runtime_common.c",
                "wasm_shared_memory.c",
            ],
        ),
        ("iwasm/common/arch", vec![invoke_native]),
        ("iwasm/aot", vec!["aot_intrinsic.c"]),
        ("shared/mem-alloc", vec!["mem_alloc.c"]),
        (
            "shared/mem-alloc/ems",
            vec!["ems_alloc.c", "ems_hmu.c", "ems_kfc.c", "ems_gc.c"],
        ),
        (
            "shared/utils",
            vec![
                "bh_assert.c",
                "bh_bitmap.c",
                "bh_common.c",
                "bh_hashmap.c",
                "bh_leb128.c",
                "bh_list.c",
                "bh_log.c",
                "bh_queue.c",
                "bh_vector.c",
                "runtime_timer.c",
            ],
        ),
    ];
    if !target.is_bare() {
        groups.extend([
            ("shared/platform/linux", vec!["platform_init.c"]),
            (
                "shared/platform/common/posix",
                vec![
                    "posix_blocking_op.c",
                    "posix_malloc.c",
                    "posix_sleep.c",
                    "posix_thread.c",
                    "posix_time.c",
                ],
            ),
        ]);
    }
    groups
        .iter()
        .flat_map(|(folder, names)| names.iter().map(move |name| format!("{folder}/{name}")))
        .collect()
}

/// Our own C.
pub fn ours(target: &Target) -> Vec<&'static str> {
    let mut files = vec!["c/border.c", "c/bulk.c", "c/memory.c", "c/state.c", "c/stop.c"];
    if target.is_bare() {
        files.extend([
            "c/bare/heap.c",
            "c/bare/math.c",
            "c/bare/pages.c",
            "c/bare/platform.c",
            "c/bare/text.c",
        ]);
    } else {
        files.extend(["c/code_map.c", "c/memory_map.c"]);
    }
    files
}
