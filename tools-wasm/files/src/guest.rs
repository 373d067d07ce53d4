//! The component's exports, joined to the plain functions.

#![allow(missing_docs, reason = "generated bindings; the WIT is the documentation")]

use wasip2::filesystem::preopens::get_directories;

use crate::{fault, folder, part, search, write};

wit_bindgen::generate!({ world: "file-tools" });

use exports::toolgate::files::files::{Encoding, Entry, Findings, Guest, Hit, Kind, Listing, Mode, Part};

struct Component;

export!(Component);

impl Guest for Component {
    fn list(path: Option<String>, depth: Option<u8>) -> Result<Listing, String> {
        let Some(path) = path else { return Ok(granted_folders()) };
        fault::outside(&path, &granted())?;
        let listing = folder::list(&path, depth.unwrap_or(1))?;
        let entries = listing.entries.into_iter().map(Entry::from).collect();
        Ok(Listing { entries, truncated: listing.truncated })
    }

    fn read(
        path: String,
        encoding: Option<Encoding>,
        offset: Option<u64>,
        length: Option<u32>,
    ) -> Result<Part, String> {
        fault::outside(&path, &granted())?;
        let length = length.unwrap_or(part::DEFAULT_LENGTH);
        let part::Part { content, next, size } =
            part::read(&path, plain(encoding), offset.unwrap_or_default(), length)?;
        Ok(Part { content, next, size })
    }

    fn search(
        path: String,
        text: Option<String>,
        name: Option<String>,
        limit: Option<u32>,
    ) -> Result<Findings, String> {
        fault::outside(&path, &granted())?;
        let query = search::Query::new(text.as_deref(), name.as_deref(), limit)?;
        let findings = search::search(&path, &query)?;
        let hits = findings
            .hits
            .into_iter()
            .map(|search::Hit { path, line, text }| Hit { path, line, text })
            .collect();
        Ok(Findings { hits, truncated: findings.truncated })
    }

    fn write(
        path: String,
        content: String,
        mode: Option<Mode>,
        encoding: Option<Encoding>,
        create_folders: Option<bool>,
    ) -> Result<u64, String> {
        fault::outside(&path, &granted())?;
        let content = part::decode(content, plain(encoding))?;
        let mode = match mode.unwrap_or(Mode::Create) {
            Mode::Create => write::Mode::Create,
            Mode::Overwrite => write::Mode::Overwrite,
            Mode::Append => write::Mode::Append,
        };
        write::write(&path, &content, mode, create_folders.unwrap_or(false))
    }
}

/// The folders that the host granted.
fn granted() -> Vec<String> {
    get_directories().into_iter().map(|(_, path)| path).collect()
}

fn granted_folders() -> Listing {
    let entries = granted().into_iter().map(|path| Entry { path, kind: Kind::Folder, size: None });
    Listing { entries: entries.collect(), truncated: false }
}

fn plain(encoding: Option<Encoding>) -> part::Encoding {
    match encoding {
        Some(Encoding::Base64) => part::Encoding::Base64,
        Some(Encoding::Text) | None => part::Encoding::Text,
    }
}

impl From<folder::Entry> for Entry {
    fn from(entry: folder::Entry) -> Self {
        let kind = match entry.kind {
            folder::Kind::Folder => Kind::Folder,
            folder::Kind::File => Kind::File,
            folder::Kind::Link => Kind::Link,
            folder::Kind::Other => Kind::Other,
        };
        Self { path: entry.path, kind, size: entry.size }
    }
}
