//! Every input of a small width, through the targets' checks: lengths, ranges and grammars are where a fuzzer, which tries
//! some, may miss the one that counts.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use executor_core::limits::RESULT_MAX_BYTES;
use executor_core::runtime::RunError;
use fuzz::wamr;

/// Every text of up to `len_max` bytes of `alphabet`.
fn every_text(alphabet: &[u8], len_max: u32, mut check: impl FnMut(&[u8])) {
    for len in 0..=len_max {
        for number in 0..alphabet.len().pow(len) {
            let mut rest = number;
            let text: Vec<u8> = (0..len)
                .map(|_| {
                    let letter = alphabet[rest % alphabet.len()];
                    rest /= alphabet.len();
                    letter
                })
                .collect();
            check(&text);
        }
    }
}

#[test]
fn every_short_base64_is_decoded_as_by_hand() {
    every_text(b"AQg/= ", 6, fuzz::base64::check);
    every_text(b"\\/u03dnA=", 5, fuzz::base64::check);
}

#[test]
fn every_short_document_is_read_as_by_serde_json() {
    every_text(b"{}[]\",:1 a", 5, fuzz::json::check);
    every_text(b"-+.eE019 ", 5, fuzz::json::check);
    every_text(b"\"\\u0dDf8c", 5, fuzz::json::check);
}

#[test]
fn every_short_content_length_is_a_number_or_refused() {
    let check = |value: &[u8]| {
        let head = [b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:", value, b"\r\n\r\n"].concat();
        fuzz::http::check(&head);
    };
    every_text(b"019 +-,\tx\r\n", 4, check);
    // Around every power that a type may end at.
    for power in [
        1_u128 << 31,
        1 << 32,
        1 << 63,
        1 << 64,
        10_u128.pow(19),
        10_u128.pow(20),
    ] {
        for number in power - 12..power + 12 {
            check(number.to_string().as_bytes());
            check(format!("000{number}").as_bytes());
        }
    }
}

#[test]
fn every_short_line_of_a_head_is_read_as_by_the_grammar() {
    every_text(b"\r\n :aX\0", 5, |line| {
        fuzz::http::check(&[b"GET / HTTP/1.0\r\n", line, b"\r\n\r\n"].concat());
    });
    every_text(b"\r\n /G1.", 5, |line| {
        fuzz::http::check(&[line, b" / HTTP/1.0\r\n\r\n"].concat());
        fuzz::http::check(&[b"GET / HTTP", line, b"\r\nHost: a\r\n\r\n"].concat());
    });
}

/// The committed seeds are what is changed here.
fn seed(target: &str, name: &str) -> Vec<u8> {
    let path = format!("{}/corpus/{target}/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap()
}

#[test]
fn every_number_in_a_zip_may_be_at_any_bound() {
    for name in ["stored", "deflated", "descriptor", "two_modules"] {
        let zip = seed("zip", name);
        let len = u32::try_from(zip.len()).unwrap();
        let bounds = [
            0,
            1,
            29,
            30,
            31,
            len - 22,
            len - 1,
            len,
            len + 1,
            0x7fff_ffff,
            0x8000_0000,
            u32::MAX - 1,
            u32::MAX,
        ];
        for at in 2..zip.len() {
            for value in bounds {
                for width in [2, 4] {
                    let mut changed = zip.clone();
                    let bytes = value.to_le_bytes();
                    let end = zip.len().min(at + width);
                    changed[at..end].copy_from_slice(&bytes[..end - at]);
                    fuzz::zip::check(&changed);
                }
            }
        }
        for len in 0..zip.len() {
            fuzz::zip::check(&zip[..len]);
        }
    }
}

#[test]
fn every_byte_of_a_manifest_may_be_any() {
    let manifest = seed("manifest", "both");
    for at in 0..manifest.len() {
        fuzz::manifest::check(&manifest[..at]);
        for value in 0..=255 {
            let mut changed = manifest.clone();
            changed[at] = value;
            fuzz::manifest::check(&changed);
        }
    }
}

/// A guest whose memory is a page, and which alleges that there is room, and an answer, where these say.
fn alleges(room: u32, address: u32, len: u32) -> Vec<u8> {
    let packed = u64::from(address) << 32 | u64::from(len);
    wat::parse_str(format!(
        r#"(module (memory (export "memory") 1)
            (func (export "ow_allocate") (param i32) (result i32) (i32.const {room}))
            (func (export "ow_run") (param i32 i32) (result i64) (i64.const {packed})))"#
    ))
    .unwrap()
}

#[test]
fn every_allegation_of_a_guest_is_checked() {
    const PAGE: u32 = 65_536;
    let bounds = [
        0,
        1,
        2,
        PAGE - 2,
        PAGE - 1,
        PAGE,
        PAGE + 1,
        1 << 20,
        (1 << 20) + 1,
        1 << 31,
        u32::MAX - 1,
        u32::MAX,
    ];
    let is_inside = |address: u32, len: u32| u64::from(address) + u64::from(len) <= u64::from(PAGE);
    for address in bounds {
        let input = b"{}";
        let expected = match address {
            0 => Err(RunError::OutOfMemory),
            address if is_inside(address, 2) => Ok(vec![0]),
            _ => Err(RunError::BadAnswer),
        };
        let action = wamr::load(&alleges(address, 8, 1)).unwrap();
        assert_eq!(wamr::run(&action, input), expected, "room at {address}");
        for len in bounds {
            let expected = match len {
                0 => Err(RunError::NoAnswer),
                len if len as usize > RESULT_MAX_BYTES => Err(RunError::AnswerTooLong),
                len if is_inside(address, len) => Ok(len as usize),
                _ => Err(RunError::BadAnswer),
            };
            let action = wamr::load(&alleges(16, address, len)).unwrap();
            let found = wamr::run(&action, input).map(|answer| answer.len());
            assert_eq!(found, expected, "{len} bytes at {address}");
        }
    }
}
