//! A tool list, written to bytes once, in pages.
//!
//! A page holds the members `"tools":[…]` and, unless it is the last, `"nextCursor":"…"`, ready to
//! be set into a result of any revision. Names, descriptions and schemas are spliced as they are.

use std::io::Write;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use toolgate_runtime::sandbox::Tool;

use super::cursor::Cursor;
use crate::json::{raw, string};

/// One page: members of a JSON object, without its braces.
pub type Page = Bytes;

/// The pages of one view; at least one, which may list nothing.
#[derive(Debug)]
pub struct Pages {
    pages: Vec<Page>,
    fingerprint: [u8; 8],
}

impl Pages {
    /// Writes `tools` as pages of `size`.
    pub(super) fn write<'a>(tools: impl Iterator<Item = (String, &'a Tool)>, size: usize) -> Self {
        let tools: Vec<Vec<u8>> = tools.map(|(name, tool)| write_tool(&name, tool)).collect();
        let fingerprint = fingerprint(&tools);
        let count = tools.len().div_ceil(size).max(1);
        let pages = (0..count).map(|index| {
            let from = index * size;
            let to = (from + size).min(tools.len());
            let next = (index + 1 < count).then(|| Cursor { fingerprint, page: index as u32 + 1 });
            write_page(&tools[from..to], next)
        });
        Self { pages: pages.collect(), fingerprint }
    }

    /// The first page.
    #[must_use]
    pub fn first(&self) -> &Page {
        &self.pages[0]
    }

    /// The page that a cursor stands for; `None` if the cursor is not one of this list.
    #[must_use]
    pub fn at(&self, cursor: &str) -> Option<&Page> {
        let cursor = Cursor::decode(cursor)?;
        (cursor.fingerprint == self.fingerprint).then(|| self.pages.get(cursor.page as usize)).flatten()
    }
}

fn write_page(tools: &[Vec<u8>], next: Option<Cursor>) -> Page {
    let mut page = b"\"tools\":[".to_vec();
    page.extend_from_slice(&tools.join(&b','));
    page.push(b']');
    if let Some(next) = next {
        // The alphabet of a cursor needs no escapes.
        let _ = write!(page, ",\"nextCursor\":\"{}\"", next.encode());
    }
    page.into()
}

fn write_tool(name: &str, tool: &Tool) -> Vec<u8> {
    if let Some(published) = &tool.published {
        let (mut out, mut quoted) = (Vec::new(), Vec::new());
        string(&mut quoted, name);
        published.write(&mut out, &quoted);
        return out;
    }
    let mut out = b"{\"name\":".to_vec();
    string(&mut out, name);
    if let Some(description) = &tool.description {
        raw(&mut out, ",\"description\":");
        string(&mut out, description);
    }
    raw(&mut out, ",\"inputSchema\":");
    raw(&mut out, tool.input_schema.get());
    if let Some(schema) = &tool.output_schema {
        raw(&mut out, ",\"outputSchema\":");
        raw(&mut out, schema.get());
    }
    out.push(b'}');
    out
}

/// Says whether two lists are the same, also across replicas of one config.
fn fingerprint(tools: &[Vec<u8>]) -> [u8; 8] {
    let mut hash = Sha256::new();
    for tool in tools {
        hash.update((tool.len() as u64).to_le_bytes());
        hash.update(tool);
    }
    let digest = hash.finalize();
    std::array::from_fn(|index| digest[index])
}
