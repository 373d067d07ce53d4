//! One attempt, as its file says it.
//!
//! The text in front says what is tried. A line with a mark in the first column is a step; what is
//! indented below is what was seen, and is ignored here.
//!
//! | mark | step |
//! |---|---|
//! | `$` | a command of the host, run by `sh` in the site |
//! | `>` | a call: `> [@SERVER] TOOL ARGUMENTS` |
//! | `&` | the same, beside the steps that follow; its end is awaited after them |
//! | `&&` | the same, and fails unless the steps that follow end before it |
//! | `\|` | the same over `toolgate stdio`, in a process of its own |

use std::fs;
use std::path::{Path, PathBuf};

/// A file of attempts, read.
pub(crate) struct Attempt {
    pub(crate) path: PathBuf,
    /// The whole file.
    pub(crate) text: String,
    /// What is tried.
    pub(crate) about: String,
    pub(crate) steps: Vec<Step>,
}

/// One step, with its line as written.
pub(crate) struct Step {
    pub(crate) line: String,
    pub(crate) action: Action,
}

pub(crate) enum Action {
    Shell(String),
    Call(Call),
    Beside(Call),
    Outlasting(Call),
    OverStdio(Call),
}

#[derive(Clone)]
pub(crate) struct Call {
    /// The family's own server where it is not said.
    pub(crate) server: Option<String>,
    pub(crate) tool: String,
    /// JSON, before [`expand`].
    pub(crate) arguments: String,
}

impl Attempt {
    /// The attempts of a family, in the order of their names.
    pub(crate) fn all(family: &Path) -> Vec<Self> {
        let entries = fs::read_dir(family).unwrap_or_else(|error| panic!("{}: {error}", family.display()));
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|end| end == "attempt"));
        paths.sort();
        paths.into_iter().map(Self::read).collect()
    }

    /// The tools that it calls.
    pub(crate) fn tools(&self) -> Vec<String> {
        self.steps.iter().filter_map(|step| step.call()).map(|call| call.tool.clone()).collect()
    }

    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap();
        let steps: Vec<_> = text.lines().filter_map(Step::read).collect();
        let before = text.lines().take_while(|line| Step::read(line).is_none());
        let about = before.collect::<Vec<_>>().join("\n").trim().to_owned();
        assert!(!about.is_empty(), "{} does not say what it tries", path.display());
        assert!(steps.iter().any(|step| step.call().is_some()), "{} calls nothing", path.display());
        Self { path, text, about, steps }
    }
}

impl Step {
    fn read(line: &str) -> Option<Self> {
        let (mark, rest) = line.split_once(' ')?;
        let action = match mark {
            "$" => Action::Shell(rest.to_owned()),
            ">" => Action::Call(Call::read(rest)),
            "&" => Action::Beside(Call::read(rest)),
            "&&" => Action::Outlasting(Call::read(rest)),
            "|" => Action::OverStdio(Call::read(rest)),
            _ => return None,
        };
        Some(Self { line: line.to_owned(), action })
    }

    fn call(&self) -> Option<&Call> {
        match &self.action {
            Action::Shell(_) => None,
            Action::Call(call)
            | Action::Beside(call)
            | Action::Outlasting(call)
            | Action::OverStdio(call) => Some(call),
        }
    }
}

impl Call {
    fn read(text: &str) -> Self {
        let (server, rest) = match text.strip_prefix('@').and_then(|rest| rest.split_once(' ')) {
            Some((server, rest)) => (Some(server.to_owned()), rest),
            None => (None, text),
        };
        let (tool, arguments) = rest.split_once(' ').unwrap_or((rest, "{}"));
        Self { server, tool: tool.to_owned(), arguments: arguments.to_owned() }
    }
}

/// Writes out repetitions: `%(ab*3)%` is `ababab`.
pub(crate) fn expand(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("%(") {
        let (inside, after) = after.split_once(")%").expect("`)%` ends a repetition");
        let (unit, count) = inside.rsplit_once('*').expect("`%(TEXT*COUNT)%`");
        out.push_str(before);
        out.push_str(&unit.repeat(count.parse().expect("a count")));
        rest = after;
    }
    out.push_str(rest);
    out
}
