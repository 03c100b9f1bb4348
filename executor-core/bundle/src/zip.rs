//! A zip's directory: every entry, checked.
//!
//! In: bytes that begin with a local file header. Out: a [`Directory`] of which each entry's data lies in the bytes.
//!
//! **Invariants.** The archive is the whole slice, from its first byte to its last. Entries lie before the central
//! directory and do not overlap. Names are unique. The local header of an entry says what the central directory says; sizes
//! that a data descriptor carries are taken from the central directory. An inflated length is one that deflate can reach
//! from the compressed one.
//!
//! Source: APPNOTE.TXT 6.3.10 (PKWARE), §4.3 and §4.4.

use core::ops::Range;

use heapless::Vec;
use rawzip::{CompressionMethod, ZipFileHeaderRecord, ZipLocator, ZipSliceArchive};

use crate::CodeError;

/// The most entries that a zip may have: an action is one module in a few forms. Bounds the directory's memory and the
/// quadratic search for overlaps.
pub const ENTRIES_MAX: usize = 32;

/// The first bytes of a zip that has an entry.
pub(crate) const MAGIC: &[u8] = b"PK\x03\x04";

/// The end record is 22 bytes and at most 65,535 of comment long; nothing else is searched for it.
const END_SEARCH_MAX_BYTES: u64 = 22 + 65_535;

/// The fixed part of a local file header (§4.3.7).
const LOCAL_HEADER_BYTES: usize = 30;

/// Deflate codes at most 258 bytes in 2 bits.
const DEFLATE_RATIO_MAX: usize = 1032;

/// The files of a zip.
#[derive(Debug)]
pub(crate) struct Directory<'a> {
    files: Vec<File<'a>, ENTRIES_MAX>,
}

/// One file of a zip.
#[derive(Clone, Debug)]
pub(crate) struct File<'a> {
    pub(crate) name: &'a [u8],
    /// Where its data is, as stored or compressed.
    pub(crate) data: Range<usize>,
    pub(crate) is_deflated: bool,
    /// The length of its content. Equal to the length of `data` unless it is deflated.
    pub(crate) content_len: usize,
    /// The CRC-32 of its content.
    pub(crate) crc32: u32,
}

impl<'a> Directory<'a> {
    /// Read the directory of a zip that is exactly `bytes`.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, CodeError> {
        let archive = ZipLocator::new()
            .max_search_space(END_SEARCH_MAX_BYTES)
            .locate_in_slice(bytes)
            .map_err(|_| CodeError::Zip)?;
        if archive.end_offset() != bytes.len() as u64 {
            return Err(CodeError::Zip);
        }
        // §4.4.19: the numbers of this disk and of the directory's, all ones if zip64 fields hold them.
        let disks_start = to_usize(archive.eocd_offset())?.checked_add(4).ok_or(CodeError::Zip)?;
        if !matches!(
            bytes.get(disks_start..).and_then(|rest| rest.first_chunk()),
            Some([0, 0, 0, 0] | [0xff, 0xff, 0xff, 0xff])
        ) {
            return Err(CodeError::Zip);
        }
        if archive.entries_hint() > ENTRIES_MAX as u64 {
            return Err(CodeError::ZipEntries);
        }
        let mut files = Vec::new();
        let mut extents: Vec<Range<usize>, ENTRIES_MAX> = Vec::new();
        let mut entries = archive.entries();
        while let Some(record) = entries.next_entry().map_err(|_| CodeError::Zip)? {
            let (extent, file) = read_entry(bytes, &archive, &record)?;
            if extents
                .iter()
                .any(|other| extent.start < other.end && other.start < extent.end)
            {
                return Err(CodeError::Zip);
            }
            extents.push(extent).map_err(|_| CodeError::ZipEntries)?;
            if files.iter().any(|other: &File<'_>| other.name == file.name) {
                return Err(CodeError::ZipDuplicate);
            }
            files.push(file).map_err(|_| CodeError::ZipEntries)?;
        }
        let starts_at_zero = extents.iter().any(|extent| extent.start == 0);
        if files.len() as u64 != archive.entries_hint() || !starts_at_zero {
            return Err(CodeError::Zip);
        }
        Ok(Directory { files })
    }

    /// The files, in the order of the central directory. Directories are left out.
    pub(crate) fn files(&self) -> impl Iterator<Item = &File<'a>> {
        self.files.iter().filter(|file| file.name.last() != Some(&b'/'))
    }

    /// The file of this name.
    pub(crate) fn file(&self, name: &str) -> Option<&File<'a>> {
        self.files().find(|file| file.name == name.as_bytes())
    }
}

/// Read and check one entry: the bytes that it takes up, header included, and the file.
fn read_entry<'a>(
    bytes: &'a [u8],
    archive: &ZipSliceArchive<&'a [u8]>,
    record: &ZipFileHeaderRecord<'_>,
) -> Result<(Range<usize>, File<'a>), CodeError> {
    if record.flags().is_encrypted() || record.flags().is_masked() {
        return Err(CodeError::ZipEncrypted);
    }
    let is_deflated = match record.compression_method() {
        CompressionMethod::STORE => false,
        CompressionMethod::DEFLATE => true,
        _ => return Err(CodeError::ZipMethod),
    };
    let entry = archive.get_entry(record.wayfinder()).map_err(|_| CodeError::Zip)?;
    let (data_start, data_end) = entry.compressed_data_range();
    if data_end > archive.directory_offset() {
        return Err(CodeError::Zip);
    }
    let data = to_usize(data_start)?..to_usize(data_end)?;
    let start = to_usize(record.local_header_offset())?;
    let content_len = to_usize(record.uncompressed_size_hint())?;
    let is_possible = if is_deflated {
        content_len / DEFLATE_RATIO_MAX <= data.len()
    } else {
        content_len == data.len()
    };

    let local = entry.local_header();
    let is_same_file = local.file_path().as_bytes() == record.file_path().as_bytes()
        && local.compression_method() == record.compression_method()
        && !local.flags().is_encrypted();
    // With a data descriptor, the local header's own sizes and checksum are zero.
    let is_same_size = local.flags().has_data_descriptor()
        || (local.compressed_size_hint() == record.compressed_size_hint()
            && local.uncompressed_size_hint() == record.uncompressed_size_hint()
            && local.crc32() == record.crc32());
    if !is_possible || !is_same_file || !is_same_size {
        return Err(CodeError::Zip);
    }

    // The name lies right behind the local header's fixed part.
    let name_start = start + LOCAL_HEADER_BYTES;
    let name = bytes
        .get(name_start..name_start + local.file_path().len())
        .ok_or(CodeError::Zip)?;
    let file = File {
        name,
        data: data.clone(),
        is_deflated,
        content_len,
        crc32: record.crc32(),
    };
    Ok((start..data.end, file))
}

fn to_usize(value: u64) -> Result<usize, CodeError> {
    usize::try_from(value).map_err(|_| CodeError::Zip)
}
