#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dubhook_fuzz::fuzz::media(bytes));
