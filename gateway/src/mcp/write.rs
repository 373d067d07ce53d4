//! Writing JSON by hand: the few shapes that results are made of.

/// Appends a JSON string.
pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a string is written to memory without error");
}

/// Appends text that is JSON already.
pub(super) fn raw(out: &mut Vec<u8>, json: &str) {
    out.extend_from_slice(json.as_bytes());
}
