//! What can be wrong with a config file, and how it is told.
//!
//! Every fault of a file is collected before any is shown, so that an operator fixes a file once
//! and not once per typo. Each shows the line it stands on, as written: values that came from the
//! environment are never printed.

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::ops::Range;

use toolgate_runtime::artifact::ReferenceError;
use toolgate_runtime::policy::GrantError;
use toolgate_runtime::remote::PlaceError;

use super::quantity::QuantityError;

/// Faults shown for one file. Against a hostile or binary file whose every byte is a fault.
pub const MAX_REPORTED: usize = 50;

/// Characters of a source line that are shown. Against a file that is one line of a megabyte.
const MAX_SHOWN: usize = 100;

/// Everything that is wrong with one file, in the order of its lines.
#[derive(Debug)]
pub struct ConfigErrors {
    file: String,
    errors: Vec<ConfigError>,
    more: usize,
}

/// One fault and where it stands.
#[derive(Debug)]
pub struct ConfigError {
    /// What is wrong.
    pub problem: Problem,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    source: SourceLine,
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// Not TOML.
    #[error("not valid TOML: {0}")]
    Syntax(String),
    /// A key that nothing reads.
    #[error("unknown key `{key}` in {section}")]
    UnknownKey {
        /// As written.
        key: String,
        /// `[servers.fetch]`.
        section: String,
        /// The key that was likely meant, or else all that are possible.
        hint: String,
    },
    /// A key that must be there.
    #[error("{section} has no `{key}`")]
    MissingKey {
        /// The missing key.
        key: &'static str,
        /// Where it should be.
        section: String,
        /// A line to add.
        hint: String,
    },
    /// A value of another type.
    #[error("`{key}` must be {expected}, not {found}")]
    Type {
        /// The key.
        key: String,
        /// `a string such as "64MiB"`.
        expected: String,
        /// `an integer`.
        found: &'static str,
    },
    /// A value of the right type that means nothing.
    #[error("`{key}` is not valid")]
    Value {
        /// The key.
        key: String,
        /// Why.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
        /// What to write instead.
        hint: Option<String>,
    },
    /// A use of the environment that can't be resolved.
    #[error("`{key}` uses the environment wrongly")]
    Environment {
        /// The key.
        key: String,
        /// Why.
        #[source]
        cause: super::expand::ExpandError,
    },
}

impl Problem {
    fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { hint, .. } | Self::MissingKey { hint, .. } => Some(hint.clone()),
            Self::Value { hint, .. } => hint.clone(),
            Self::Environment { cause, .. } => Some(cause.hint()),
            Self::Syntax(_) | Self::Type { .. } => None,
        }
    }
}

/// Why a value is not valid, before it is tied to its key.
#[derive(Debug)]
pub(super) struct Invalid {
    pub(super) cause: Box<dyn Error + Send + Sync>,
    pub(super) hint: Option<String>,
}

impl Invalid {
    pub(super) fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { cause: cause.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<QuantityError> for Invalid {
    fn from(error: QuantityError) -> Self {
        Self::new(error)
    }
}

impl From<ReferenceError> for Invalid {
    fn from(error: ReferenceError) -> Self {
        let hint = error.hint.map(|reference| format!("write {reference}"));
        Self { hint, ..Self::new(error.cause) }
    }
}

/// Cause and hint of a grant; which grant it is, the line shows.
impl From<GrantError> for Invalid {
    fn from(error: GrantError) -> Self {
        Self::new(error.cause).hint(error.hint)
    }
}

impl From<PlaceError> for Invalid {
    fn from(error: PlaceError) -> Self {
        Self::new(error.cause).hint(error.hint)
    }
}

impl ConfigErrors {
    /// The faults that are shown.
    pub fn errors(&self) -> &[ConfigError] {
        &self.errors
    }
}

impl Error for ConfigErrors {}

impl Display for ConfigErrors {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (i, error) in self.errors.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            error.render(&self.file, f)?;
        }
        match self.more {
            0 => Ok(()),
            more => writeln!(f, "\nerror: {more} more faults in {}", self.file),
        }
    }
}

impl ConfigError {
    fn render(&self, file: &str, f: &mut Formatter<'_>) -> fmt::Result {
        let gutter = self.line.to_string().len();
        let SourceLine { text, before, width } = &self.source;
        writeln!(f, "error: {}", safe(&self.problem))?;
        writeln!(f, "{:gutter$}--> {file}:{}:{}", "", self.line, self.column)?;
        writeln!(f, "{:gutter$} |", "")?;
        writeln!(f, "{} | {text}", self.line)?;
        writeln!(f, "{:gutter$} | {:before$}{}", "", "", "^".repeat(*width))?;
        let mut cause = self.problem.source();
        while let Some(error) = cause {
            writeln!(f, "caused by: {}", safe(error))?;
            cause = error.source();
        }
        self.problem.hint().map_or(Ok(()), |hint| writeln!(f, "hint: {}", safe(&hint)))
    }
}

/// The part of a line around a fault, safe to print.
#[derive(Debug)]
struct SourceLine {
    text: String,
    before: usize,
    width: usize,
}

/// Collects faults by their place in the text.
#[derive(Debug, Default)]
pub(super) struct Faults {
    found: Vec<(Range<usize>, Problem)>,
    more: usize,
}

impl Faults {
    pub(super) fn report(&mut self, span: Range<usize>, problem: Problem) {
        if self.found.len() < MAX_REPORTED {
            self.found.push((span, problem));
        } else {
            self.more += 1;
        }
    }

    /// How many were reported.
    pub(super) fn count(&self) -> usize {
        self.found.len() + self.more
    }

    /// `Ok` if nothing was reported.
    pub(super) fn into_result(mut self, file: &str, text: &str) -> Result<(), ConfigErrors> {
        if self.found.is_empty() {
            return Ok(());
        }
        self.found.sort_by_key(|(span, _)| span.start);
        let locate = |(span, problem)| ConfigError::locate(text, span, problem);
        Err(ConfigErrors {
            file: file.to_owned(),
            errors: self.found.into_iter().map(locate).collect(),
            more: self.more,
        })
    }
}

impl ConfigError {
    fn locate(text: &str, span: Range<usize>, problem: Problem) -> Self {
        let start = floor_char_boundary(text, span.start);
        let end = floor_char_boundary(text, span.end).max(start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line = text[line_start..].split('\n').next().unwrap_or_default();
        let column = text[line_start..start].chars().count();
        let marked = text[start..end].split('\n').next().unwrap_or_default();
        Self {
            problem,
            line: text[..line_start].matches('\n').count() + 1,
            column: column + 1,
            source: SourceLine::around(line, column, marked.trim_end().chars().count()),
        }
    }
}

impl SourceLine {
    fn around(line: &str, column: usize, width: usize) -> Self {
        let skipped = column.saturating_sub(MAX_SHOWN / 2);
        let shown: String = line.trim_end().chars().skip(skipped).take(MAX_SHOWN).map(printable).collect();
        let before = column - skipped;
        let room = shown.chars().count().saturating_sub(before);
        Self { before, width: width.min(room).max(1), text: shown }
    }
}

fn safe(text: &(impl Display + ?Sized)) -> String {
    text.to_string().chars().map(printable).collect()
}

/// One column wide and without power over the terminal that shows it.
fn printable(c: char) -> char {
    match c {
        '\t' => ' ',
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

fn floor_char_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
