//! Reads an AOT file back: what it says of itself, and which functions it asks the runtime for.
//!
//! In: the bytes that WAMR's compiler has made. Out: facts, or [`Malformed`]. Never a panic, though the bytes come from this
//! process.
//!
//! Source: WAMR's `aot_loader.c`. A file is `\0aot`, a version, and sections `(type, size, data)` aligned to 4 bytes. Numbers
//! have the byte order of the target; all targets here are little-endian.

use std::collections::BTreeSet;
use std::fmt;

const MAGIC: &[u8; 4] = b"\0aot";
const SECTION_TARGET_INFO: u32 = 0;
const SECTION_RELOCATION: u32 = 5;
const SECTION_CUSTOM: u32 = 100;
const CUSTOM_NATIVE_SYMBOL: u32 = 1;
const BIN_TYPE_BIG_ENDIAN: u16 = 1;
const E_TYPE_XIP: u16 = 4;
const FEATURE_SIMD: u64 = 1 << 0;
const FEATURE_MULTI_THREAD: u64 = 1 << 2;

/// The file is not one that WAMR loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a whole AOT file")
    }
}

impl std::error::Error for Malformed {}

/// What an AOT file says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// The version of the format.
    pub format: u32,
    /// The instruction set.
    pub arch: String,
    /// It may run where it lies, from flash.
    pub is_xip: bool,
    /// It uses 128-bit SIMD.
    pub has_simd: bool,
    /// It polls whether it was told to stop: of WAMR's own runtimes only one with the thread manager takes it; ours does.
    pub is_interruptible: bool,
    /// The loader has to change the code before it runs.
    pub has_text_relocations: bool,
    /// What the loader has to write into the code: functions of the runtime.
    pub relocated_imports: BTreeSet<String>,
    /// What code that stays as it is calls by way of a table: functions of the runtime.
    pub native_imports: BTreeSet<String>,
}

impl Artifact {
    /// # Errors
    /// [`Malformed`]
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut file = Reader::new(bytes);
        if file.take(4)? != MAGIC {
            return Err(Malformed);
        }
        let format = file.u32()?;
        let mut target = None;
        let (mut relocations, mut natives) = (BTreeSet::new(), BTreeSet::new());
        loop {
            file.align(4);
            if file.is_at_end() {
                break;
            }
            let kind = file.u32()?;
            let size = file.length()?;
            let section = Reader::new(file.take(size)?);
            match kind {
                SECTION_TARGET_INFO => target = Some(TargetInfo::parse(section)?),
                SECTION_RELOCATION => relocation_symbols(section, &mut relocations)?,
                SECTION_CUSTOM => native_symbols(section, &mut natives)?,
                _ => {}
            }
        }
        let target = target.ok_or(Malformed)?;
        let has_text_relocations = [".rel.text", ".rela.text"]
            .iter()
            .any(|name| relocations.contains(*name));
        relocations.retain(|name| !is_of_the_file(name));
        Ok(Artifact {
            format,
            arch: target.arch,
            is_xip: target.is_xip,
            has_simd: target.features & FEATURE_SIMD != 0,
            is_interruptible: target.features & FEATURE_MULTI_THREAD != 0,
            has_text_relocations,
            relocated_imports: relocations,
            native_imports: natives,
        })
    }
}

struct TargetInfo {
    arch: String,
    is_xip: bool,
    features: u64,
}

impl TargetInfo {
    fn parse(mut section: Reader<'_>) -> Result<Self, Malformed> {
        let bin_type = section.u16()?;
        if bin_type & BIN_TYPE_BIG_ENDIAN != 0 {
            return Err(Malformed);
        }
        let _abi_type = section.u16()?;
        let e_type = section.u16()?;
        let _e_machine = section.u16()?;
        let _e_version = section.u32()?;
        let _e_flags = section.u32()?;
        let features = section.u64()?;
        let _reserved = section.u64()?;
        let arch = section.take(16)?;
        let arch = arch.split(|byte| *byte == 0).next().unwrap_or_default();
        Ok(TargetInfo {
            arch: text(arch)?,
            is_xip: e_type == E_TYPE_XIP,
            features,
        })
    }
}

/// The relocation section begins with the names of all symbols and of all sections that have relocations.
fn relocation_symbols(mut section: Reader<'_>, found: &mut BTreeSet<String>) -> Result<(), Malformed> {
    let count = section.length()?;
    let offsets = section.take(count.checked_mul(4).ok_or(Malformed)?)?;
    let size = section.length()?;
    let names = section.take(size)?;
    for offset in offsets.chunks_exact(4) {
        let offset = usize::try_from(Reader::new(offset).u32()?).map_err(|_| Malformed)?;
        found.insert(Reader::new(names.get(offset..).ok_or(Malformed)?).string()?);
    }
    Ok(())
}

/// What code in indirect mode calls by way of a table. Constants are in the table, too: their names say their values.
fn native_symbols(mut section: Reader<'_>, found: &mut BTreeSet<String>) -> Result<(), Malformed> {
    if section.u32()? != CUSTOM_NATIVE_SYMBOL {
        return Ok(());
    }
    for _ in 0..section.u32()? {
        section.align(2);
        let name = section.string()?;
        let is_constant = ["i32#", "i64#", "f32#", "f64#"]
            .iter()
            .any(|prefix| name.starts_with(prefix));
        if !name.is_empty() && !is_constant {
            found.insert(name);
        }
    }
    Ok(())
}

/// Names that the loader resolves in the file itself: sections (`.text`, `.rela.text`, …) and the module's functions.
fn is_of_the_file(name: &str) -> bool {
    name.starts_with('.') || name.starts_with("aot_func#") || name.starts_with("aot_func_internal#")
}

fn text(bytes: &[u8]) -> Result<String, Malformed> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Malformed)
}

struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, position: 0 }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let end = self.position.checked_add(count).ok_or(Malformed)?;
        let taken = self.bytes.get(self.position..end).ok_or(Malformed)?;
        self.position = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    fn length(&mut self) -> Result<usize, Malformed> {
        usize::try_from(self.u32()?).map_err(|_| Malformed)
    }

    /// A length of 16 bits, and so many bytes, the last of which is zero.
    fn string(&mut self) -> Result<String, Malformed> {
        let length = usize::from(self.u16()?);
        let bytes = self.take(length)?;
        text(bytes.strip_suffix(&[0]).ok_or(Malformed)?)
    }

    fn align(&mut self, alignment: usize) {
        self.position = self.position.next_multiple_of(alignment);
    }

    fn is_at_end(&self) -> bool {
        self.position >= self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(kind: u32, data: &[u8]) -> Vec<u8> {
        let mut section = kind.to_le_bytes().to_vec();
        section.extend(u32::try_from(data.len()).expect("short").to_le_bytes());
        section.extend(data);
        section.resize(section.len().next_multiple_of(4), 0);
        section
    }

    fn string(text: &str) -> Vec<u8> {
        let mut bytes = u16::try_from(text.len() + 1).expect("short").to_le_bytes().to_vec();
        bytes.extend(text.as_bytes());
        bytes.push(0);
        bytes
    }

    fn file() -> Vec<u8> {
        let mut file = b"\0aot\x06\0\0\0".to_vec();
        let mut info = vec![2, 0, 0, 0, 4, 0, 62, 0, 1, 0, 0, 0, 0, 0, 0, 0];
        info.extend((FEATURE_MULTI_THREAD).to_le_bytes());
        info.extend([0; 8]);
        info.extend(b"x86_64\0\0\0\0\0\0\0\0\0\0");
        file.extend(section(SECTION_TARGET_INFO, &info));
        let names = [string(".text"), string("aot_func#12"), string("memset")];
        let mut relocations = 3_u32.to_le_bytes().to_vec();
        let mut offset = 0_u32;
        for name in &names {
            relocations.extend(offset.to_le_bytes());
            offset += u32::try_from(name.len()).expect("short");
        }
        relocations.extend(offset.to_le_bytes());
        relocations.extend(names.concat());
        file.extend(section(SECTION_RELOCATION, &relocations));
        let mut native = CUSTOM_NATIVE_SYMBOL.to_le_bytes().to_vec();
        native.extend(2_u32.to_le_bytes());
        native.extend(string("f64#3FF0000000000000"));
        native.resize(native.len().next_multiple_of(2), 0);
        native.extend(string("aot_intrinsic_i64_mul"));
        file.extend(section(SECTION_CUSTOM, &native));
        file
    }

    #[test]
    fn a_file_says_what_it_is() {
        let artifact = Artifact::parse(&file()).expect("a whole file");
        assert_eq!((artifact.format, artifact.arch.as_str()), (6, "x86_64"));
        assert_eq!(
            (artifact.is_xip, artifact.is_interruptible, artifact.has_simd),
            (true, true, false)
        );
        assert!(!artifact.has_text_relocations);
        assert_eq!(artifact.relocated_imports, BTreeSet::from(["memset".to_owned()]));
        assert_eq!(
            artifact.native_imports,
            BTreeSet::from(["aot_intrinsic_i64_mul".to_owned()])
        );
    }

    #[test]
    fn a_cut_or_damaged_file_is_no_panic() {
        let file = file();
        for end in 0..file.len() {
            // A cut between two sections leaves a shorter file that is whole.
            let _ = Artifact::parse(&file[..end]);
            let mut damaged = file.clone();
            damaged[end] ^= 0xFF;
            let _ = Artifact::parse(&damaged);
        }
        assert_eq!(Artifact::parse(b"\0asm\x01\0\0\0"), Err(Malformed));
        assert_eq!(Artifact::parse(&file[..8]), Err(Malformed), "no target");
        assert_eq!(
            Artifact::parse(&file[..file.len() - 4]),
            Err(Malformed),
            "a cut section"
        );
    }
}
