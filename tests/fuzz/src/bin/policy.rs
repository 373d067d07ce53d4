//! Host, path and network patterns of grants, against what a guest asks for.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| drop(fuzz::policy(data)));
