//! Writing JSON by hand: strings, and text that is JSON already. Knows nothing of what it means.

mod object;

use serde::Serialize;
use serde_json::value::RawValue;

pub(crate) use object::{Object, quoted};
pub(crate) use toolgate_runtime::json::Members;

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
pub(crate) fn number(out: &mut Vec<u8>, before: &str, number: impl Serialize) {
    raw(out, before);
    serde_json::to_writer(out, &number).expect("a number is written to memory without error");
}

/// Where a value begins in the text that it is a part of: both are one text, so it is the distance of their
/// beginnings.
pub(crate) fn offset(value: &RawValue, whole: &str) -> usize {
    value.get().as_ptr().addr() - whole.as_ptr().addr()
}
