//! The component's export: the pure parts around one exchange after the other.

#![allow(missing_docs, reason = "generated bindings; the WIT is the documentation")]

use crate::{exchange, follow, page, url::Url};

wit_bindgen::generate!({ world: "fetch-tools" });

use exports::toolgate::fetch::fetch::{Format, Guest, Page};

struct Component;

export!(Component);

impl Guest for Component {
    fn fetch(
        url: String,
        format: Option<Format>,
        start_index: Option<u32>,
        max_length: Option<u32>,
    ) -> Result<Page, String> {
        let format = match format.unwrap_or(Format::Markdown) {
            Format::Markdown => page::Format::Markdown,
            Format::Text => page::Format::Text,
            Format::Raw => page::Format::Raw,
        };
        let (url, reply) = follow::follow(Url::parse(&url)?, exchange::get)?;
        let length = max_length.unwrap_or(page::DEFAULT_LENGTH);
        page::read(&url, &reply, format, start_index.unwrap_or_default(), length).map(Page::from)
    }
}

impl From<page::Page> for Page {
    fn from(page: page::Page) -> Self {
        Self {
            url: page.url,
            content_type: page.content_type,
            title: page.title,
            content: page.content,
            total_length: page.total_length,
            next_index: page.next_index,
            truncated: page.truncated,
        }
    }
}
