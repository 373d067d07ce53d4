//! What servers in containers send.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| drop(fuzz::peer(data)));
