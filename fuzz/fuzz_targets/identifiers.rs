#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hitl_fuzz::identifiers::run(data));
