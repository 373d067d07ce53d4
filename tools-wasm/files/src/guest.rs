//! The component's exports, joined to the plain functions.

#![allow(missing_docs, reason = "generated bindings; the WIT is the documentation")]

use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::Descriptor;

use crate::{fault, folder, part, search, write};

wit_bindgen::generate!({ world: "file-tools" });

use exports::toolgate::files::files::{Encoding, Entry, Findings, Guest, Hit, Kind, Listing, Mode, Part};

struct Component;

export!(Component);

impl Guest for Component {
    fn list(path: Option<String>, depth: Option<u8>) -> Result<Listing, String> {
        let Some(path) = path else { return Ok(granted_folders()) };
        let listing = or_outside(&path, folder::list(&path, depth.unwrap_or(1)))?;
        let entries = listing.entries.into_iter().map(Entry::from).collect();
        Ok(Listing { entries, truncated: listing.truncated })
    }

    fn read(
        path: String,
        encoding: Option<Encoding>,
        offset: Option<u64>,
        length: Option<u32>,
    ) -> Result<Part, String> {
        let length = length.unwrap_or(part::DEFAULT_LENGTH);
        let read = part::read(&path, plain(encoding), offset.unwrap_or_default(), length);
        let part::Part { content, next, size } = or_outside(&path, read)?;
        Ok(Part { content, next, size })
    }

    fn search(
        path: String,
        text: Option<String>,
        name: Option<String>,
        limit: Option<u32>,
    ) -> Result<Findings, String> {
        let query = search::Query::new(text.as_deref(), name.as_deref(), limit)?;
        let findings = or_outside(&path, search::search(&path, &query))?;
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
        let content = part::decode(content, plain(encoding))?;
        let mode = match mode.unwrap_or(Mode::Create) {
            Mode::Create => write::Mode::Create,
            Mode::Overwrite => write::Mode::Overwrite,
            Mode::Append => write::Mode::Append,
        };
        or_outside(&path, write::write(&path, &content, mode, create_folders.unwrap_or(false)))
    }
}

/// The folders that the host granted. A host may add a root that is a deleted folder, so that it
/// sees what is tried outside of the grants; nothing links to that one any more.
fn granted() -> Vec<String> {
    let exists = |folder: &Descriptor| folder.stat().map_or(true, |stat| stat.link_count > 0);
    get_directories().into_iter().filter(|(folder, _)| exists(folder)).map(|(_, path)| path).collect()
}

/// Says of a failure outside of all granted folders that it was there. Only after the host refused
/// it, so that the operator hears of the attempt.
fn or_outside<T>(path: &str, done: Result<T, String>) -> Result<T, String> {
    done.map_err(|fault| fault::outside(path, &granted()).err().unwrap_or(fault))
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
