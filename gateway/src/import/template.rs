//! `{{path|filter:argument|…}}` in a catalog's values.
//!
//! The filters: `or` a value in place of none, `first` and `last` of a list, `into` a list of its own
//! arguments, and for mounts `volume`, `volume-target` and `mount_as`.

use serde_json::Value;

use super::values::Values;

/// What a template stands for: one text, or several where it is a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Filled {
    One(String),
    Many(Vec<String>),
}

/// Why it stands for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfilled {
    #[error("it needs a value for {0}, see --values")]
    Value(String),
    #[error("the filter {0} is unknown")]
    Filter(String),
    #[error("`{{{{` is never closed")]
    Open,
    #[error("{0} is neither a text, a number, nor a list of them")]
    Kind(String),
    #[error("{0} is a list within a text")]
    ListInText(String),
}

const OPEN: &str = "{{";
const CLOSE: &str = "}}";

/// Fills a text in.
pub(super) fn fill(text: &str, values: &Values) -> Result<Filled, Unfilled> {
    let trimmed = text.trim();
    if let Some(expression) = lone(trimmed) {
        return evaluate(expression, values);
    }
    let (mut filled, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once(OPEN) {
        filled.push_str(before);
        let (expression, after) = after.split_once(CLOSE).ok_or(Unfilled::Open)?;
        match evaluate(expression, values)? {
            Filled::One(value) => filled.push_str(&value),
            Filled::Many(_) => return Err(Unfilled::ListInText(expression.trim().to_owned())),
        }
        rest = after;
    }
    filled.push_str(rest);
    Ok(Filled::One(filled))
}

/// The expression of a text that is nothing but one.
fn lone(text: &str) -> Option<&str> {
    let inner = text.strip_prefix(OPEN)?.strip_suffix(CLOSE)?;
    (!inner.contains(OPEN) && !inner.contains(CLOSE)).then_some(inner)
}

fn evaluate(expression: &str, values: &Values) -> Result<Filled, Unfilled> {
    let mut parts = expression.split('|');
    let path = parts.next().unwrap_or_default().trim();
    let mut found = values.get(path).map(|value| read(path, value)).transpose()?;
    for filter in parts {
        let (name, argument) = filter.split_once(':').unwrap_or((filter, ""));
        found = apply(name.trim(), argument.trim(), found)?;
    }
    found.ok_or_else(|| Unfilled::Value(path.to_owned()))
}

fn read(path: &str, value: &Value) -> Result<Filled, Unfilled> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    };
    let kind = || Unfilled::Kind(path.to_owned());
    match value {
        Value::Array(items) => {
            let items = items.iter().map(text).collect::<Option<_>>();
            items.map(Filled::Many).ok_or_else(kind)
        }
        value => text(value).map(Filled::One).ok_or_else(kind),
    }
}

fn apply(name: &str, argument: &str, found: Option<Filled>) -> Result<Option<Filled>, Unfilled> {
    let one = |filled: Option<&String>| filled.cloned().map(Filled::One);
    Ok(match (name, found) {
        ("or", found) => match found {
            Some(Filled::One(text)) if !text.is_empty() => Some(Filled::One(text)),
            Some(Filled::Many(items)) if !items.is_empty() => Some(Filled::Many(items)),
            _ => Some(literal(argument)),
        },
        ("first", Some(Filled::Many(items))) => one(items.first()),
        ("last", Some(Filled::Many(items))) => one(items.last()),
        ("first" | "last", found) => found,
        ("into", found) => found.map(|found| Filled::Many(found.into_texts())),
        ("volume", found) => found.map(|found| found.each(|path| format!("{path}:{}", target(path)))),
        ("volume-target", found) => found.map(|found| found.each(target)),
        ("mount_as", found) => {
            let path = found.and_then(|found| found.into_texts().into_iter().next());
            path.map(|path| Filled::One(format!("{path}:{argument}")))
        }
        _ => return Err(Unfilled::Filter(name.to_owned())),
    })
}

/// `[a, b]` a list, anything else a text.
fn literal(argument: &str) -> Filled {
    match argument.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some("") => Filled::Many(Vec::new()),
        Some(items) => Filled::Many(items.split(',').map(|item| item.trim().to_owned()).collect()),
        None => Filled::One(argument.to_owned()),
    }
}

/// Where a path of the host is in a container: `C:\data` is at `/C/data`.
fn target(path: &str) -> String {
    match path.split_once(":\\") {
        Some((drive, rest)) if drive.len() == 1 => format!("/{drive}/{}", rest.replace('\\', "/")),
        _ => path.to_owned(),
    }
}

impl Filled {
    /// As several texts.
    pub(super) fn into_texts(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(items) => items,
        }
    }

    fn each(self, change: impl Fn(&str) -> String) -> Self {
        match self {
            Self::One(text) => Self::One(change(&text)),
            Self::Many(items) => Self::Many(items.iter().map(|item| change(item)).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<Filled, Unfilled> {
        let values = "top: {key: child, list: [a, b], none: null, empty: [], nothing: '', number: 7, flag: true}\n\
                      win: 'C:\\data\\x'\npath: /srv/data\nmap: {a: {b: c}}";
        fill(text, &Values::parse(values).unwrap())
    }

    #[test]
    fn paths_lead_to_values_with_or_without_text_around() {
        for (text, expected) in [
            ("constant", "constant"),
            ("", ""),
            ("{{top.key}}", "child"),
            ("{{ top . key }}", "child"),
            ("--x={{top.key}}:{{path}}!", "--x=child:/srv/data!"),
            ("{{top.number}}", "7"),
            ("{{top.flag}}", "true"),
            ("{{map.a.b}}", "c"),
        ] {
            assert_eq!(filled(text), Ok(Filled::One(expected.to_owned())), "{text}");
        }
    }

    #[test]
    fn filters_do_as_those_of_the_catalogs_own_gateway() {
        let one = |text: &str| Ok(Filled::One(text.to_owned()));
        let many = |items: &[&str]| Ok(Filled::Many(items.iter().map(|item| (*item).to_owned()).collect()));
        for (text, expected) in [
            ("{{top.list}}", many(&["a", "b"])),
            ("{{top.list|into}}", many(&["a", "b"])),
            ("{{top.key|into}}", many(&["child"])),
            ("{{top.list|first}}", one("a")),
            ("{{top.list|last}}", one("b")),
            ("{{top.key|first}}", one("child")),
            ("{{top.list|last|into}}", many(&["b"])),
            ("{{top.none|or:default}}", one("default")),
            ("{{top.nothing|or:default}}", one("default")),
            ("{{top.key|or:default}}", one("child")),
            ("{{top.empty|or:v}}", one("v")),
            ("{{unknown|or:[]}}", many(&[])),
            ("{{top.empty|or:[x, y]}}", many(&["x", "y"])),
            ("{{path|volume}}", one("/srv/data:/srv/data")),
            ("{{top.list|volume|into}}", many(&["a:a", "b:b"])),
            ("{{unknown|or:[]|volume|into}}", many(&[])),
            ("{{win|volume}}", one("C:\\data\\x:/C/data/x")),
            ("{{win|volume-target}}", one("/C/data/x")),
            ("{{top.list|volume-target|into}}", many(&["a", "b"])),
            ("{{path|mount_as:/logs:ro}}", one("/srv/data:/logs:ro")),
            ("{{top.list|mount_as: /logs }}", one("a:/logs")),
        ] {
            assert_eq!(filled(text), expected, "{text}");
        }
    }

    #[test]
    fn what_stands_for_nothing_says_why() {
        for (text, why) in [
            ("{{unknown}}", "it needs a value for unknown, see --values"),
            ("x{{top.none}}", "it needs a value for top.none, see --values"),
            ("{{top.none|mount_as:/x}}", "it needs a value for top.none, see --values"),
            ("{{top.empty|first}}", "it needs a value for top.empty, see --values"),
            ("{{top.key|shout}}", "the filter shout is unknown"),
            ("{{top.key", "`{{` is never closed"),
            ("{{map}}", "map is neither a text, a number, nor a list of them"),
            ("x{{top.list}}", "top.list is a list within a text"),
        ] {
            assert_eq!(filled(text).unwrap_err().to_string(), why, "{text}");
        }
    }
}
