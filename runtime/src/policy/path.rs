//! Paths of requests, and the patterns that grants hold against them.
//!
//! A path is judged in one normal form (RFC 3986 section 6.2.2): unreserved characters decoded,
//! the rest of the percent-encoding in upper case. A path that a server might read as another one
//! than we judged is refused: dot segments, encoded slashes, double encoding, control characters.
//! Nothing is repaired, because the guest's bytes go on the wire as they are.

use std::fmt;

use super::error::Fault;

/// A path in normal form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(String);

/// Longest path in bytes. Against matching as a way to burn time.
pub(crate) const MAX_PATH: usize = 8 * 1024;

impl Path {
    /// Reads the path of a request; the empty path is `/`.
    ///
    /// # Errors
    /// The reason why it can't be judged, as a clause for a message.
    pub fn parse(raw: &str) -> Result<Self, String> {
        judge(raw, Star::Encode).map(Self)
    }

    /// The normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which paths a grant means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    segments: Vec<Segment>,
    text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// Exactly this.
    Literal(String),
    /// `*` as a whole segment: any one, not empty.
    Any,
    /// `abc*` at the end: this beginning and any rest, further segments included.
    Rest(String),
}

const HINT: &str = "`*` stands for one whole segment, or at the end for the rest: /v1/*/items, /v1/*";

impl PathPattern {
    /// Reads the path of an http grant.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        if text.contains(['?', '#']) {
            return Err(Fault::new(
                "a grant holds no query and no fragment",
                "end the grant before `?`: every query is allowed",
            ));
        }
        let normal = judge(text, Star::Keep).map_err(|cause| Fault::new(cause, HINT))?;
        let parts: Vec<&str> = normal.split('/').skip(1).collect();
        let last = parts.len().saturating_sub(1);
        let segments = parts
            .iter()
            .enumerate()
            .map(|(i, part)| Segment::parse(part, i == last))
            .collect::<Result<_, _>>()?;
        Ok(Self { segments, text: normal })
    }

    /// Whether every path is meant.
    pub fn is_for_all(&self) -> bool {
        self.text == "/*"
    }

    /// Whether a path is meant.
    pub fn matches(&self, path: &Path) -> bool {
        let mut rest = path.0.strip_prefix('/');
        for segment in &self.segments {
            let Some(left) = rest else { return false };
            let (head, tail) = match left.split_once('/') {
                Some((head, tail)) => (head, Some(tail)),
                None => (left, None),
            };
            match segment {
                Segment::Literal(text) if head == text => {}
                Segment::Any if !head.is_empty() => {}
                Segment::Rest(start) => return left.starts_with(start.as_str()),
                Segment::Literal(_) | Segment::Any => return false,
            }
            rest = tail;
        }
        rest.is_none()
    }
}

impl Segment {
    fn parse(part: &str, last: bool) -> Result<Self, Fault> {
        match part.split_once('*') {
            None => Ok(Self::Literal(part.to_owned())),
            Some((start, "")) if last => Ok(Self::Rest(start.to_owned())),
            Some(("", "")) => Ok(Self::Any),
            Some(_) => Err(Fault::new(format!("`*` stands inside the segment `{part}`"), HINT)),
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What a bare `*` becomes: a wildcard in a pattern, a character like others in a request.
#[derive(Clone, Copy)]
enum Star {
    Keep,
    Encode,
}

/// Checks a raw path and brings it to normal form.
fn judge(raw: &str, star: Star) -> Result<String, String> {
    if raw.is_empty() {
        return Ok("/".to_owned());
    }
    if !raw.starts_with('/') {
        return Err("the path does not begin with `/`".to_owned());
    }
    if raw.starts_with("//") {
        return Err("the path begins with `//`, which can be read as a host".to_owned());
    }
    if raw.len() > MAX_PATH {
        return Err(format!("the path is longer than {MAX_PATH} bytes"));
    }
    let normal = normalize(raw, star)?;
    if is_encoded_twice(&normal) {
        return Err("the path is encoded twice".to_owned());
    }
    if normal.split('/').any(is_dots) {
        return Err("the path has a `.` or `..` segment".to_owned());
    }
    Ok(normal)
}

fn normalize(raw: &str, star: Star) -> Result<String, String> {
    let bytes = raw.as_bytes();
    let mut out = String::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'%' => {
                let value = hex_pair(bytes, at + 1).ok_or("the path has a `%` without two hex digits")?;
                check_encoded(value)?;
                push(&mut out, value);
                at += 3;
            }
            b'*' if matches!(star, Star::Encode) => {
                out.push_str("%2A");
                at += 1;
            }
            _ if is_pchar(byte) => {
                out.push(char::from(byte));
                at += 1;
            }
            b'\\' => return Err("the path has a backslash".to_owned()),
            _ => {
                let shown = char::from(byte).escape_default();
                return Err(format!("the path has `{shown}`, which must be percent-encoded"));
            }
        }
    }
    Ok(out)
}

/// Refuses encoded bytes that servers are known to decode at another time than we do.
fn check_encoded(value: u8) -> Result<(), String> {
    match value {
        b'/' => Err("the path has an encoded slash".to_owned()),
        b'\\' => Err("the path has an encoded backslash".to_owned()),
        0..=0x1f | 0x7f => Err("the path has an encoded control character".to_owned()),
        _ => Ok(()),
    }
}

/// Whether decoding once leaves something to decode: an encoded `%` before two hex digits. Hex
/// digits are unreserved, so the normal form shows them as they are.
fn is_encoded_twice(normal: &str) -> bool {
    let bytes = normal.as_bytes();
    (0..bytes.len()).any(|at| bytes[at..].starts_with(b"%25") && hex_pair(bytes, at + 3).is_some())
}

fn push(out: &mut String, value: u8) {
    if is_unreserved(value) {
        out.push(char::from(value));
    } else {
        out.push_str(&format!("%{value:02X}"));
    }
}

fn hex_pair(bytes: &[u8], at: usize) -> Option<u8> {
    let digit = |i: usize| bytes.get(i).and_then(|b| char::from(*b).to_digit(16));
    let (high, low) = (digit(at)?, digit(at + 1)?);
    u8::try_from(high * 16 + low).ok()
}

/// A dot segment, also where a server cuts `;parameters` off first.
fn is_dots(segment: &str) -> bool {
    let name = segment.split(';').next().unwrap_or(segment);
    matches!(name, "." | "..")
}

/// RFC 3986 section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// RFC 3986 section 3.3, and the slash between segments.
fn is_pchar(byte: u8) -> bool {
    is_unreserved(byte) || b"!$&'()*+,;=:@/".contains(&byte)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed parse is a failed test")]
    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        PathPattern::parse(pattern).unwrap().matches(&Path::parse(path).unwrap())
    }

    #[test]
    fn a_pattern_means_what_it_says() {
        for (pattern, path) in [
            ("/", "/"),
            ("/", ""),
            ("/v1/x", "/v1/x"),
            ("/v1/*", "/v1/"),
            ("/v1/*", "/v1/a/b"),
            ("/v1/x*", "/v1/x"),
            ("/v1/x*", "/v1/xy/z"),
            ("/*", "/"),
            ("/*", "/a//b"),
            ("/u/*/items", "/u/7/items"),
            ("/*/*", "/a/b/c"),
            ("/a%7eb", "/a~b"),
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/v1/%2A", "/v1/*"),
            ("/v1/x", "/v1/%78"),
        ] {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("/v1/*", "/v1"),
            ("/v1/*", "/v2/x"),
            ("/v1/*", "/V1/x"),
            ("/v1/x", "/v1/x/"),
            ("/v1/x", "/v1/xy"),
            ("/u/*/items", "/u//items"),
            ("/u/*/items", "/u/a/b/items"),
            ("/u/*/items", "/u/a/items/b"),
            ("/", "/a"),
            ("/v1/%2A", "/v1/a"),
            ("/a;b", "/a"),
        ] {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn a_path_that_can_be_read_two_ways_is_refused() {
        for path in [
            "v1",
            "//evil",
            "/a/../b",
            "/a/./b",
            "/..",
            "/a/%2e%2e/b",
            "/a/%2E./b",
            "/a/..;x=1/b",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a%00",
            "/a%0d%0a",
            "/a%7f",
            "/a\n",
            "/a b",
            "/a\0",
            "/%",
            "/%2",
            "/%zz",
            "/%252e%252e/",
            "/%25%32%65",
            "/a?b",
            "/a#b",
            "/é",
            "/a\"b",
            "/[x]",
            "/{x}",
            "/a|b",
        ] {
            assert!(Path::parse(path).is_err(), "{path:?}");
        }
        assert!(Path::parse(&format!("/{}", "a".repeat(MAX_PATH))).is_err());
        assert_eq!(Path::parse("/100%25").unwrap().as_str(), "/100%25");
    }

    #[test]
    fn a_wildcard_stands_for_a_segment_or_the_rest() {
        for pattern in ["/a*b", "/a*/b", "/*a", "/**", "/a/**", "/a?x=*", "/a#b", "", "v1"] {
            let parsed = PathPattern::parse(pattern);
            assert!(pattern.is_empty() || parsed.is_err(), "{pattern}");
        }
    }
}
