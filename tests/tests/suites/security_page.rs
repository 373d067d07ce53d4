//! docs/security.md is true: what it names as shown by a test or a transcript is there.
//!
//! The page ties each promise to what shows it by code spans: `path/to/file.rs::test`, or a path below
//! `tests/escape/`. Only what runs counts: a function that is no test shows nothing. Who renames or
//! removes one, or adds a promise without any, fails here. Whether a test shows what its line says,
//! people have to read.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use e2e::guests;

/// Where the transcripts are, and the suite that makes them.
const ESCAPE: &str = "tests/escape/";

/// With fewer than so many different ones, the page was not understood.
const LEAST: usize = 40;

fn page() -> String {
    fs::read_to_string(guests::root().join("docs/security.md")).unwrap()
}

/// The code spans of a line that name a test or something of the escape suite.
fn named(line: &str) -> impl Iterator<Item = &str> {
    let spans = line.split('`').skip(1).step_by(2);
    spans.filter(|span| span.contains(".rs::") || span.starts_with(ESCAPE))
}

/// Whether a name is that of a test, of a transcript or a folder of them, or of what the escape suite
/// does after each attempt.
fn exists(root: &Path, name: &str) -> bool {
    let Some((file, function)) = name.split_once("::") else {
        return transcripts(&root.join(name)) > 0;
    };
    let text = fs::read_to_string(root.join(file)).unwrap_or_default();
    is_test(&text, function)
        || (file.starts_with(ESCAPE) && defines(&text, function) && is_called(&root.join(ESCAPE), function))
}

fn defines(text: &str, function: &str) -> bool {
    text.contains(&format!("fn {function}("))
}

/// Whether cargo runs this function: it has one of the attributes that make a test, right above it.
fn is_test(text: &str, function: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let signature = format!("fn {function}(");
    let declared = |line: &&str| line.trim_start_matches("async ").starts_with(&signature);
    let Some(at) = lines.iter().position(declared) else { return false };
    let mut above =
        lines[..at].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
    above.any(|line| *line == "#[test]" || line.starts_with("#[tokio::test"))
}

/// Whether one of a folder's sources calls a function, as one of its own or of a value.
fn is_called(folder: &Path, function: &str) -> bool {
    let sources = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let sources = sources.filter(|path| path.extension().is_some_and(|ending| ending == "rs"));
    let text: String = sources.map(|path| fs::read_to_string(path).unwrap()).collect();
    let call = format!("{function}(");
    let in_a_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(&call).any(|(at, _)| !text[..at].ends_with(in_a_word) && !text[..at].ends_with("fn "))
}

/// Transcripts at or below a path.
fn transcripts(path: &Path) -> usize {
    if path.is_file() {
        return usize::from(path.extension().is_some_and(|ending| ending == "attempt"));
    }
    let Ok(entries) = fs::read_dir(path) else { return 0 };
    entries.map(|entry| transcripts(&entry.unwrap().path())).sum()
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

#[test]
fn a_function_that_cargo_does_not_run_shows_nothing() {
    let text = "#[test]\n/// Shows it.\n#[cfg(unix)]\nfn shows(\n) {}\n\n\
                #[tokio::test(flavor = \"multi_thread\")]\nasync fn waits() {}\n\n\
                #[test]\nfn other() {}\n\nfn helps() {}\n\n#[allow(dead_code)]\nfn lies() {}\n";
    for (function, expected) in [
        ("shows", true),
        ("waits", true),
        ("helps", false),
        ("lies", false),
        ("show", false),
        ("gone", false),
    ] {
        assert_eq!(is_test(text, function), expected, "{function}");
    }
}
