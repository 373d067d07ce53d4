//! Whether a URI may be one of a template (RFC 6570).
//!
//! Only what stands outside of the expressions decides: which values they take is the server's to say, and
//! which server is asked is all that follows from it. Pure.

/// Whether the literal parts of `template` are in `uri` in their order, the first at its beginning and the
/// last at its end.
pub(super) fn admits(template: &str, uri: &str) -> bool {
    let mut literals = literals(template);
    let Some(first) = literals.next() else { return false };
    let Some(mut rest) = uri.strip_prefix(first) else { return false };
    let mut literals = literals.peekable();
    if literals.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(literal) = literals.next() {
        if literals.peek().is_none() {
            return rest.ends_with(literal);
        }
        match rest.find(literal) {
            Some(at) => rest = &rest[at + literal.len()..],
            None => return false,
        }
    }
    true
}

/// The parts around and between the expressions, empty ones included.
fn literals(template: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(template);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let Some((literal, expression)) = text.split_once('{') else { return Some(text) };
        // An expression without end takes all that is left.
        rest = Some(expression.split_once('}').map_or("", |(_, after)| after));
        Some(literal)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_literal_parts_decide() {
        let template = "demo://{kind}/text/{id}.md";
        for uri in ["demo://a/text/1.md", "demo:///text/.md", "demo://a/text/b/text/c.md"] {
            assert!(admits(template, uri), "{uri}");
        }
        for uri in ["", "demo://a/text/1", "demo://a/1.md", "other://a/text/1.md", "demo://a/text.md"] {
            assert!(!admits(template, uri), "{uri}");
        }
        assert!(admits("file:///{+path}", "file:///a/b/c") && !admits("file:///{+path}", "http://x"));
        assert!(admits("a://b", "a://b") && !admits("a://b", "a://b/c") && admits("a://{open", "a://x"));
    }
}
