//! A deflated artifact: taken if, and only if, another implementation inflates it to what its header promises.

use action_bundle::{CodeError, Kind};
use flate2::{Crc, Decompress, FlushDecompress, Status};

use crate::archive::{ARTIFACT_MAX_BYTES, WASM_HEADER, around, chosen};

/// A block that is stored and not the last: the beginning of a module.
const BEGINNING: &[u8] = b"\0\x08\0\xf7\xff\0asm\x01\0\0\0";

/// The first byte says how the header lies; the rest is deflated data, which goes on where a module has begun.
pub fn check(data: &[u8]) {
    let Some((&lie, rest)) = data.split_first() else { return };
    let compressed = [BEGINNING, rest].concat();
    let inflated = inflated(&compressed);
    let mut content_len = inflated.as_ref().map_or(usize::from(lie) + 8, Vec::len);
    let mut crc32 = inflated.as_deref().map_or(0, crc);
    let is_lie = match lie {
        1 => {
            content_len += 1;
            true
        }
        2 => {
            content_len -= 1;
            true
        }
        3 => {
            crc32 ^= 1;
            true
        }
        _ => false,
    };
    let found = chosen(&around(&compressed, content_len, crc32));
    match inflated {
        Some(inflated) if !is_lie && inflated.len() <= ARTIFACT_MAX_BYTES => {
            assert!(inflated.starts_with(WASM_HEADER));
            assert_eq!(found, Ok((Kind::Wasm, inflated)));
        }
        Some(_) if !is_lie => assert_eq!(found, Err(CodeError::ArtifactLen)),
        // A length that deflate cannot reach contradicts the zip already.
        _ => assert!(
            matches!(
                found,
                Err(CodeError::ArtifactDamaged | CodeError::Zip | CodeError::ArtifactLen)
            ),
            "{found:?}"
        ),
    }
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// All of it, if all of it is one stream. Up to a little more than is taken.
fn inflated(compressed: &[u8]) -> Option<Vec<u8>> {
    let mut state = Decompress::new(false);
    let mut output = Vec::with_capacity(ARTIFACT_MAX_BYTES + 1);
    let status = state.decompress_vec(compressed, &mut output, FlushDecompress::Finish);
    let is_whole = state.total_in() == u64::try_from(compressed.len()).unwrap();
    let is_too_long = output.len() > ARTIFACT_MAX_BYTES;
    (matches!(status, Ok(Status::StreamEnd)) && is_whole && !is_too_long).then_some(output)
}
