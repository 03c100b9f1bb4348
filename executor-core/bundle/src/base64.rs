//! Base64 in place.
//!
//! In: the content of a JSON string. Out: the bytes that it stands for, at the front of the same memory.
//!
//! OpenWhisk's controller takes code as binary if it is base64 of the standard alphabet with padding (RFC 4648 §4), white
//! space around it set aside. JSON encoders may escape what they like: some write `/` as `\/`, others `=` as `\u003d`
//! (RFC 8259 §7). Escapes are undone only where there is a backslash; ordinary code is read once.

use base64_simd::STANDARD;

use crate::CodeError;

/// Decode `code`, the content of a JSON string, to the front of the same slice. Returns the decoded length.
///
/// # Errors
/// [`CodeError::Base64`] if it is not base64 of the standard alphabet, with padding. What `code` then holds is unspecified.
pub fn decode_base64(code: &mut [u8]) -> Result<usize, CodeError> {
    let len = match memchr::memchr(b'\\', code) {
        None => code.len(),
        Some(first) => unescape(code, first)?,
    };
    let text = code.get(..len).unwrap_or_default();
    let start = len - text.trim_ascii_start().len();
    let end = text.trim_ascii_end().len();
    let trimmed = code.get_mut(start..end.max(start)).unwrap_or_default();
    let decoded_len = STANDARD.decode_inplace(trimmed).map_err(|_| CodeError::Base64)?.len();
    if start > 0 {
        code.copy_within(start..start + decoded_len, 0);
    }
    Ok(decoded_len)
}

/// Undo the escapes of a JSON string in place, from the first backslash on. Base64 and white space are ASCII: an escape of
/// anything else is an error. Returns the new length.
fn unescape(code: &mut [u8], first: usize) -> Result<usize, CodeError> {
    let mut read = first;
    let mut write = first;
    while let Some(&byte) = code.get(read) {
        let (value, width) = match byte {
            b'\\' => escape(code.get(read + 1..).unwrap_or_default()).ok_or(CodeError::Base64)?,
            plain => (plain, 1),
        };
        // `write` never overtakes `read`: an escape is longer than what it stands for.
        if let Some(place) = code.get_mut(write) {
            *place = value;
        }
        read += width;
        write += 1;
    }
    Ok(write)
}

/// What the escape after a backslash stands for, and its width with the backslash.
fn escape(rest: &[u8]) -> Option<(u8, usize)> {
    match rest.first()? {
        b'/' => Some((b'/', 2)),
        b'n' => Some((b'\n', 2)),
        b'r' => Some((b'\r', 2)),
        b't' => Some((b'\t', 2)),
        b'u' => {
            let digits = core::str::from_utf8(rest.get(1..5)?).ok()?;
            if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            let value = u8::from_str_radix(digits, 16).ok()?;
            value.is_ascii().then_some((value, 6))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(code: &str) -> Result<Vec<u8>, CodeError> {
        let mut bytes = code.as_bytes().to_vec();
        let len = decode_base64(&mut bytes)?;
        bytes.truncate(len);
        Ok(bytes)
    }

    #[test]
    fn decodes_what_encoders_write() {
        for (code, bytes) in [
            ("", &b""[..]),
            ("AGFzbQEAAAA=", b"\0asm\x01\0\0\0"),
            ("AGFzbQEAAAA\\u003d", b"\0asm\x01\0\0\0"),
            ("AGFzbQEAAAA=\\n", b"\0asm\x01\0\0\0"),
            ("\\r\\n AGFzbQEAAAA= \\t", b"\0asm\x01\0\0\0"),
            ("/+//", b"\xff\xef\xff"),
            ("\\/+\\/\\/", b"\xff\xef\xff"),
            ("\\u002F\\u002b\\/\\u002f", b"\xff\xef\xff"),
            ("Zg==", b"f"),
            ("Zm8=", b"fo"),
            (" \\n", b""),
        ] {
            assert_eq!(decoded(code).as_deref(), Ok(bytes), "{code:?}");
        }
    }

    #[test]
    fn refuses_what_is_not_base64() {
        for code in [
            "Zg",
            "Zg=",
            "Z===",
            "=",
            "Zh==",
            "Zm8_",
            "Zm-v",
            "Zm 8=",
            "Zm\\n8=",
            "Zg==Zg==",
            "Zg==\\",
            "Zg==\\x",
            "Zg==\\u00",
            "Zg==\\u00zz",
            "Zg==\\u+03d",
            "\\u0100",
            "Zm9\u{e9}",
            "function main() { return {} }",
        ] {
            assert_eq!(decoded(code), Err(CodeError::Base64), "{code:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn returns_what_was_encoded(bytes: Vec<u8>, escape_slash: bool, escape_padding: bool) {
            let mut code = STANDARD.encode_type::<String>(&bytes);
            if escape_slash {
                code = code.replace('/', "\\/");
            }
            if escape_padding {
                code = code.replace('=', "\\u003D");
            }
            proptest::prop_assert_eq!(decoded(&code), Ok(bytes));
        }

        #[test]
        fn never_panics(mut bytes: Vec<u8>) {
            if let Ok(len) = decode_base64(&mut bytes) {
                proptest::prop_assert!(len <= bytes.len());
            }
        }
    }
}
