//! Doc comments of functions, split into what describes the tool and what describes a parameter.
//!
//! WIT has no docs on parameters. Two ways of writing them into the function's docs are understood:
//! a list item "- `name`: text" and a line "@param name text", each with indented continuation
//! lines, and only where `name` is a parameter.

use std::collections::BTreeMap;

/// Characters of one description. Against a publisher who fills the model's context.
const MAX_DESCRIPTION_CHARS: usize = 4096;

/// A function's docs, told apart.
#[derive(Debug, Default, PartialEq)]
pub(in crate::wit) struct Comment {
    /// What describes the function itself.
    pub description: Option<String>,
    /// What describes each parameter that is spoken of.
    pub params: BTreeMap<String, String>,
}

/// Splits `docs` of a function whose parameters are `params`. `@param` lines leave the description,
/// and so does a list of parameters at its end with the heading above it; a list within prose stays.
pub(in crate::wit) fn split<'a>(docs: &str, params: impl Iterator<Item = &'a str>) -> Comment {
    let params: Vec<&str> = params.collect();
    let mut comment = Comment::default();
    let mut kept: Vec<&str> = Vec::new();
    let mut list_start = None;
    let mut open: Option<(&str, bool)> = None;
    for line in docs.lines() {
        if let Some((name, text, is_tag)) = item(line, &params) {
            comment.params.entry(name.to_owned()).or_default().push_str(text);
            open = Some((name, is_tag));
            if is_tag {
                continue;
            }
            list_start.get_or_insert(kept.len());
        } else if let Some((name, is_tag)) = open.filter(|_| is_continuation(line)) {
            if let Some(text) = comment.params.get_mut(name) {
                text.push(' ');
                text.push_str(line.trim());
            }
            if is_tag {
                continue;
            }
        } else {
            open = None;
            if !line.trim().is_empty() {
                list_start = None;
            }
        }
        kept.push(line);
    }
    if let Some(start) = list_start {
        kept.truncate(start);
        drop_heading(&mut kept);
    }
    comment.description = tidy(&kept.join("\n"));
    comment.params =
        comment.params.into_iter().filter_map(|(name, text)| Some((name, tidy(&text)?))).collect();
    comment
}

/// Docs without surrounding blank space and unseen characters, shortened; `None` if nothing is left.
pub(in crate::wit) fn tidy(docs: &str) -> Option<String> {
    let docs = docs.trim();
    let mut out: String = docs.chars().filter(|&c| !is_unseen(c)).take(MAX_DESCRIPTION_CHARS).collect();
    if docs.chars().nth(MAX_DESCRIPTION_CHARS).is_some() {
        out.push('…');
    }
    (!out.is_empty()).then_some(out)
}

/// Characters that a model reads and a person reviewing a tool does not: controls, directional
/// overrides, and the tag block in which whole sentences can be hidden.
fn is_unseen(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c, '\u{200b}'..='\u{200c}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

fn item<'d, 'p>(line: &'d str, params: &[&'p str]) -> Option<(&'p str, &'d str, bool)> {
    let line = line.trim();
    let known = |name: &str| params.iter().copied().find(|&param| param == name);
    if let Some(rest) = line.strip_prefix("@param ") {
        let rest = rest.trim_start();
        let (name, text) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let text = text.trim_start_matches(['-', ':', ' ']);
        return Some((known(name.trim_matches('`').trim_end_matches(':'))?, text, true));
    }
    let rest = line.strip_prefix("- `").or_else(|| line.strip_prefix("* `"))?;
    let (name, text) = rest.split_once('`')?;
    let text = text.trim_start().strip_prefix([':', '-', '–', '—'])?;
    Some((known(name)?, text.trim_start(), false))
}

fn is_continuation(line: &str) -> bool {
    line.starts_with([' ', '\t']) && !line.trim().is_empty()
}

/// Removes blank lines at the end and "Parameters:" or "# Arguments" before them.
fn drop_heading(lines: &mut Vec<&str>) {
    let drop_blank = |lines: &mut Vec<&str>| {
        while lines.last().is_some_and(|line| line.trim().is_empty()) {
            lines.pop();
        }
    };
    drop_blank(lines);
    let heading =
        lines.last().map(|line| line.trim_matches(|c: char| !c.is_alphanumeric()).to_ascii_lowercase());
    if matches!(heading.as_deref(), Some("parameters" | "arguments" | "params" | "args")) {
        lines.pop();
        drop_blank(lines);
    }
}
