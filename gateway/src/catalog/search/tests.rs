#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use toolgate_runtime::limits::Limits;

use crate::auth::Servers;
use crate::catalog::{Catalog, CatalogSettings, List, Profile, ServerState, Surface, ToolPattern, View};
use crate::fake::{Does, Fake, entry, entry_with, raw};
use toolgate_runtime::sandbox::Tool;

const TOOLS: [(&str, &str, &str); 6] = [
    (
        "create_issue",
        "Opens an issue in a repository.",
        r#"{"properties":{"title":{"description":"One line"}}}"#,
    ),
    ("listIssues", "Lists the issues of a repository.", "{}"),
    ("get_file", "Reads a file of a repository.", "{}"),
    ("weather", "Tells the weather.", r#"{"properties":{"city":{"description":"Where it rains"}}}"#),
    ("a_twin", "Same words.", "{}"),
    ("b_twin", "Same words.", "{}"),
];

fn fake(tools: &[(&str, &str, &str)]) -> std::sync::Arc<Fake> {
    let tool = |(name, description, schema): &(&str, &str, &str)| Tool {
        name: (*name).to_owned(),
        function: (*name).to_owned(),
        description: Some((*description).to_owned()),
        input_schema: raw(schema),
        output_schema: None,
        published: None,
    };
    Fake::of(tools.iter().map(|of| (tool(of), Does::Echo)).collect())
}

/// `git` has the tools above, `other` one of issues as well, `away` can't run; the profile `p` hides some.
fn catalog() -> Catalog {
    let entries = vec![
        entry("git", fake(&TOOLS)),
        entry("other", fake(&[("close_issue", "Closes an issue.", "{}")])),
        entry_with("away", ServerState::Unavailable("gone".into()), Limits::default()),
    ];
    let hide = vec![ToolPattern("*list*".to_owned())];
    let profile =
        Profile { servers: Servers::only(["git"]), hide, surface: Surface::Search, ..Profile::all() };
    let settings = CatalogSettings {
        surface: Surface::Search,
        searched: ["git".to_owned()].into(),
        profiles: [("p".to_owned(), profile)].into(),
        ..CatalogSettings::default()
    };
    Catalog::build(entries, &settings).unwrap()
}

fn found(view: &View, open: &Servers, query: &str) -> Vec<String> {
    let catalog = catalog();
    let found = catalog.find(view, open, query, 50);
    found.into_iter().map(|(name, _)| name).collect()
}

fn best(query: &str) -> String {
    found(&View::All, &Servers::All, query).into_iter().next().unwrap_or_default()
}

#[test]
fn the_best_match_comes_first() {
    for (query, expected) in [
        ("list the issues", "git__listIssues"),
        ("create an issue in my repository", "git__create_issue"),
        ("ISSUE, create!", "git__create_issue"),
        ("read files", "git__get_file"),
        ("city", "git__weather"),
        ("rains", "git__weather"),
        ("closes", "other__close_issue"),
    ] {
        assert_eq!(best(query), expected, "{query}");
    }
    for nothing in ["", "the of a", "zeppelin", "!!", &"x".repeat(10_000)] {
        assert_eq!(best(nothing), "", "{nothing}");
    }
    assert_eq!(
        found(&View::All, &Servers::All, "twin"),
        ["git__a_twin", "git__b_twin"],
        "as they are listed"
    );
}

#[test]
fn what_is_not_open_or_not_seen_is_never_found() {
    let issues = |view: &View, open: &Servers| {
        let mut found = found(view, open, "issue");
        found.sort();
        found
    };
    let all = ["git__create_issue", "git__listIssues", "other__close_issue"];
    assert_eq!(issues(&View::All, &Servers::All), all);
    assert_eq!(issues(&View::All, &Servers::only(["git"])), all[..2]);
    assert_eq!(issues(&View::All, &Servers::only(["other"])), all[2..]);
    assert_eq!(issues(&View::One("git".into()), &Servers::All), ["create_issue", "listIssues"]);
    assert_eq!(issues(&View::Profile("p".into()), &Servers::All), ["git__create_issue"]);
    let listed = found(&View::Profile("p".into()), &Servers::All, "weather");
    assert_eq!(listed, ["git__weather"]);
    assert!(found(&View::Profile("p".into()), &Servers::only(["other"]), "issue").is_empty());
    assert_eq!(catalog().find(&View::All, &Servers::All, "issue", 1).len(), 1);
}

#[test]
fn a_surface_for_search_lists_two_tools_whatever_there_is() {
    let catalog = catalog();
    let page = |view: &View, open: &Servers| {
        let pages = catalog.pages(List::Tools, view, open).unwrap();
        String::from_utf8(pages.first().to_vec()).unwrap()
    };
    let small = page(&View::All, &Servers::All);
    let list: serde_json::Value = serde_json::from_str(&format!("{{{small}}}")).unwrap();
    let names: Vec<_> = list["tools"].as_array().unwrap().iter().map(|tool| tool["name"].clone()).collect();
    assert_eq!(names, ["find_tools", "call_tool"]);
    for view in [View::One("git".into()), View::Profile("p".into())] {
        assert_eq!(page(&view, &Servers::All), small);
    }
    assert_eq!(page(&View::All, &Servers::only(["other"])), small);
    assert!(page(&View::One("other".into()), &Servers::All).contains("close_issue"));
    assert!(catalog.pages(List::Tools, &View::One("git".into()), &Servers::only(["other"])).is_none());
}

#[test]
fn thousands_of_tools_are_searched_fast_enough_to_be_called() {
    let names: Vec<_> = (0..5000).map(|number| format!("get_number_{number}")).collect();
    let words = "reads writes lists creates closes opens issue file page city ".repeat(40);
    let tools: Vec<_> = names.iter().map(|name| (name.as_str(), words.as_str(), "{}")).collect();
    let settings = CatalogSettings { surface: Surface::Search, ..CatalogSettings::default() };
    let catalog = Catalog::build(vec![entry("many", fake(&tools))], &settings).unwrap();
    let since = std::time::Instant::now();
    let query = "read write list create close open issue file page city get number 4711";
    let found = catalog.find(&View::All, &Servers::All, query, 3);
    assert_eq!(found[0].0, "many__get_number_4711");
    assert!(since.elapsed() < std::time::Duration::from_secs(5), "{:?}", since.elapsed());
}
