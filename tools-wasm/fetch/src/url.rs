//! The few URLs that a GET needs: absolute `http` and `https`, and references resolved against them.
//!
//! Follows RFC 3986 section 5 and, where browsers are kinder, the WHATWG URL standard: backslashes
//! and spaces in links occur. Host names must be ASCII (`xn--…`): the tables that would convert
//! others are larger than this whole component.

use std::fmt;

/// The longest URL. Against a redirect or a page that fills the memory with one.
pub const MAX_URL: usize = 8 * 1024;

/// An absolute URL without a fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Whether the scheme is `https`, otherwise `http`.
    pub secure: bool,
    /// `host` or `host:port`.
    pub authority: String,
    /// Path and query, starting with `/`.
    pub path: String,
}

impl Url {
    /// Reads an absolute URL.
    ///
    /// # Errors
    /// A sentence that says what a URL must look like.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.len() > MAX_URL {
            return Err(format!("a URL of {} bytes is too long; at most {MAX_URL} are allowed", text.len()));
        }
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| format!("`{text}` is not a URL; write it like https://example.com/page"))?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(format!("can't fetch {scheme} URLs, only https and http")),
        };
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let authority = rest[..end].to_ascii_lowercase();
        check_authority(&authority)?;
        Ok(Self { secure, authority, path: clean_path(&rest[end..]) })
    }

    /// The URL that `reference` means on the page at this URL; `None` if it can't be fetched, as
    /// `mailto:` can't.
    pub fn join(&self, reference: &str) -> Option<Self> {
        let reference = reference.trim();
        if reference.len() > MAX_URL {
            return None;
        }
        if let Some(rest) = reference.strip_prefix("//") {
            return Self::parse(&format!("{}://{rest}", self.scheme())).ok();
        }
        if has_scheme(reference) {
            return Self::parse(reference).ok();
        }
        let own = self.path.split('?').next().unwrap_or("/");
        let path = match reference.chars().next() {
            None | Some('#') => self.path.clone(),
            Some('/' | '\\') => clean_path(reference),
            Some('?') => clean_path(&format!("{own}{reference}")),
            Some(_) => {
                let folder = own.rfind('/').map_or("/", |at| &own[..=at]);
                clean_path(&format!("{folder}{reference}"))
            }
        };
        Some(Self { path, ..self.clone() })
    }

    fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme(), self.authority, self.path)
    }
}

fn check_authority(authority: &str) -> Result<(), String> {
    if authority.is_empty() {
        return Err("the URL names no host".to_owned());
    }
    if authority.contains('@') {
        return Err("the URL carries a user name or password, which is not allowed".to_owned());
    }
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:[]".contains(&byte);
    if !authority.bytes().all(valid) {
        return Err(format!("the host `{authority}` has characters that need their xn-- form"));
    }
    Ok(())
}

fn has_scheme(reference: &str) -> bool {
    reference.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

/// Path and query in the form that goes on the wire: no fragment, no dot segments, and everything
/// percent-encoded that may not stand there.
fn clean_path(text: &str) -> String {
    let text = text.split('#').next().unwrap_or_default();
    let (path, query) = text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)));
    let mut cleaned = encode(&without_dots(&path.replace('\\', "/")));
    if let Some(query) = query {
        cleaned.push('?');
        cleaned.push_str(&encode(query));
    }
    cleaned
}

fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let segments = path.strip_prefix('/').unwrap_or(path).split('/');
    let mut ends_in_folder = false;
    for segment in segments {
        ends_in_folder = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            other => kept.push(other),
        }
    }
    if ends_in_folder {
        kept.push("");
    }
    format!("/{}", kept.join("/"))
}

fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        // Tabs and line breaks inside of links are dropped, as browsers do.
        if matches!(byte, b'\t' | b'\n' | b'\r') {
            continue;
        }
        if byte.is_ascii_graphic() && !b"\"<>`{}".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use super::*;

    fn joined(base: &str, reference: &str) -> String {
        Url::parse(base).unwrap().join(reference).map_or("none".to_owned(), |url| url.to_string())
    }

    #[test]
    fn urls_are_cleaned() {
        let clean = |text: &str| Url::parse(text).unwrap().to_string();
        assert_eq!(clean(" HTTPS://Example.COM "), "https://example.com/");
        assert_eq!(clean("http://h:8080/a/../b/./c?x=1#top"), "http://h:8080/b/c?x=1");
        assert_eq!(clean("https://h?q=a b"), "https://h/?q=a%20b");
        assert_eq!(clean("https://h/ä%20"), "https://h/%C3%A4%20");
        assert_eq!(clean("https://h/../../x/.."), "https://h/");
    }

    #[test]
    fn what_is_no_web_address_is_refused() {
        let refusal = |text: &str| Url::parse(text).unwrap_err();
        assert!(refusal("example.com").contains("write it like https://"));
        assert!(refusal("file:///etc/passwd").contains("only https and http"));
        assert!(refusal("https://user:secret@h/").contains("not allowed"));
        assert!(refusal("https:///path").contains("no host"));
        assert!(refusal("https://bücher.example/").contains("xn--"));
        assert!(refusal("https://h\r\nx: y/").contains("host"));
        assert!(refusal(&format!("https://h/{}", "x".repeat(MAX_URL))).contains("too long"));
    }

    #[test]
    fn the_host_that_is_checked_is_the_host_that_is_asked() {
        // A backslash ends the host for browsers and here alike.
        assert_eq!(Url::parse("https://a.example\\@b.example/").unwrap().authority, "a.example");
    }

    #[test]
    fn references_are_resolved_as_in_rfc_3986() {
        let base = "http://a/b/c/d?q";
        for (reference, expected) in [
            ("g", "http://a/b/c/g"),
            ("./g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g/"),
            ("?y", "http://a/b/c/d?y"),
            ("#s", "http://a/b/c/d?q"),
            ("", "http://a/b/c/d?q"),
            ("../g", "http://a/b/g"),
            ("../../../g", "http://a/g"),
            ("g?y/./x", "http://a/b/c/g?y/./x"),
            ("https://x/y", "https://x/y"),
            ("mailto:a@b", "none"),
            ("javascript:alert(1)", "none"),
        ] {
            assert_eq!(joined(base, reference), expected, "{reference}");
        }
    }
}
