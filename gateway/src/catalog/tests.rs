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

fn paged(page_size: usize) -> CatalogSettings {
    CatalogSettings { page_size, ..CatalogSettings::default() }
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
    assert_eq!(resolve(&catalog, &nobody, "x").unwrap_err(), Unresolved::UnknownView);
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
        let catalog = Catalog::build(entries, &paged(page_size)).unwrap();
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
        Catalog::build(entries, &paged(1)).unwrap()
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

fn patterns(names: &[&str]) -> Vec<ToolPattern> {
    names.iter().map(|name| ToolPattern((*name).to_owned())).collect()
}

/// Three servers, of which one can't run, and a profile `p` of two of them.
fn profiled() -> Catalog {
    let entries = vec![
        entry("a", Fake::new(&[("x", Does::Echo), ("y", Does::Echo), ("z", Does::Echo)])),
        entry("b", Fake::of_mcp("say", "demo://b", "demo://b/{id}")),
        entry("c", Fake::of_mcp("say", "demo://c", "demo://c/{id}")),
        entry_with("d", ServerState::Unavailable("away".into()), Limits::default()),
    ];
    let (tools, hide) = (Some(patterns(&["a__*", "d__x"])), patterns(&["*__y", "a__gone"]));
    let profile = Profile { servers: Servers::only(["a", "b", "d"]), tools, hide, surface: Surface::All };
    let profiles = [("p".to_owned(), profile)].into();
    Catalog::build(entries, &CatalogSettings { page_size: 1, profiles, ..CatalogSettings::default() })
        .unwrap()
}

#[test]
fn a_profile_shows_the_tools_that_it_chooses_page_by_page() {
    let catalog = profiled();
    let view = catalog.profile("p", &Servers::All).unwrap();
    let listed = |open: &Servers| names(&catalog.pages(List::Tools, &view, open).unwrap());
    assert_eq!(listed(&Servers::All), ["a__x", "a__z"]);
    assert_eq!(listed(&Servers::only(["a", "b", "c", "d"])), ["a__x", "a__z"]);
    assert_eq!(listed(&Servers::only(["b", "c"])), Vec::<String>::new());
    assert!(resolve(&catalog, &view, "a__z").is_ok());
    for hidden in ["a__y", "c__x", "b__x", "d__y", "x"] {
        assert_eq!(resolve(&catalog, &view, hidden).unwrap_err(), Unresolved::Unknown, "{hidden}");
    }
    assert!(matches!(resolve(&catalog, &view, "d__x"), Err(Unresolved::Unavailable(_))));
    assert!(catalog.profile("q", &Servers::All).is_none());
    assert!(catalog.pages(List::Tools, &View::Profile("q".into()), &Servers::All).is_none());
}

#[test]
fn a_profile_has_prompts_and_resources_of_its_servers_alone() {
    let catalog = profiled();
    let view = catalog.profile("p", &Servers::All).unwrap();
    let found = |wanted: &Wanted| catalog.resolve(&view, wanted, &Servers::All).is_ok();
    let (prompt, resource) =
        (|name: &str| Wanted::Prompt(name.to_owned()), |uri: &str| Wanted::Resource(uri.to_owned()));
    assert!(found(&prompt("b__say")) && !found(&prompt("c__say")));
    assert!(found(&resource("demo://b")) && !found(&resource("demo://c")));
    assert!(found(&resource("demo://b/7")) && !found(&resource("demo://c/7")));
    for (reference, is_there) in [("demo://b/{id}", true), ("demo://c/{id}", false)] {
        assert_eq!(
            found(&Wanted::Completion(Reference::Template(reference.to_owned()))),
            is_there,
            "{reference}"
        );
    }
    for list in [List::Prompts, List::Resources, List::Templates] {
        let pages = catalog.pages(list, &view, &Servers::All).unwrap();
        let page = String::from_utf8(pages.first().to_vec()).unwrap();
        assert!(
            !page.contains("demo://c") && !page.contains("c__say") && !page.contains("nextCursor"),
            "{page}"
        );
    }
    assert!(catalog.shows(&view, "b") && !catalog.shows(&view, "c"));
}

#[test]
fn a_profile_of_which_nothing_is_open_is_as_one_that_is_not_there() {
    let catalog = profiled();
    assert!(catalog.profile("p", &Servers::only(["b"])).is_some());
    assert_eq!(catalog.profile("p", &Servers::only(["c"])), catalog.profile("none", &Servers::only(["c"])));
}

#[test]
fn the_list_of_a_profile_is_written_once_for_all_with_the_same_keys() {
    let catalog = profiled();
    let view = catalog.profile("p", &Servers::All).unwrap();
    let list = |view: &View, open: &Servers| catalog.pages(List::Tools, view, open).unwrap();
    let some = || Servers::only(["a"]);
    assert!(Arc::ptr_eq(&list(&view, &some()), &list(&view, &some())));
    assert!(Arc::ptr_eq(&list(&view, &Servers::All), &list(&view, &Servers::only(["a", "b", "d"]))));
    assert_eq!(names(&list(&View::All, &some())), ["a__x", "a__y", "a__z"], "not that of the profile");
}

#[test]
fn what_a_profile_names_in_vain_is_known_once_its_server_is_ready() {
    let catalog = profiled();
    assert_eq!(catalog.vain().collect::<Vec<_>>(), [("p", "a__gone")]);
}
