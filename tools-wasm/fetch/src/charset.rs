//! Bytes to text: by byte order mark, then by the server's word, then by the page's own.
//!
//! That order is the one of the WHATWG Encoding and HTML standards. What fits no encoding becomes
//! U+FFFD rather than an error: a page with one broken byte is still worth reading.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// How far into a page its own declaration is looked for; HTML standard, "prescan".
const PRESCAN: usize = 1024;

/// Decodes a body.
pub fn decode(body: &[u8], content_type: &str) -> String {
    let declared = parameter(content_type).and_then(|label| Encoding::for_label(label.as_bytes()));
    let encoding = declared.or_else(|| own_declaration(body)).unwrap_or_else(|| guess(body));
    // decode() prefers a byte order mark to what it is told.
    encoding.decode(body).0.into_owned()
}

/// The `charset` parameter of a media type.
fn parameter(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    })
}

/// `<meta charset="…">`, or `charset=` within a meta element's content, or an XML declaration.
fn own_declaration(body: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(&body[..body.len().min(PRESCAN)]).to_ascii_lowercase();
    let tag = head.find("<meta").or_else(|| head.find("<?xml"))?;
    let rest = &head[tag..];
    let at = rest.find("charset=").map(|at| at + 8).or_else(|| rest.find("encoding=").map(|at| at + 9))?;
    let value = rest[at..].trim_start_matches(['"', '\'']);
    let label = value.split(['"', '\'', '>', ' ', ';', '?', '/']).next()?;
    let encoding = Encoding::for_label(label.as_bytes())?;
    // A page that declares UTF-16 in ASCII letters is not in UTF-16; HTML standard, same section.
    Some(if encoding.is_ascii_compatible() { encoding } else { UTF_8 })
}

/// Undeclared text is UTF-8 if it can be, and otherwise what browsers take it for.
fn guess(body: &[u8]) -> &'static Encoding {
    match std::str::from_utf8(body) {
        Ok(_) => UTF_8,
        // Cut off within a character by the size limit.
        Err(error) if error.error_len().is_none() => UTF_8,
        Err(_) => WINDOWS_1252,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_word_counts() {
        assert_eq!(decode(b"caf\xe9", "text/html; charset=ISO-8859-1"), "café");
        assert_eq!(decode(b"\x93\xfa\x96\x7b", "text/plain; x=y; Charset=\"Shift_JIS\""), "日本");
    }

    #[test]
    fn a_byte_order_mark_counts_more() {
        assert_eq!(decode(b"\xef\xbb\xbf\xc3\xa4", "text/plain; charset=latin1"), "ä");
        assert_eq!(decode(b"\xff\xfea\0", "text/plain"), "a");
    }

    #[test]
    fn the_pages_own_word_counts_if_the_server_has_none() {
        assert_eq!(decode(b"<meta charset=windows-1251>\xcf", "text/html"), "<meta charset=windows-1251>П");
        assert_eq!(
            decode(b"<?xml version='1.0' encoding='latin1'?>\xe4", "text/xml"),
            "<?xml version='1.0' encoding='latin1'?>ä"
        );
        let equiv = b"<META http-equiv=x content=\"text/html; charset=koi8-r\">\xf0";
        assert!(decode(equiv, "text/html").ends_with('П'));
    }

    #[test]
    fn undeclared_text_is_utf_8_if_it_can_be() {
        assert_eq!(decode("ä".as_bytes(), "text/html"), "ä");
        assert_eq!(decode(b"caf\xe9 au lait", ""), "café au lait");
        assert_eq!(decode(b"cut \xe2\x98", ""), "cut \u{fffd}");
    }

    #[test]
    fn unknown_labels_and_broken_bytes_do_not_stop_the_reader() {
        assert_eq!(decode(b"a", "text/html; charset=klingon"), "a");
        assert_eq!(decode(b"a\xffb", "text/html; charset=utf-8"), "a\u{fffd}b");
    }
}
