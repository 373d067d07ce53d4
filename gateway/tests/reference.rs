//! The config reference in docs/operators.md is true: it parses, its values are the defaults, and
//! it leaves no key out.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use toolgate::config::Config;

/// The reference as it stands in the docs.
fn reference() -> String {
    let docs = include_str!("../../docs/operators.md");
    let (_, block) = docs.split_once("```toml\n[gateway]").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    format!("[gateway]{block}")
}

/// The same with the keys, and sections, that have no default.
fn in_full() -> String {
    let uncommented = |line: &str| match line.strip_prefix("# ") {
        Some(key) if key.contains(" = ") || key.starts_with('[') => key.to_owned(),
        _ => line.to_owned(),
    };
    reference().lines().map(|line| uncommented(line) + "\n").collect()
}

fn parse(text: &str) -> Result<Config, String> {
    let env = |name: &str| match name {
        "HOME" => Some("/home/operator".to_owned()),
        "SESSION_KEY" => Some("0123456789abcdef0123456789abcdef".to_owned()),
        "API_TOKEN" => Some("0123456789abcdef".to_owned()),
        _ => None,
    };
    Config::parse(text, Path::new("/etc/toolgate.toml"), &env).map_err(|errors| errors.to_string())
}

#[test]
fn the_values_of_the_reference_are_the_defaults() {
    let minimal =
        "[servers.fetch]\ncomponent = \"oci://ghcr.io/acme/fetch:1.2\"\nimage = \"mcp/fetch:1.2\"\n";
    let (documented, default) = (parse(&reference()).unwrap(), parse(minimal).unwrap());
    assert_eq!(format!("{documented:#?}"), format!("{default:#?}"));
}

#[test]
fn the_keys_without_a_default_can_be_used_as_shown() {
    parse(&in_full()).unwrap();
}

#[test]
fn the_reference_leaves_no_key_out() {
    let full = in_full();
    let errors = parse(&format!("zzzzzz = 1\n{full}")).unwrap_err();
    for section in known_keys(&errors) {
        assert!(
            full.contains(&format!("\n[{section}")) || full.starts_with(&format!("[{section}]")),
            "{section}"
        );
    }
    let sections: Vec<&str> = full.split_inclusive('\n').filter(|line| line.starts_with('[')).collect();
    for section in sections {
        let (before, after) = full.split_once(section).unwrap();
        let errors = parse(&format!("{before}{section}zzzzzz = 1\n{after}")).unwrap_err();
        let keys = keys_of_all_like(section, &full);
        for key in known_keys(&errors) {
            let is_key = keys.lines().any(|line| line.starts_with(&format!("{key} =")));
            let is_section = [']', '.'].iter().any(|end| full.contains(&format!(".{key}{end}")));
            assert!(is_key || is_section, "{} lacks {key}", section.trim());
        }
    }
}

/// The lines of a section, and of those that are it of another server: some keys rule others out.
fn keys_of_all_like(section: &str, full: &str) -> String {
    let kind = |name: &str| {
        name.replace("servers.docker", "servers.fetch").replace("servers.elsewhere", "servers.fetch")
    };
    let wanted = section.trim_start_matches('[').split(']').next().map(kind);
    let full = format!("\n{full}");
    let sections = full.split("\n[").filter_map(|text| text.split_once(']'));
    sections.filter(|(name, _)| Some(kind(name)) == wanted).map(|(_, keys)| format!("{keys}\n")).collect()
}

/// The keys that the hint of an unknown key lists.
fn known_keys(errors: &str) -> Vec<&str> {
    let (_, keys) = errors.split_once("known keys are ").unwrap_or_else(|| panic!("{errors}"));
    keys.lines().next().unwrap().split(", ").collect()
}
