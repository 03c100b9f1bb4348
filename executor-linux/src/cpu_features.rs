//! What this machine's CPU can do beyond its instruction set's baseline, by the names that `rustc` gives them.
//!
//! Native code in a bundle names the features that it uses; it runs here only if all of them are among these.

pub mod arm;

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! detected {
    ($detect:ident: $($feature:tt),+) => {
        [$(($feature, std::arch::$detect!($feature))),+]
            .iter()
            .filter_map(|&(feature, is_there)| is_there.then_some(feature))
            .collect()
    };
}

/// The features that were detected.
#[cfg(target_arch = "x86_64")]
pub fn detect() -> Vec<&'static str> {
    detected!(is_x86_feature_detected:
        "sse3", "ssse3", "sse4.1", "sse4.2", "popcnt", "cmpxchg16b", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "lzcnt",
        "movbe", "aes", "pclmulqdq", "sha", "adx", "rdrand", "rdseed", "fxsr", "xsave", "xsaveopt", "xsavec", "xsaves",
        "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl")
}

/// The features that were detected.
#[cfg(target_arch = "aarch64")]
pub fn detect() -> Vec<&'static str> {
    detected!(is_aarch64_feature_detected:
        "neon", "aes", "sha2", "crc", "lse", "rdm", "rcpc", "dotprod", "fp16", "sha3", "bf16", "i8mm")
}

/// The features that were detected: `std` cannot do it here, the kernel tells them.
#[cfg(target_arch = "arm")]
pub fn detect() -> Vec<&'static str> {
    // The kernel's list is read from this file. Without it nothing is known (`linux_hwcap` would panic), so that code must do
    // with its target's baseline.
    if std::fs::File::open("/proc/self/auxv").is_err() {
        log::warn!("/proc is not mounted: the CPU's features are not known, native code that names any is skipped");
        return Vec::new();
    }
    let (hwcap, hwcap2) = rustix::param::linux_hwcap();
    arm::features(hwcap, hwcap2)
}

/// None are known: code must do with its target's baseline.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm")))]
pub fn detect() -> Vec<&'static str> {
    Vec::new()
}
