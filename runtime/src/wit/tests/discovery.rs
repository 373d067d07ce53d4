//! From a real component to tools.

use std::collections::BTreeMap;

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::wit::{Discovery, DiscoveryError, Returns, Type, discover, schema};

/// A component with an interface, another with a resource, and a function of its own.
pub(super) fn clock() -> Vec<u8> {
    wat::parse_str(include_str!("clock.wat")).unwrap()
}

pub(super) fn tools(bytes: &[u8], rename: &[(&str, &str)]) -> Result<Discovery, DiscoveryError> {
    let engine = Engine::default();
    let component = Component::from_binary(&engine, bytes).unwrap();
    let rename: BTreeMap<_, _> = rename.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
    discover(&engine, &component, bytes, &rename)
}

#[test]
fn functions_of_the_world_and_of_interfaces_become_tools() {
    let found = tools(&clock(), &[("acme:clock/more@1.0.0#now", "now-raw")]).unwrap();
    let mut names: Vec<_> = found.functions.iter().map(|f| (&*f.name, f.path())).collect();
    names.sort();
    let expected = [
        ("greet", "greet"),
        ("list-instants", "acme:clock/clock@1.0.0#list-instants"),
        ("now", "acme:clock/clock@1.0.0#now"),
        ("now-raw", "acme:clock/more@1.0.0#now"),
        ("parse-all", "acme:clock/clock@1.0.0#parse-all"),
    ];
    assert_eq!(names, expected.map(|(name, path)| (name, path.to_owned())));
    let parse_all = found.functions.iter().find(|f| &*f.name == "parse-all").unwrap();
    assert_eq!(parse_all.returns, Returns::Value(Type::Bytes));
    let now = found.functions.iter().find(|f| &*f.name == "now").unwrap();
    assert!(matches!(&now.returns, Returns::Verdict { ok: Some(Type::Record(_)), err: Some(Type::String) }));
    assert_eq!(now.interface.as_deref(), Some("acme:clock/clock@1.0.0"));
    assert!(schema::output(now).unwrap().get().starts_with(r#"{"type":"object","properties":{"seconds""#));
}

#[test]
fn a_function_without_a_json_form_is_skipped_with_the_reason() {
    let found = tools(&clock(), &[("acme:clock/more@1.0.0#now", "now-raw")]).unwrap();
    let reasons: BTreeMap<_, _> =
        found.skipped.iter().map(|s| (s.function.as_str(), s.reason.as_str())).collect();
    assert_eq!(
        reasons["acme:clock/more@1.0.0#take"],
        "its parameter `pool` holds a resource, which has no JSON form"
    );
    assert_eq!(reasons["acme:clock/more@1.0.0#open"], "its result holds a resource, which has no JSON form");
    assert!(reasons["acme:clock/more@1.0.0#[static]pool.size"].contains("rename"));
    assert!(reasons.contains_key("acme:clock/more@1.0.0#[method]pool.query"));
    assert_eq!(reasons.len(), 4);
}

#[test]
fn a_clash_names_both_functions_and_the_key_that_solves_it() {
    let message = tools(&clock(), &[]).unwrap_err().to_string();
    assert_eq!(
        message,
        "`acme:clock/clock@1.0.0#now` and `acme:clock/more@1.0.0#now` would both be the tool `now`; \
         rename one: rename = { \"acme:clock/more@1.0.0#now\" = \"other-name\" }"
    );
}

#[test]
fn a_rename_that_is_not_right_is_refused_with_what_there_is() {
    let bytes = clock();
    let message = |rename: &[(&str, &str)]| tools(&bytes, rename).unwrap_err().to_string();
    let unknown = message(&[("noww", "x")]);
    assert!(unknown.starts_with("rename: there is no function `noww`; the component exports `"), "{unknown}");
    assert!(unknown.contains("`greet`"), "{unknown}");
    let ambiguous = message(&[("now", "x")]);
    assert!(ambiguous.contains("several functions"), "{ambiguous}");
    assert!(message(&[("greet", "say hello")]).contains("is not a tool name"));
    assert!(message(&[("greet", &"x".repeat(65))]).contains("is not a tool name"));
    assert!(message(&[("open", "x")]).contains("can't be a tool"));
    assert!(message(&[("greet", "parse-all"), ("acme:clock/more@1.0.0#now", "n")]).contains("both"));
}

#[test]
fn a_static_function_becomes_a_tool_by_its_new_name() {
    let rename = [("acme:clock/more@1.0.0#now", "n"), ("[static]pool.size", "pool-size")];
    let found = tools(&clock(), &rename).unwrap();
    assert!(found.functions.iter().any(|f| &*f.name == "pool-size"));
}

#[test]
fn types_that_are_too_deep_or_double_at_each_level_are_skipped() {
    let twice = |ty: String| format!("(tuple (list {ty}) (list {ty}))");
    let wide = (0..13).fold("bool".to_owned(), |ty, _| twice(ty));
    let fine = (0..3).fold("bool".to_owned(), |ty, _| twice(ty));
    let deep = format!("{}bool{}", "(list ".repeat(40), ")".repeat(40));
    let export = |name: &str, ty: &str, flat: &str| {
        format!(
            "(func (export \"{name}\") (param \"v\" {ty}) (canon lift (core func $i \"{flat}\") {OPTIONS}))"
        )
    };
    const OPTIONS: &str = "(memory (core memory $i \"memory\")) (realloc (core func $i \"realloc\"))";
    let bytes = wat::parse_str(format!(
        "(component
            (core module $m
                (memory (export \"memory\") 1)
                (func (export \"realloc\") (param i32 i32 i32 i32) (result i32) unreachable)
                (func (export \"two\") (param i32 i32))
                (func (export \"four\") (param i32 i32 i32 i32)))
            (core instance $i (instantiate $m))
            {} {} {})",
        export("wide", &wide, "four"),
        export("fine", &fine, "four"),
        export("deep", &deep, "two"),
    ))
    .unwrap();
    let found = tools(&bytes, &[]).unwrap();
    assert_eq!(found.functions.len(), 1);
    let reason = |name: &str| &found.skipped.iter().find(|s| s.function.ends_with(name)).unwrap().reason;
    assert_eq!(reason("wide"), "its parameter `v` makes the signature larger than 10000 types");
    assert_eq!(reason("deep"), "its parameter `v` nests types deeper than 32 levels");
}
