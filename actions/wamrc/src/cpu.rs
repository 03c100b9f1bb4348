//! Which features of a CPU the code may use beyond its target's baseline: what a node has to have before it runs the code.
//!
//! LLVM counts much among a CPU's features that no guest's code can contain (system registers, tuning), and has some names of
//! its own. In: LLVM's list. Out: `rustc`'s names where it has one, since those are what `is_x86_feature_detected!` and its
//! like take. A name that the tables here do not hold stays as it is: a node that does not know it refuses the code, which is
//! safe.

use std::collections::BTreeSet;

/// LLVM's name, and `rustc`'s.
const RENAMED: [(&str, &str); 8] = [
    // x86-64
    ("bmi", "bmi1"),
    ("crc32", "sse4.2"), // the same CPUs: LLVM has a second name for kernels, which avoid the registers of SSE
    ("cx16", "cmpxchg16b"),
    ("pclmul", "pclmulqdq"),
    // AArch64
    ("complxnum", "fcma"),
    ("fullfp16", "fp16"),
    ("pauth", "paca"),
    // Arm: a CPU that divides in one of its instruction sets divides in both, if it has both.
    ("hwdiv-arm", "hwdiv"),
];

/// Arm's floating-point units, from the greatest: one that a CPU has stands for all that follow.
#[rustfmt::skip] // one name a line hides the groups
const ARM_FLOATING_POINT: [&str; 16] = [
    "fp-armv8", "fp-armv8sp", "fp-armv8d16", "fp-armv8d16sp", "vfp4", "vfp4sp", "vfp4d16", "vfp4d16sp", "vfp3",
    "vfp3sp", "vfp3d16", "vfp3d16sp", "vfp2", "vfp2sp", "fpregs64", "fpregs",
];

/// Features that say how fast something is, that need a privileged mode, that manage caches or random numbers, or whose
/// instructions LLVM uses only where a program names them, which WebAssembly cannot.
#[rustfmt::skip] // one name a line hides the groups
const NOT_IN_CODE: [&str; 94] = [
    // x86-64. `sahf`: AMD64 code has no use for it, and every CPU with SSE4.2 has it.
    "64bit", "64bit-mode", "allow-light-256-bit", "branchfusion", "cldemote", "clflushopt", "clwb", "clzero",
    "ermsb", "evex512", "fsgsbase", "fsrm", "fxsr", "idivl-to-divl", "idivq-to-divl", "invpcid", "macrofusion",
    "movdir64b", "movdiri", "mwaitx", "nopl", "pku", "prfchw", "ptwrite", "rdpid", "rdpru", "rdrnd", "rdseed",
    "sahf", "sbb-dep-breaking", "serialize", "sgx", "sha", "shstk", "vzeroupper", "waitpkg", "wbnoinvd", "xsave",
    "xsavec", "xsaveopt", "xsaves",
    // AArch64 and Arm. Their version names (`v8.1a`) stand for features that are listed, too.
    "CONTEXTIDREL2", "aclass", "addr-lsl-slow-14", "aes", "alu-lsl-fast", "arith-bcc-fusion", "arith-cbz-fusion",
    "arm", "armv6kz", "armv7-a", "armv7e-m", "avoid-partial-cpsr", "balance-fp-ops", "bti", "ccdp", "ccidx", "ccpp",
    "cheap-predicable-cpsr",
    "d32", "db", "dont-widen-vmovs", "el2vmsa", "el3", "ete", "expand-fp-mlx", "fp64", "fpao", "lor",
    "loop-align", "mclass", "mp", "muxed-units", "noarm", "nonpipelined-vfp", "nv", "pan", "pan-rwv", "perfmon",
    "predictable-select-expensive", "predres", "ras", "ret-addr-stack", "sha2", "specrestrict", "spe",
    "splat-vfp-neon", "ssbs", "trustzone", "uaops", "vh", "virtualization", "vldn-align",
    "vmlx-forwarding",
];

/// The same for names that begin so.
#[rustfmt::skip] // one name a line hides the groups
const NOT_IN_CODE_PREFIXES: [&str; 13] = [
    "disable-", "enable-", "false-deps-", "fast-", "fix-", "fuse-", "neon-fpmovs", "no-", "prefer-", "slow", "tuning-",
    "use-", "vmlx-",
];

/// The features of `cpu` that are not among those of `baseline` (both with commas), by `rustc`'s names, sorted.
pub fn needed_features(cpu: &str, baseline: &str) -> Vec<String> {
    let cpu: BTreeSet<&str> = cpu.split(',').filter(|name| !name.is_empty()).collect();
    let baseline: BTreeSet<&str> = baseline.split(',').collect();
    let floating_point = ARM_FLOATING_POINT.into_iter().find(|name| cpu.contains(name));
    // Half-precision conversions, by an older name: part of those units. (AArch64's `fp16` is LLVM's `fullfp16`.)
    let is_part_of_floating_point =
        |name: &str| name == "fp16" || (ARM_FLOATING_POINT.contains(&name) && Some(name) != floating_point);
    let needed: BTreeSet<&str> = cpu
        .into_iter()
        .filter(|name| !baseline.contains(name))
        .filter(|name| !NOT_IN_CODE.contains(name) && !is_part_of_floating_point(name))
        .filter(|name| !NOT_IN_CODE_PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
        .filter(|name| !is_core_or_version(name))
        .map(|name| {
            RENAMED
                .iter()
                .find(|(llvm, _)| *llvm == name)
                .map_or(name, |(_, rustc)| rustc)
        })
        .collect();
    needed.into_iter().map(str::to_owned).collect()
}

/// LLVM's flags for one core (`a53`, `m7`, `neoversen1`), or a version of an architecture (`v8.2a`, `v7`).
fn is_core_or_version(name: &str) -> bool {
    let has_digit = |rest: &str| rest.starts_with(|first: char| first.is_ascii_digit());
    ["a", "m", "r", "v"]
        .iter()
        .any(|prefix| name.strip_prefix(prefix).is_some_and(has_digit))
        || name.starts_with("neoverse")
        || name.starts_with("cortex-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_code_cannot_contain_is_left_out() {
        for (cpu, baseline, expected) in [
            ("", "", ""),
            (
                "sse2,sse3,cx16,crc32,sse4.2,slow-3ops-lea,sahf",
                "sse2",
                "cmpxchg16b,sse3,sse4.2",
            ),
            ("bmi,avx2,xsave,64bit", "64bit", "avx2,bmi1"),
            (
                "a53,v8a,crc,aes,sha2,fuse-aes,perfmon,neon,fp-armv8",
                "v8a,neon,fp-armv8",
                "crc",
            ),
            ("a76,v8.2a,v8a,fullfp16,lse,fp-armv8,ccpp", "v8a,fp-armv8", "fp16,lse"),
            ("a72,fix-cortex-a57-aes-1742098,fpao,crc", "", "crc"),
            ("armv6kz,v6,v6k,v6kz,trustzone,vfp2,vfp2sp,slowfpvmlx", "v6", "vfp2"),
            (
                "m7,fp-armv8d16,fp-armv8d16sp,vfp4d16,fp16,fp64,fpregs",
                "",
                "fp-armv8d16",
            ),
            (
                "vfp3,vfp3d16,neon,hwdiv,hwdiv-arm,vfp4,vfp4d16,fp16",
                "vfp3d16",
                "hwdiv,neon,vfp4",
            ),
            ("of-the-future", "", "of-the-future"),
        ] {
            assert_eq!(needed_features(cpu, baseline).join(","), expected, "{cpu}");
        }
    }
}
