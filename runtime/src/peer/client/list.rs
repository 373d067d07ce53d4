//! Lists of what a server offers, page after page. Entries stay the text that they are.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{ClientError, read};

/// Pages of a list. Against a server whose list never ends.
const MAX_PAGES: usize = 1000;

/// Entries of a list, and bytes of them all. Against the same with few pages.
const MAX_ENTRIES: usize = 10_000;
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// A list that a server may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// Of its tools.
    Tools,
    /// Of its prompts.
    Prompts,
    /// Of its resources.
    Resources,
    /// Of templates of more resources.
    Templates,
}

/// An entry of a list, as its server published it.
#[derive(Clone, Debug)]
pub struct Offered {
    /// What it is asked for by: a name, or for resources a URI or its template.
    pub name: String,
    /// The whole of it, a JSON object.
    pub json: Box<RawValue>,
}

/// The pages of a list, as they come.
#[derive(Debug)]
pub struct Pages {
    list: List,
    pages: usize,
    bytes: usize,
    /// What they list.
    pub entries: Vec<Offered>,
}

impl Pages {
    /// None yet.
    #[must_use]
    pub fn of(list: List) -> Self {
        Self { list, pages: 0, bytes: 0, entries: Vec::new() }
    }

    /// Takes the next, and gives the cursor of the one after that, where there is one.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn take(&mut self, answer: &RawValue) -> Result<Option<String>, ClientError> {
        let list = self.list;
        self.pages += 1;
        self.bytes += answer.get().len();
        let mut page: Page<'_> = read(list.method(), answer)?;
        for entry in list.of(&mut page)? {
            self.entries.push(list.offered(entry)?);
        }
        if self.entries.len() > MAX_ENTRIES {
            return Err(list.endless(format!("{MAX_ENTRIES} entries")));
        }
        if self.bytes > MAX_BYTES {
            return Err(list.endless(format!("{MAX_BYTES} bytes")));
        }
        match page.next_cursor {
            Some(_) if self.pages >= MAX_PAGES => Err(list.endless(format!("{MAX_PAGES} pages"))),
            cursor => Ok(cursor),
        }
    }
}

/// What we read of a page, whatever it lists.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    #[serde(borrow, default)]
    tools: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    prompts: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    resources: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    resource_templates: Option<Vec<&'a RawValue>>,
    #[serde(default)]
    next_cursor: Option<String>,
}

impl List {
    /// The method by which it is asked for.
    #[must_use]
    pub fn method(self) -> &'static str {
        match self {
            Self::Tools => "tools/list",
            Self::Prompts => "prompts/list",
            Self::Resources => "resources/list",
            Self::Templates => "resources/templates/list",
        }
    }

    fn of<'a>(self, page: &mut Page<'a>) -> Result<Vec<&'a RawValue>, ClientError> {
        let (entries, name) = match self {
            Self::Tools => (page.tools.take(), "tools"),
            Self::Prompts => (page.prompts.take(), "prompts"),
            Self::Resources => (page.resources.take(), "resources"),
            Self::Templates => (page.resource_templates.take(), "resourceTemplates"),
        };
        let cause = || format!("missing field `{name}`");
        entries.ok_or_else(|| ClientError::Answer { method: self.method(), cause: cause() })
    }

    fn endless(self, bound: String) -> ClientError {
        ClientError::Endless { method: self.method(), bound }
    }

    fn offered(self, entry: &RawValue) -> Result<Offered, ClientError> {
        Ok(Offered { name: self.key(entry)?, json: entry.to_owned() })
    }

    /// What an entry is asked for by.
    fn key(self, entry: &RawValue) -> Result<String, ClientError> {
        let keys: Keys<'_> = read(self.method(), entry)?;
        let (key, name) = match self {
            Self::Tools | Self::Prompts => (keys.name, "name"),
            Self::Resources => (keys.uri, "uri"),
            Self::Templates => (keys.uri_template, "uriTemplate"),
        };
        let missing = || ClientError::Answer {
            method: self.method(),
            cause: format!("missing field `{name}` in an entry"),
        };
        key.map(Cow::into_owned).ok_or_else(missing)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Keys<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    uri: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    uri_template: Option<Cow<'a, str>>,
}

/// The entries of a list that is a JSON array.
///
/// # Errors
/// See [`ClientError`].
pub fn entries(list: List, array: &str) -> Result<Vec<Offered>, ClientError> {
    let unread =
        |error: serde_json::Error| ClientError::Answer { method: list.method(), cause: error.to_string() };
    if array.len() > MAX_BYTES {
        return Err(list.endless(format!("{MAX_BYTES} bytes")));
    }
    let entries: Vec<&RawValue> = serde_json::from_str(array).map_err(unread)?;
    if entries.len() > MAX_ENTRIES {
        return Err(list.endless(format!("{MAX_ENTRIES} entries")));
    }
    entries.into_iter().map(|entry| list.offered(entry)).collect()
}
