//! The checksum of a zip's entries (APPNOTE.TXT 4.4.7: CRC-32 with the polynomial of ISO 3309, reflected).

/// The checksum of `bytes`.
#[cfg(feature = "fast-crc32")]
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    rawzip::crc32(bytes)
}

/// The checksum of `bytes`, with a table of 64 bytes.
#[cfg(not(feature = "fast-crc32"))]
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    small(bytes)
}

/// What a nibble adds.
#[cfg(any(test, not(feature = "fast-crc32")))]
const TABLE: [u32; 16] = {
    let mut table = [0; 16];
    let mut nibble = 0;
    while nibble < 16 {
        #[expect(clippy::cast_possible_truncation, reason = "below 16")]
        let mut value = nibble as u32;
        let mut bit = 0;
        while bit < 4 {
            value = if value & 1 == 1 {
                (value >> 1) ^ 0xedb8_8320
            } else {
                value >> 1
            };
            bit += 1;
        }
        table[nibble] = value;
        nibble += 1;
    }
    table
};

#[cfg(any(test, not(feature = "fast-crc32")))]
fn small(bytes: &[u8]) -> u32 {
    let step = |crc: u32| (crc >> 4) ^ TABLE[(crc & 15) as usize];
    !bytes
        .iter()
        .fold(u32::MAX, |crc, byte| step(step(crc ^ u32::from(*byte))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_the_standard_one() {
        for text in [&b""[..], b"a", b"123456789", &[0xff; 1000]] {
            assert_eq!(small(text), rawzip::crc32(text));
        }
        assert_eq!(small(b"123456789"), 0xcbf4_3926, "the check value of its catalogue");
    }
}
