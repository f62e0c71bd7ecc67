#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pv_fuzz::events::bounded_json(bytes));
