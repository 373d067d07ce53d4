//! From a server's answer to the part of a page that was asked for.

use crate::charset;
use crate::follow::Reply;
use crate::markdown::{self, Style};
use crate::url::Url;

/// Bytes of a body that are read. Against endless answers; with what the conversion needs it
/// stays below the default memory limit of a call.
pub const MAX_BODY: usize = 4 * 1024 * 1024;

/// Characters given if the caller names no length.
pub const DEFAULT_LENGTH: u32 = 20_000;

/// Characters given at most.
pub const MAX_LENGTH: u32 = 200_000;

/// Characters of an error page that are shown.
const MAX_EXCERPT: usize = 300;

/// What a page is turned into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Markdown.
    Markdown,
    /// Plain text.
    Text,
    /// As it came.
    Raw,
}

/// A part of a page.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// After redirects.
    pub url: String,
    /// As the server named it.
    pub content_type: String,
    /// For HTML.
    pub title: Option<String>,
    /// The part.
    pub content: String,
    /// Characters of the whole.
    pub total_length: u32,
    /// Where the next part starts.
    pub next_index: Option<u32>,
    /// Whether the end of the page is missing.
    pub truncated: bool,
}

/// Turns an answer into a page.
///
/// # Errors
/// If the server answered with an error, with something that is no text, or if `start` is beyond
/// the end.
pub fn read(url: &Url, reply: &Reply, format: Format, start: u32, length: u32) -> Result<Page, String> {
    if !(200..300).contains(&reply.status) {
        return Err(refusal(url, reply));
    }
    if !is_text(&reply.content_type, &reply.body) {
        return Err(format!("{url} is not text but {}", reply.content_type));
    }
    let source = charset::decode(&reply.body, &reply.content_type);
    let (title, content, cut) = match format {
        Format::Raw => (None, source, false),
        _ if !is_html(&reply.content_type, &source) => (None, source, false),
        Format::Markdown => convert(&source, url, Style::Markdown),
        Format::Text => convert(&source, url, Style::Text),
    };
    let (content, total_length, next_index) = part(content, start, length.clamp(1, MAX_LENGTH))?;
    Ok(Page {
        url: url.to_string(),
        content_type: reply.content_type.clone(),
        title,
        content,
        total_length,
        next_index,
        truncated: reply.truncated || cut,
    })
}

fn convert(source: &str, url: &Url, style: Style) -> (Option<String>, String, bool) {
    let document = markdown::convert(source, url, style);
    (document.title, document.content, document.truncated)
}

/// The characters from `start`, how many there are in all, and where the next part starts.
fn part(content: String, start: u32, length: u32) -> Result<(String, u32, Option<u32>), String> {
    let total = u32::try_from(content.chars().count()).unwrap_or(u32::MAX);
    if start > total {
        return Err(format!("start-index {start} is beyond the end: the content has {total} characters"));
    }
    let end = start.saturating_add(length);
    if start == 0 && end >= total {
        return Ok((content, total, None));
    }
    let part = content.chars().skip(start as usize).take(length as usize).collect();
    Ok((part, total, (end < total).then_some(end)))
}

fn refusal(url: &Url, reply: &Reply) -> String {
    let meaning = match reply.status {
        400 => " (bad request)",
        401 => " (not signed in)",
        403 => " (forbidden by the server)",
        404 => " (not found)",
        408 => " (timeout)",
        410 => " (gone)",
        429 => " (too many requests, try later)",
        500 => " (server error)",
        502 => " (bad gateway)",
        503 => " (unavailable, try later)",
        504 => " (gateway timeout)",
        _ => "",
    };
    let excerpt = excerpt(url, reply);
    let separator = if excerpt.is_empty() { "" } else { ": " };
    format!("{url} answered {}{meaning}{separator}{excerpt}", reply.status)
}

/// The beginning of an error page: APIs say there what was wrong.
fn excerpt(url: &Url, reply: &Reply) -> String {
    if !is_text(&reply.content_type, &reply.body) {
        return String::new();
    }
    let source = charset::decode(&reply.body, &reply.content_type);
    let text = if is_html(&reply.content_type, &source) {
        markdown::convert(&source, url, Style::Text).content
    } else {
        source
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_EXCERPT).collect()
}

/// By the media type; where there is none, by the absence of zero bytes.
fn is_text(content_type: &str, body: &[u8]) -> bool {
    let kind = essence(content_type);
    match kind.as_str() {
        "" | "application/octet-stream" => !body.iter().take(1024).any(|byte| *byte == 0),
        "application/json"
        | "application/xml"
        | "application/javascript"
        | "application/yaml"
        | "application/toml"
        | "application/x-ndjson"
        | "application/xhtml+xml"
        | "image/svg+xml" => true,
        _ => {
            kind.starts_with("text/")
                || kind.ends_with("+json")
                || kind.ends_with("+xml")
                || kind.ends_with("+yaml")
        }
    }
}

fn is_html(content_type: &str, source: &str) -> bool {
    match essence(content_type).as_str() {
        "text/html" | "application/xhtml+xml" => true,
        "" => {
            let start = source.trim_start().get(..14).unwrap_or_default().to_ascii_lowercase();
            start.starts_with("<!doctype html") || start.starts_with("<html")
        }
        _ => false,
    }
}

/// The media type without parameters.
fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use super::*;

    fn url() -> Url {
        Url::parse("https://a.example/dir/page").unwrap()
    }

    fn reply(status: u16, content_type: &str, body: &str) -> Reply {
        Reply {
            status,
            location: None,
            content_type: content_type.to_owned(),
            body: body.as_bytes().to_vec(),
            truncated: false,
        }
    }

    fn html() -> Reply {
        reply(200, "text/html", "<title>T</title><h1>Hi</h1><p><a href=x>link</a>")
    }

    #[test]
    fn each_format_gives_what_it_promises() {
        let content = |format| read(&url(), &html(), format, 0, 100).unwrap().content;
        assert_eq!(content(Format::Markdown), "# Hi\n\n[link](https://a.example/dir/x)");
        assert_eq!(content(Format::Text), "Hi\n\nlink");
        assert!(content(Format::Raw).starts_with("<title>"));
        assert_eq!(read(&url(), &html(), Format::Markdown, 0, 100).unwrap().title.as_deref(), Some("T"));
    }

    #[test]
    fn text_that_is_not_html_comes_as_it_is() {
        let json = reply(200, "application/ld+json", "{\"a\": \"<b>\"}");
        assert_eq!(read(&url(), &json, Format::Markdown, 0, 100).unwrap().content, "{\"a\": \"<b>\"}");
    }

    #[test]
    fn parts_join_to_the_whole() {
        let whole = "aä☁".repeat(10);
        let text = reply(200, "text/plain; charset=utf-8", &whole);
        let (mut joined, mut next) = (String::new(), Some(0));
        while let Some(start) = next {
            let page = read(&url(), &text, Format::Text, start, 7).unwrap();
            assert_eq!(page.total_length, 30);
            joined.push_str(&page.content);
            next = page.next_index;
        }
        assert_eq!(joined, whole);
        assert!(read(&url(), &text, Format::Text, 31, 7).unwrap_err().contains("has 30 characters"));
        assert_eq!(read(&url(), &text, Format::Text, 30, u32::MAX).unwrap().content, "");
    }

    #[test]
    fn an_error_status_is_an_error_with_the_servers_reason() {
        let missing = reply(404, "text/html", "<h1>No such page</h1><script>x</script>");
        assert_eq!(
            read(&url(), &missing, Format::Markdown, 0, 9).unwrap_err(),
            "https://a.example/dir/page answered 404 (not found): No such page"
        );
        let long = reply(500, "text/plain", &"x".repeat(10_000));
        assert!(read(&url(), &long, Format::Raw, 0, 9).unwrap_err().len() < 500);
        assert!(read(&url(), &reply(418, "", ""), Format::Raw, 0, 9).unwrap_err().ends_with("answered 418"));
    }

    #[test]
    fn binary_is_refused_with_its_type() {
        let image = reply(200, "image/png", "\u{0}");
        assert!(read(&url(), &image, Format::Raw, 0, 9).unwrap_err().contains("not text but image/png"));
        assert!(read(&url(), &reply(200, "", "\u{0}"), Format::Raw, 0, 9).is_err());
    }

    #[test]
    fn html_without_a_media_type_is_recognized() {
        let page = reply(200, "", "  <!DOCTYPE html><p>hi");
        assert_eq!(read(&url(), &page, Format::Markdown, 0, 9).unwrap().content, "hi");
    }
}
