//! Text from guests and callers, made safe to print.
//!
//! Against forged log lines and terminal escapes: a newline, an escape sequence or a text-direction
//! override in a tool's output must not change what an operator reads around it.

use std::borrow::Cow;

/// `text` with every character escaped that could act on a terminal or a log, cut at `limit` bytes.
pub(super) fn printable(text: &str, limit: usize) -> Cow<'_, str> {
    let kept = &text[..text.floor_char_boundary(limit)];
    if kept.len() == text.len() && !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(kept.len() + 16);
    for c in kept.chars() {
        if acts(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    if kept.len() < text.len() {
        out.push('…');
    }
    Cow::Owned(out)
}

fn acts(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
