//! The operator's config.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| drop(fuzz::config(data)));
