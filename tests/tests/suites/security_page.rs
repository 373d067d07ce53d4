//! docs/security.md is true: what it names as shown by a test or a transcript is there.
//!
//! The page ties each promise to what shows it by code spans: `path/to/file.rs::test`, or a path below
//! `tests/escape/`. Who renames or removes one, or adds a promise without any, fails here. Whether a
//! test shows what its line says, people have to read.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use e2e::guests;

/// With fewer than so many different ones, the page was not understood.
const LEAST: usize = 40;

fn page() -> String {
    fs::read_to_string(guests::root().join("docs/security.md")).unwrap()
}

/// The code spans of a line that name a test or something of the escape suite.
fn named(line: &str) -> impl Iterator<Item = &str> {
    let spans = line.split('`').skip(1).step_by(2);
    spans.filter(|span| span.contains(".rs::") || span.starts_with("tests/escape/"))
}

fn exists(root: &Path, name: &str) -> bool {
    match name.split_once("::") {
        Some((file, test)) => {
            let text = fs::read_to_string(root.join(file)).unwrap_or_default();
            text.contains(&format!("fn {test}("))
        }
        None => root.join(name).exists(),
    }
}

#[test]
fn what_the_security_page_names_is_there() {
    let (root, page) = (guests::root(), page());
    let named: BTreeSet<&str> = page.lines().flat_map(named).collect();
    assert!(named.len() >= LEAST, "only {} names are on the page: {named:?}", named.len());
    let missing: Vec<&str> = named.into_iter().filter(|name| !exists(&root, name)).collect();
    assert!(missing.is_empty(), "docs/security.md names what is not there:\n{}", missing.join("\n"));
}

#[test]
fn each_promise_of_the_security_page_names_what_shows_it() {
    let page = page();
    let (_, promises) = page.split_once("\n## What is promised\n").unwrap();
    let (promises, _) = promises.split_once("\n## ").unwrap();
    let rows = promises.lines().filter(|line| line.starts_with("| ") && *line != "| promise | shown by |");
    let bare: Vec<&str> = rows.filter(|row| named(row).next().is_none()).collect();
    assert!(bare.is_empty(), "promises without a test:\n{}", bare.join("\n"));
}
