//! JSON-RPC messages of clients.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| drop(fuzz::envelope(data)));
