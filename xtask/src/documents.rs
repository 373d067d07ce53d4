//! What people and the justfile are told to run and to read exists: every `cargo xtask …` is a
//! command of ours, and every relative link leads to a file, and to a heading where it names one.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser as _;

use crate::{Arguments, layout};

/// The pages at the root that are written for people.
const PAGES: [&str; 3] = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"];

const COMMAND: &str = "cargo xtask ";

fn pages() -> Vec<PathBuf> {
    let docs = fs::read_dir(layout::root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let docs = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    PAGES.iter().map(|page| layout::root().join(page)).chain(docs).collect()
}

/// Each `cargo xtask …` of a text, up to what ends a command in markdown, shell and just.
fn commands(text: &str) -> Vec<Vec<&str>> {
    let lines = text.lines().flat_map(|line| line.split(COMMAND).skip(1));
    let ends = |c: char| "`#;|&)".contains(c);
    let commands = lines.map(|rest| rest.split(ends).next().unwrap_or_default());
    // What just puts in for `{{args}}` may be nothing.
    commands.map(|words| words.split_whitespace().filter(|word| *word != "{{args}}").collect()).collect()
}

fn assert_parsed(place: &Path) -> usize {
    let text = fs::read_to_string(place).unwrap();
    let commands = commands(&text);
    for words in &commands {
        if let Err(error) = Arguments::try_parse_from(std::iter::once(&"xtask").chain(words)) {
            panic!("{}: cargo xtask {}\n{error}", place.display(), words.join(" "));
        }
    }
    commands.len()
}

#[test]
fn every_recipe_of_the_justfile_is_a_command() {
    let place = layout::root().join("justfile");
    let recipes = fs::read_to_string(&place).unwrap().matches("cargo xtask").count();
    assert!(recipes >= 4, "{recipes} recipes call xtask");
    assert_eq!(assert_parsed(&place), recipes);
}

#[test]
fn every_command_that_a_page_shows_is_one() {
    let shown: usize = pages().iter().map(|page| assert_parsed(page)).sum();
    assert!(shown >= 8, "only {shown} are shown");
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut checked = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for link in links(&text) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(target.exists(), "{} links to {link}, which does not exist", page.display());
            let known = heading.is_empty() || headings(&target).contains(heading);
            assert!(known, "{} links to {link}, but there is no such heading", page.display());
            checked += 1;
        }
    }
    assert!(checked >= 20, "only {checked} are checked");
}

/// The targets of `[text](target)` outside of code, without those on other hosts.
fn links(text: &str) -> Vec<&str> {
    let lines = prose(text).flat_map(|line| line.split("](").skip(1));
    let targets = lines.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:")).collect()
}

/// The lines that are not in a block of code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    })
}

/// The anchors of a page's headings, as forges make them.
fn headings(page: &Path) -> BTreeSet<String> {
    let anchor = |line: &str| {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    let text = fs::read_to_string(page).unwrap_or_default();
    prose(&text).filter(|line| line.starts_with('#')).map(anchor).collect()
}

#[test]
fn commands_and_links_are_found_where_they_are() {
    let text = "Run `cargo xtask fuzz wit`, then\n    cargo xtask test {{args}}  # all\n";
    assert_eq!(commands(text), [vec!["fuzz", "wit"], vec!["test"]]);
    let text = "[a](b.md#c) and [d](https://e.example/) ![f](g.png)\n```\n[h](i)\n```\n[j](#k)\n";
    assert_eq!(links(text), ["b.md#c", "g.png", "#k"]);
}
