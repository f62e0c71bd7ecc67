#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pv_fuzz::values::front_matter(bytes));
