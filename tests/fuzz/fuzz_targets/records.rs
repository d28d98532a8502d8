#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dubhook_tests::fuzz::records(bytes));
