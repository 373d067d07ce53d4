//! The operator's config, as a file that a person mistyped or a program garbled.

use std::path::Path;

use toolgate::config::{Config, ConfigErrors, MAX_REPORTED, Problem};

use crate::Reached;

/// A secret of the environment, which no message may repeat.
const SECRET: &str = "hunter2-hunter2-hunter2";

/// Parses a file. Faults have a place in it, are bounded in number, and tell no secrets.
pub fn config(data: &[u8]) -> Reached {
    let Ok(text) = std::str::from_utf8(data) else { return Reached::new() };
    let env = |name: &str| match name {
        "HOME" => Some("/home/operator".to_owned()),
        "SECRET" => Some(SECRET.to_owned()),
        _ => None,
    };
    match Config::parse(text, Path::new("/etc/toolgate/toolgate.toml"), &env) {
        Ok(config) => granted(&config),
        Err(errors) => {
            check(&errors, text);
            errors.errors().iter().map(|error| fault(&error.problem)).collect()
        }
    }
}

fn check(errors: &ConfigErrors, text: &str) {
    let told = errors.to_string();
    assert!(!errors.errors().is_empty() && errors.errors().len() <= MAX_REPORTED, "{told}");
    let lines = text.split('\n').count();
    assert!(errors.errors().iter().all(|error| (1..=lines).contains(&error.line)), "{told}");
    assert!(text.contains(SECRET) || !told.contains(SECRET), "{told}");
}

/// That there are no faults, and which grants were read.
fn granted(config: &Config) -> Reached {
    let mut reached = vec!["valid"];
    for server in config.servers.values() {
        let grants = &server.policy.grants;
        let kinds = [
            ("http", grants.http().is_empty()),
            ("tcp", grants.tcp().is_empty()),
            ("files", grants.files().is_empty()),
            ("env", grants.env().is_empty()),
            ("secrets", grants.secrets().is_empty()),
        ];
        reached.extend(kinds.into_iter().filter(|(_, empty)| !empty).map(|(kind, _)| kind));
    }
    reached
}

fn fault(problem: &Problem) -> &'static str {
    match problem {
        Problem::Syntax(_) => "syntax",
        Problem::UnknownKey { .. } => "unknown key",
        Problem::MissingKey { .. } => "missing key",
        Problem::Type { .. } => "type",
        Problem::Value { .. } => "value",
        Problem::Environment { .. } => "environment",
    }
}
