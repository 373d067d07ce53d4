#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use serde_json::Value;
use toolgate_runtime::limits::Limits;

use super::cursor::Cursor;
use super::*;
use crate::fake::{Does, Fake, catalog, entry, entry_with};

fn names(pages: &Pages) -> Vec<String> {
    let mut names = Vec::new();
    let mut page = Some(pages.first().clone());
    while let Some(bytes) = page {
        let json: Value = serde_json::from_slice(&[b"{", &bytes[..], b"}"].concat()).unwrap();
        let tools = json["tools"].as_array().unwrap().clone();
        names.extend(tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()));
        page = json["nextCursor"].as_str().map(|cursor| pages.at(cursor).unwrap().clone());
    }
    names
}

fn resolve(catalog: &Catalog, view: &View, name: &str) -> Result<Resolved, Unresolved> {
    catalog.resolve(view, &Wanted::Tool(name.to_owned()), &Servers::All)
}

fn reason(catalog: &Catalog, server: &str) -> String {
    catalog.server(server).unwrap().unavailable().unwrap().to_owned()
}

#[test]
fn a_tool_is_found_by_its_name_in_either_view() {
    let catalog = catalog(vec![
        entry("a", Fake::new(&[("x", Does::Echo), ("y", Does::Echo)])),
        entry("b", Fake::new(&[("x", Does::Echo)])),
    ]);
    let resolved = resolve(&catalog, &View::All, "a__y").unwrap();
    assert_eq!((resolved.server().name(), resolved.target()), ("a", &Target::Tool(1)));
    let one = catalog.view("b").unwrap();
    assert_eq!(resolve(&catalog, &one, "x").unwrap().server().name(), "b");
    for name in ["x", "a_x", "a__z", "c__x", "a__", "__x", ""] {
        assert_eq!(resolve(&catalog, &View::All, name).unwrap_err(), Unresolved::Unknown);
    }
    assert_eq!(resolve(&catalog, &one, "b__x").unwrap_err(), Unresolved::Unknown);
    let nobody = View::One("nobody".into());
    assert_eq!(resolve(&catalog, &nobody, "x").unwrap_err(), Unresolved::UnknownServer);
    assert!(catalog.pages(List::Tools, &nobody, &Servers::All).is_none());
}

#[test]
fn one_broken_server_keeps_no_other_from_serving() {
    let broken = ServerState::Unavailable("pull failed".into());
    let catalog = catalog(vec![
        entry_with("broken", broken, Limits::default()),
        entry("good", Fake::new(&[("x", Does::Echo)])),
    ]);
    assert!(resolve(&catalog, &View::All, "good__x").is_ok());
    assert!(matches!(
        resolve(&catalog, &View::All, "broken__x"),
        Err(Unresolved::Unavailable(server)) if server.name() == "broken"
    ));
    assert_eq!(names(&catalog.pages(List::Tools, &View::All, &Servers::All).unwrap()), ["good__x"]);
}

#[test]
fn names_that_clash_make_the_later_server_unavailable() {
    let catalog = catalog(vec![
        entry("a", Fake::new(&[("b__c", Does::Echo)])),
        entry("a__b", Fake::new(&[("c", Does::Echo)])),
        entry("twice", Fake::new(&[("x", Does::Echo), ("x", Does::Echo)])),
    ]);
    assert!(catalog.server("a").unwrap().is_ready());
    assert!(reason(&catalog, "a__b").contains(r#""a__b__c" of "test:fake/api#c" is taken by server "a""#));
    assert!(reason(&catalog, "a__b").contains("`rename` in [servers.a__b]"));
    assert!(reason(&catalog, "twice").contains("is used twice"));
    assert_eq!(names(&catalog.pages(List::Tools, &View::All, &Servers::All).unwrap()), ["a__b__c"]);
}

#[test]
fn names_that_some_client_refuses_make_the_server_unavailable() {
    let long = "x".repeat(62);
    let catalog = catalog(vec![
        entry("a", Fake::new(&[(&long[..61], Does::Echo)])),
        entry("b", Fake::new(&[(&long, Does::Echo)])),
        entry("c", Fake::new(&[("dots.are.not", Does::Echo)])),
    ]);
    assert!(catalog.server("a").unwrap().is_ready(), "64 characters are allowed");
    assert!(reason(&catalog, "b").contains("65 characters"));
    assert!(reason(&catalog, "c").contains("characters other than"));
}

#[test]
fn server_names_are_checked() {
    let build = |names: &[&str]| {
        let entries = names.iter().map(|name| entry(name, Fake::new(&[]))).collect();
        Catalog::build(entries, &CatalogSettings::default()).map(drop)
    };
    assert_eq!(build(&["a", "b", "a"]), Err(CatalogError::Duplicate("a".into())));
    for name in ["", "a b", "a/b", "ä", &"x".repeat(62)] {
        assert_eq!(build(&[name]), Err(CatalogError::Name(name.into())));
    }
    assert_eq!(build(&[&"x".repeat(61)]), Ok(()));
}

#[test]
fn pages_hold_every_tool_once_in_order() {
    let all: Vec<String> = (0..23).map(|index| format!("t{index}")).collect();
    let tools: Vec<_> = all.iter().map(|name| (name.as_str(), Does::Echo)).collect();
    for page_size in [0, 1, 5, 22, 23, 24] {
        let entries = vec![entry("s", Fake::new(&tools))];
        let catalog = Catalog::build(entries, &CatalogSettings { page_size }).unwrap();
        let prefixed: Vec<String> = all.iter().map(|name| format!("s__{name}")).collect();
        assert_eq!(
            names(&catalog.pages(List::Tools, &View::All, &Servers::All).unwrap()),
            prefixed,
            "{page_size}"
        );
        assert_eq!(
            names(&catalog.pages(List::Tools, &catalog.view("s").unwrap(), &Servers::All).unwrap()),
            all
        );
    }
    assert!(names(&catalog(vec![]).pages(List::Tools, &View::All, &Servers::All).unwrap()).is_empty());
}

#[test]
fn a_cursor_of_another_list_is_refused() {
    let build = |tools: &[(&str, Does)]| {
        let entries = vec![entry("s", Fake::new(tools))];
        Catalog::build(entries, &CatalogSettings { page_size: 1 }).unwrap()
    };
    let before = build(&[("a", Does::Echo), ("b", Does::Echo)]);
    let after = build(&[("a", Does::Echo), ("c", Does::Echo)]);
    let page =
        String::from_utf8(before.pages(List::Tools, &View::All, &Servers::All).unwrap().first().to_vec())
            .unwrap();
    let cursor = page.rsplit('"').nth(1).unwrap();
    assert!(before.pages(List::Tools, &View::All, &Servers::All).unwrap().at(cursor).is_some());
    assert!(after.pages(List::Tools, &View::All, &Servers::All).unwrap().at(cursor).is_none());
    let same = build(&[("a", Does::Echo), ("b", Does::Echo)]);
    assert!(
        same.pages(List::Tools, &View::All, &Servers::All).unwrap().at(cursor).is_some(),
        "a replica takes it"
    );
}

proptest! {
    #[test]
    fn cursors_come_back_as_they_went(fingerprint: [u8; 8], page: u32) {
        let cursor = Cursor { fingerprint, page };
        let text = cursor.encode();
        prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        prop_assert_eq!(Cursor::decode(&text), Some(cursor));
    }

    #[test]
    fn no_text_makes_a_cursor_panic(text in ".{0,40}") {
        let _ = Cursor::decode(&text);
    }
}
