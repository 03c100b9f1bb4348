#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::base64::check(data));
