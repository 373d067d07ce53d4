//! Writing JSON by hand: strings, and text that is JSON already. Knows nothing of what it means.

use std::fmt::Display;
use std::io::Write;

/// Appends a JSON string.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a string is written to memory without error");
}

/// Bytes of a JSON string, quotes and escapes included.
pub(crate) fn string_size(text: &str) -> usize {
    let byte = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(byte).sum::<usize>() + 2
}

/// Appends text that is JSON already.
pub(crate) fn raw(out: &mut Vec<u8>, json: &str) {
    out.extend_from_slice(json.as_bytes());
}

/// Appends the text `before` and a number.
pub(crate) fn number(out: &mut Vec<u8>, before: &str, number: impl Display) {
    raw(out, before);
    write!(out, "{number}").expect("memory takes what is written");
}
