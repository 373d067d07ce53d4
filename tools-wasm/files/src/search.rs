//! Searching a folder by name and by content.

use std::fs::File;
use std::io::Read;

use crate::fault;
use crate::folder::{self, Kind};
use crate::pattern::Pattern;

/// Hits given if the caller names no limit.
pub const DEFAULT_HITS: u32 = 100;

/// Hits given at most.
pub const MAX_HITS: u32 = 1000;

/// Files and folders looked at in one search. Against trees with millions of files.
const MAX_VISITED: usize = 20_000;

/// Bytes read over all files of one search; with about a nanosecond a byte it ends in time.
const MAX_READ: u64 = 64 * 1024 * 1024;

/// The largest file that is searched by content. Against one file that fills the guest's memory.
const MAX_FILE: u64 = 8 * 1024 * 1024;

/// Characters of a line that are shown. Against minified files, whose one line is the file.
const MAX_LINE: usize = 200;

/// What to look for.
#[derive(Debug)]
pub struct Query {
    text: Option<String>,
    name: Option<Pattern>,
    limit: usize,
}

impl Query {
    /// Joins the conditions; both must hold.
    ///
    /// # Errors
    /// If there is no condition at all, or the name pattern is not one.
    pub fn new(text: Option<&str>, name: Option<&str>, limit: Option<u32>) -> Result<Self, String> {
        let text = text.filter(|text| !text.is_empty()).map(str::to_lowercase);
        let name = name.map(Pattern::parse).transpose()?;
        if text.is_none() && name.is_none() {
            return Err("nothing to search for; give text, name or both".to_owned());
        }
        Ok(Self { text, name, limit: limit.unwrap_or(DEFAULT_HITS).clamp(1, MAX_HITS) as usize })
    }
}

/// One place where something was found.
#[derive(Debug, PartialEq, Eq)]
pub struct Hit {
    /// The full path.
    pub path: String,
    /// From 1; `None` where the name matched.
    pub line: Option<u32>,
    /// The line, shortened.
    pub text: Option<String>,
}

/// What a search found.
#[derive(Debug, Default)]
pub struct Findings {
    /// In the order of the walk.
    pub hits: Vec<Hit>,
    /// Whether a limit ended it early.
    pub truncated: bool,
}

/// Searches a folder and all folders in it. Links are not followed, and what can't be read is
/// passed over.
///
/// # Errors
/// If the folder itself can't be listed.
pub fn search(path: &str, query: &Query) -> Result<Findings, String> {
    let mut findings = Findings::default();
    let mut pending = folder::children(path, &mut findings.truncated)
        .map_err(|error| fault::describe("search", path, &error))?;
    pending.reverse();
    let (mut visited, mut left) = (0, MAX_READ);
    while let Some(entry) = pending.pop() {
        visited += 1;
        if visited > MAX_VISITED || findings.hits.len() >= query.limit {
            findings.truncated = true;
            break;
        }
        if entry.kind == Kind::Folder {
            let inside = folder::children(&entry.path, &mut findings.truncated).unwrap_or_default();
            pending.extend(inside.into_iter().rev());
        }
        if query.name.as_ref().is_some_and(|name| !name.matches(below(path, &entry.path))) {
            continue;
        }
        match &query.text {
            None => findings.hits.push(Hit { path: entry.path, line: None, text: None }),
            Some(wanted) if entry.kind == Kind::File => {
                let size = entry.size.unwrap_or_default();
                if size > left.min(MAX_FILE) {
                    findings.truncated = true;
                    continue;
                }
                left -= size;
                find_lines(&entry.path, wanted, query.limit, &mut findings);
            }
            Some(_) => {}
        }
    }
    Ok(findings)
}

/// The path of an entry below the folder that is searched.
fn below<'a>(folder: &str, path: &'a str) -> &'a str {
    path.strip_prefix(folder).unwrap_or(path).trim_start_matches('/')
}

fn find_lines(path: &str, wanted: &str, limit: usize, findings: &mut Findings) {
    let Some(content) = text_of(path) else { return };
    for (number, line) in (1..).zip(content.lines()) {
        if !line.to_lowercase().contains(wanted) {
            continue;
        }
        if findings.hits.len() >= limit {
            findings.truncated = true;
            return;
        }
        let shown = line.trim().chars().take(MAX_LINE).collect();
        findings.hits.push(Hit { path: path.to_owned(), line: Some(number), text: Some(shown) });
    }
}

/// The content of a file that is text. The size was checked, but a file can grow meanwhile.
fn text_of(path: &str) -> Option<String> {
    let mut content = String::new();
    File::open(path).ok()?.take(MAX_FILE).read_to_string(&mut content).ok()?;
    Some(content)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use std::fs;

    use super::*;

    fn tree() -> (tempfile::TempDir, String) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("src/deep")).unwrap();
        fs::write(dir.path().join("src/lib.rs"), "fn one() {}\n  // The Needle\n").unwrap();
        fs::write(dir.path().join("src/deep/a.rs"), "needle needle\nneedle\n").unwrap();
        fs::write(dir.path().join("notes.md"), "no pins").unwrap();
        fs::write(dir.path().join("picture"), [0xff, b'n', b'e', b'e', b'd', b'l', b'e']).unwrap();
        let path = dir.path().to_str().unwrap().to_owned();
        (dir, path)
    }

    fn found(path: &str, text: Option<&str>, name: Option<&str>, limit: Option<u32>) -> (Vec<String>, bool) {
        let findings = search(path, &Query::new(text, name, limit).unwrap()).unwrap();
        let shown = findings.hits.iter().map(|hit| {
            let line = hit.line.map_or(String::new(), |line| format!(":{line}"));
            format!("{}{line}", below(path, &hit.path))
        });
        (shown.collect(), findings.truncated)
    }

    #[test]
    fn content_is_found_with_its_line_in_any_letter_case() {
        let (_dir, path) = tree();
        let (hits, truncated) = found(&path, Some("NEEDLE"), None, None);
        assert_eq!(hits, ["src/deep/a.rs:1", "src/deep/a.rs:2", "src/lib.rs:2"]);
        assert!(!truncated);
    }

    #[test]
    fn names_narrow_the_search() {
        let (_dir, path) = tree();
        assert_eq!(found(&path, Some("needle"), Some("lib.*"), None).0, ["src/lib.rs:2"]);
        assert_eq!(found(&path, None, Some("*.rs"), None).0, ["src/deep/a.rs", "src/lib.rs"]);
        assert_eq!(found(&path, None, Some("src/*.rs"), None).0, ["src/lib.rs"]);
        assert_eq!(found(&path, None, Some("deep"), None).0, ["src/deep"]);
    }

    #[test]
    fn a_limit_cuts_and_says_so() {
        let (_dir, path) = tree();
        let (hits, truncated) = found(&path, Some("needle"), None, Some(2));
        assert_eq!((hits.len(), truncated), (2, true));
    }

    #[test]
    fn a_long_line_is_shortened() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("min.js"), "ä".repeat(10_000)).unwrap();
        let findings =
            search(dir.path().to_str().unwrap(), &Query::new(Some("Ä"), None, None).unwrap()).unwrap();
        assert_eq!(findings.hits[0].text.as_ref().unwrap().chars().count(), MAX_LINE);
    }

    #[test]
    fn a_file_too_large_to_search_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = File::create(dir.path().join("large")).unwrap();
        file.set_len(MAX_FILE + 1).unwrap();
        assert_eq!(found(dir.path().to_str().unwrap(), Some("x"), None, None), (vec![], true));
    }

    #[test]
    fn a_search_for_nothing_is_refused() {
        assert!(Query::new(None, None, None).unwrap_err().contains("give text, name or both"));
        assert!(Query::new(Some(""), None, None).is_err());
        assert!(search("/no/such/folder", &Query::new(Some("x"), None, None).unwrap()).is_err());
    }
}
