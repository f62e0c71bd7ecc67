#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pv_fuzz::values::last_event_id(bytes));
