//! What servers send that are asked over HTTP.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| drop(fuzz::reply(data)));
