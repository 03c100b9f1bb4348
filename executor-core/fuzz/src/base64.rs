//! Base64 in place: what a table and a loop make of the same string.

use action_bundle::decode_base64;
use executor_core::json::Str;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The input as the content of a JSON string, which is all that is ever decoded; else it must only do no harm.
pub fn check(data: &[u8]) {
    let mut decoded = data.to_vec();
    let result = decode_base64(&mut decoded).map(|len| &decoded[..len]);
    if Str::new(data).is_err() {
        return;
    }
    assert_eq!(result.ok(), oracle(data).as_deref());
}

/// RFC 8259 §7 without the escapes that can stand for nothing in base64, white space around it off, RFC 4648 §4 with padding
/// and without bits left over.
fn oracle(content: &[u8]) -> Option<Vec<u8>> {
    let has = |escape: &[u8]| content.windows(2).any(|pair| pair == escape);
    if has(b"\\f") || has(b"\\b") || has(b"\\\\") || has(b"\\\"") {
        return None;
    }
    let quoted = [b"\"", content, b"\""].concat();
    let text: String = serde_json::from_slice(&quoted).ok()?;
    // A form feed, which can only come as \u000c, is white space to the product.
    let text = text.trim_matches([' ', '\t', '\n', '\r', '\u{c}']).as_bytes();
    let mut bytes = Vec::new();
    let groups = text.chunks(4);
    let count = groups.len();
    for (index, group) in groups.enumerate() {
        let group: [u8; 4] = group.try_into().ok()?;
        let padding = match group {
            [_, _, b'=', b'='] if index + 1 == count => 2,
            [_, _, _, b'='] if index + 1 == count => 1,
            _ => 0,
        };
        let mut bits = 0_u32;
        for letter in &group[..4 - padding] {
            let digit = ALPHABET.iter().position(|other| other == letter)?;
            bits = bits << 6 | u32::try_from(digit).unwrap();
        }
        bits <<= 6 * padding;
        let [_, group @ ..] = bits.to_be_bytes();
        if group[3 - padding..].iter().any(|byte| *byte != 0) {
            return None;
        }
        bytes.extend_from_slice(&group[..3 - padding]);
    }
    Some(bytes)
}
