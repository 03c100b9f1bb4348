//! 32-bit Arm: what the kernel tells of the CPU (`AT_HWCAP`, `AT_HWCAP2`), as names of features.
//!
//! The bits are those of Linux's `arch/arm/include/uapi/asm/hwcap.h`; a 64-bit kernel tells its 32-bit programs the same
//! ones. The names are those of `rustc` and LLVM that the manifests of `wamrc` use. A manifest names only the greatest
//! floating-point unit that its code uses, and a CPU runs the code of all lesser ones: each that is implied is told.

const VFP: usize = 1 << 6;
const EDSP: usize = 1 << 7;
const NEON: usize = 1 << 12;
const VFPV3: usize = 1 << 13;
/// Half of the registers: of VFPv3, and of VFPv4 as well.
const VFPV3D16: usize = 1 << 14;
const VFPV4: usize = 1 << 16;
/// Division in the Arm instruction set; it comes with division in Thumb.
const IDIVA: usize = 1 << 17;
const VFPD32: usize = 1 << 19;
const FPHP: usize = 1 << 22;
const ASIMDHP: usize = 1 << 23;
const ASIMDDP: usize = 1 << 24;

/// AES, PMULL, SHA1, SHA2, CRC32: no CPU before Armv8 has any of them, and no Armv8 of a board lacks the last.
const ANY_OF_ARMV8: usize = 0b1_1111;
const CRC32: usize = 1 << 4;

/// The features that a CPU has, from what the kernel tells of it.
pub fn features(hwcap: usize, hwcap2: usize) -> Vec<&'static str> {
    let has = |bits: usize| hwcap & bits == bits;
    let is_armv8 = hwcap2 & ANY_OF_ARMV8 != 0;
    // A 64-bit kernel does not set VFPD32, and kernels before 3.7 do not know it; Neon needs all 32 registers.
    let has_32_registers = has(VFPD32) || has(NEON) || (has(VFPV3) && !has(VFPV3D16));
    let vfp3 = hwcap & (VFPV3 | VFPV3D16 | VFPV4) != 0;
    let vfp4 = has(VFPV4);
    let armv8 = vfp4 && is_armv8;
    let groups: [(bool, &[&'static str]); 14] = [
        (armv8 && has_32_registers, &["fp-armv8", "fp-armv8sp"]),
        (armv8, &["fp-armv8d16", "fp-armv8d16sp"]),
        (vfp4 && has_32_registers, &["vfp4", "vfp4sp"]),
        (vfp4, &["vfp4d16", "vfp4d16sp"]),
        (vfp3 && has_32_registers, &["vfp3", "vfp3sp", "d32"]),
        (vfp3, &["vfp3d16", "vfp3d16sp"]),
        (vfp3 || has(VFP), &["vfp2", "vfp2sp", "fpregs64", "fpregs"]),
        (has(NEON), &["neon"]),
        (has(IDIVA), &["hwdiv"]),
        (has(EDSP), &["dsp"]),
        (hwcap2 & CRC32 != 0, &["crc"]),
        // Loads that acquire and stores that release: no bit of their own, but no Armv8 is without them.
        (is_armv8, &["acquire-release"]),
        (has(FPHP | ASIMDHP), &["fp16", "fpregs16"]),
        (has(ASIMDDP), &["dotprod"]),
    ];
    groups
        .into_iter()
        .filter(|(is_there, _)| *is_there)
        .flat_map(|(_, names)| names)
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of `/proc/cpuinfo`'s line `Features`, in the order of the bits.
    #[rustfmt::skip] // one name a line hides the count
    const WORDS: [&str; 28] = [
        "swp", "half", "thumb", "26bit", "fastmult", "fpa", "vfp", "edsp", "java", "iwmmxt", "crunch", "thumbee", "neon",
        "vfpv3", "vfpv3d16", "tls", "vfpv4", "idiva", "idivt", "vfpd32", "lpae", "evtstrm", "fphp", "asimdhp", "asimddp",
        "asimdfhm", "asimdbf16", "i8mm",
    ];
    const WORDS2: [&str; 5] = ["aes", "pmull", "sha1", "sha2", "crc32"];

    fn bits(line: &str, words: &[&str]) -> usize {
        line.split(' ')
            .filter_map(|word| words.iter().position(|known| *known == word))
            .fold(0, |bits, position| bits | 1 << position)
    }

    #[test]
    fn boards_are_known_by_their_kernels_words() {
        const VFP2: &str = "vfp2,vfp2sp,fpregs64,fpregs";
        const VFP3_D16: &str = "vfp3d16,vfp3d16sp,vfp2,vfp2sp,fpregs64,fpregs";
        const VFP4: &str = "vfp4,vfp4sp,vfp4d16,vfp4d16sp,vfp3,vfp3sp,d32";
        const ARMV8: &str = "fp-armv8,fp-armv8sp,fp-armv8d16,fp-armv8d16sp";
        for (board, line, expected) in [
            ("no list", "", String::new()),
            (
                "Raspberry Pi 1, Zero: ARM1176JZF-S",
                "half thumb fastmult vfp edsp java tls",
                format!("{VFP2},dsp"),
            ),
            (
                "BeagleBone Black: Cortex-A8",
                "half thumb fastmult vfp edsp thumbee neon vfpv3 tls vfpd32",
                format!("vfp3,vfp3sp,d32,{VFP3_D16},neon,dsp"),
            ),
            (
                "Tegra 2: Cortex-A9 without Neon",
                "swp half thumb fastmult vfp edsp vfpv3 vfpv3d16 tls",
                format!("{VFP3_D16},dsp"),
            ),
            (
                "Cortex-A5 with VFPv4-D16",
                "half thumb fastmult vfp edsp vfpv3 vfpv3d16 tls vfpv4",
                format!("vfp4d16,vfp4d16sp,{VFP3_D16},dsp"),
            ),
            (
                "Raspberry Pi 2: Cortex-A7",
                "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm",
                format!("{VFP4},{VFP3_D16},neon,hwdiv,dsp"),
            ),
            (
                "Raspberry Pi 3, 4, 32-bit kernel: Cortex-A53, A72",
                "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm crc32",
                format!("{ARMV8},{VFP4},{VFP3_D16},neon,hwdiv,dsp,crc,acquire-release"),
            ),
            (
                "Raspberry Pi 3, 4, 64-bit kernel",
                "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt lpae evtstrm crc32",
                format!("{ARMV8},{VFP4},{VFP3_D16},neon,hwdiv,dsp,crc,acquire-release"),
            ),
            (
                "Raspberry Pi 5, 64-bit kernel: Cortex-A76",
                "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt lpae evtstrm fphp asimdhp asimddp aes pmull \
                 sha1 sha2 crc32",
                format!("{ARMV8},{VFP4},{VFP3_D16},neon,hwdiv,dsp,crc,acquire-release,fp16,fpregs16,dotprod"),
            ),
        ] {
            let found = features(bits(line, &WORDS), bits(line, &WORDS2));
            assert_eq!(found.join(","), expected, "{board}");
        }
    }
}
