#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::command::check(data));
