//! WIT types and JSON values of them, both ways.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| drop(fuzz::wit(data)));
