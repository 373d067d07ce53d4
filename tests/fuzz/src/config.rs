//! The operator's config, as a file that a person mistyped or a program garbled.

use std::path::Path;

use toolgate::config::{Config, MAX_REPORTED};

/// A secret of the environment, which no message may repeat.
const SECRET: &str = "hunter2-hunter2-hunter2";

/// Parses a file. Faults have a place in it, are bounded in number, and tell no secrets.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let env = |name: &str| match name {
        "HOME" => Some("/home/operator".to_owned()),
        "SECRET" => Some(SECRET.to_owned()),
        _ => None,
    };
    let Err(errors) = Config::parse(text, Path::new("/etc/toolgate/toolgate.toml"), &env) else { return };
    let told = errors.to_string();
    assert!(!errors.errors().is_empty() && errors.errors().len() <= MAX_REPORTED, "{told}");
    let lines = text.split('\n').count();
    assert!(errors.errors().iter().all(|error| (1..=lines).contains(&error.line)), "{told}");
    assert!(text.contains(SECRET) || !told.contains(SECRET), "{told}");
}
