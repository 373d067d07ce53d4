//! A list, written to bytes once, in pages.
//!
//! A page holds the members `"tools":[…]`, or what else is listed, and, unless it is the last, `"nextCursor":"…"`, ready to
//! be set into a result of any revision. Names, descriptions and schemas are spliced as they are.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use toolgate_runtime::sandbox::{Description, Listed, Published, Tool};

use super::cursor::Cursor;
use crate::json::{raw, string};

/// One page: members of a JSON object, without its braces.
pub type Page = Bytes;

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum List {
    /// Tools.
    Tools,
    /// Prompts.
    Prompts,
    /// Resources.
    Resources,
    /// Templates of URIs of more resources.
    Templates,
}

/// All lists of one view.
#[derive(Debug)]
pub(super) struct Lists([Arc<Pages>; 4]);

/// The pages of one list; at least one, which may list nothing.
#[derive(Debug)]
pub struct Pages {
    pages: Vec<Page>,
    fingerprint: [u8; 8],
}

impl List {
    /// All there are.
    const ALL: [Self; 4] = [Self::Tools, Self::Prompts, Self::Resources, Self::Templates];

    /// The member that holds the entries.
    fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
        }
    }

    /// The entries that a server offers, of tools those that are `shown` under their names. Names begin with `prefix`;
    /// URIs stay what they are.
    pub(super) fn entries(
        self,
        prefix: &str,
        offered: &Description,
        shown: impl Fn(&str) -> bool,
    ) -> Vec<Vec<u8>> {
        let prefixed = |name: &str| format!("{prefix}{name}");
        let as_it_is = |listed: &Listed| listed.published.json.get().as_bytes().to_vec();
        match self {
            Self::Tools => offered
                .tools
                .iter()
                .map(|tool| (prefixed(&tool.name), tool))
                .filter(|(name, _)| shown(name))
                .map(|(name, tool)| write_tool(&name, tool))
                .collect(),
            Self::Prompts => offered
                .prompts
                .iter()
                .map(|prompt| write_published(&prefixed(&prompt.key), &prompt.published))
                .collect(),
            Self::Resources => offered.resources.iter().map(as_it_is).collect(),
            Self::Templates => offered.templates.iter().map(as_it_is).collect(),
        }
    }
}

impl Lists {
    /// Each list, as `write` writes it.
    pub(super) fn write(write: impl Fn(List) -> Pages) -> Self {
        Self(List::ALL.map(|list| Arc::new(write(list))))
    }

    pub(super) fn of(&self, list: List) -> &Arc<Pages> {
        &self.0[list as usize]
    }
}

impl Pages {
    /// By which it is told from a list with other entries.
    pub(crate) fn fingerprint(&self) -> [u8; 8] {
        self.fingerprint
    }

    /// Writes entries as pages of `size`.
    pub(super) fn write(list: List, entries: &[Vec<u8>], size: usize) -> Self {
        let fingerprint = fingerprint(entries);
        let count = entries.len().div_ceil(size).max(1);
        let pages = (0..count).map(|index| {
            let from = index * size;
            let to = (from + size).min(entries.len());
            let next = (index + 1 < count).then(|| Cursor { fingerprint, page: index as u32 + 1 });
            write_page(list.member(), &entries[from..to], next)
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

fn write_page(member: &str, entries: &[Vec<u8>], next: Option<Cursor>) -> Page {
    let mut page = format!("\"{member}\":[").into_bytes();
    page.extend_from_slice(&entries.join(&b','));
    page.push(b']');
    if let Some(next) = next {
        // The alphabet of a cursor needs no escapes.
        let _ = write!(page, ",\"nextCursor\":\"{}\"", next.encode());
    }
    page.into()
}

fn write_published(name: &str, published: &Published) -> Vec<u8> {
    let (mut out, mut quoted) = (Vec::new(), Vec::new());
    string(&mut quoted, name);
    published.write(&mut out, &quoted);
    out
}

fn write_tool(name: &str, tool: &Tool) -> Vec<u8> {
    if let Some(published) = &tool.published {
        return write_published(name, published);
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
fn fingerprint(entries: &[Vec<u8>]) -> [u8; 8] {
    let mut hash = Sha256::new();
    for entry in entries {
        hash.update((entry.len() as u64).to_le_bytes());
        hash.update(entry);
    }
    let digest = hash.finalize();
    std::array::from_fn(|index| digest[index])
}
