//! The file as written: tables and typed values with their places in the text.
//!
//! A derived deserializer stops at the first fault and knows keys only by type. This reader asks
//! for each key by name, so it can go on after a fault, tell which keys nothing asked for and which
//! one was likely meant. It knows TOML and `${VAR}`, not what any key is for.

use std::cell::RefCell;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Faults, Invalid, Problem};
use super::expand::{Env, expand};

/// How unlike a known key a typo may be and still be recognised (Jaro-Winkler).
const SIMILAR: f64 = 0.75;

/// What every section needs while it is read.
pub(super) struct Reader<'a> {
    env: Env<'a>,
    faults: RefCell<Faults>,
    /// Values that came from the environment: where they stand, and what they became.
    filled: RefCell<Vec<(Range<usize>, String)>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(env: Env<'a>) -> Self {
        Self { env, faults: RefCell::default(), filled: RefCell::default() }
    }

    pub(super) fn report(&self, span: Range<usize>, problem: Problem) {
        self.faults.borrow_mut().report(span, problem);
    }

    /// A value that `key` can't have. The reason tends to repeat the value, so where the environment
    /// filled it in, which is how secrets come, the reason is not told.
    pub(super) fn invalid(&self, span: Range<usize>, key: &str, why: impl Into<Invalid>) {
        let mut why = why.into();
        if self.is_filled(&span, &why) {
            why = Invalid::new("it does not fit here with the environment filled in")
                .hint("look at the variables; their values are not shown");
        }
        let Invalid { cause, hint } = why;
        let key = key.to_owned();
        self.report(span, Problem::Value { key, cause, hint });
    }

    fn is_filled(&self, span: &Range<usize>, why: &Invalid) -> bool {
        let told = why.cause.to_string() + why.hint.as_deref().unwrap_or_default();
        let filled = self.filled.borrow();
        filled.iter().any(|(at, text)| {
            (span.start <= at.start && at.end <= span.end) || (!text.is_empty() && told.contains(text))
        })
    }

    /// A variable of the environment.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        (self.env)(name)
    }

    /// How many faults were reported so far.
    pub(super) fn faults(&self) -> usize {
        self.faults.borrow().count()
    }

    /// A path, relative to `base`; `~/` is the home directory.
    pub(super) fn path(&self, path: &str, base: &Path) -> Result<PathBuf, Invalid> {
        if path.is_empty() || path.contains('\0') {
            return Err(Invalid::new("a path can't be empty or hold a NUL"));
        }
        let Some(rest) = path.strip_prefix("~/") else {
            return Ok(base.join(path));
        };
        match (self.env)("HOME").filter(|home| !home.is_empty()) {
            Some(home) => Ok(Path::new(&home).join(rest)),
            None => Err(Invalid::new("the environment has no HOME for `~`")),
        }
    }

    pub(super) fn into_faults(self) -> Faults {
        self.faults.into_inner()
    }

    /// A text with its variables filled in.
    pub(super) fn expanded(&self, key: &str, text: &str, span: Range<usize>) -> Option<Spanned<String>> {
        match expand(text, self.env) {
            Ok(value) => {
                if value != text {
                    self.filled.borrow_mut().push((span.clone(), value.clone()));
                }
                Some(Spanned::new(span, value))
            }
            Err(cause) => {
                let key = key.to_owned();
                self.report(span, Problem::Environment { key, cause });
                None
            }
        }
    }
}

/// One table, read key by key. [`finish`](Section::finish) reports the keys that nobody asked for.
pub(super) struct Section<'r, 'a> {
    pub(super) reader: &'r Reader<'a>,
    /// `servers.fetch`; empty for the whole file.
    path: String,
    span: Range<usize>,
    table: &'r DeTable<'r>,
    asked: RefCell<Vec<&'static str>>,
}

impl<'r, 'a> Section<'r, 'a> {
    pub(super) fn root(reader: &'r Reader<'a>, table: &'r DeTable<'r>) -> Self {
        Self { reader, path: String::new(), span: 0..0, table, asked: RefCell::default() }
    }

    /// The section as messages name it: `[servers.fetch]`.
    pub(super) fn title(&self) -> String {
        match self.path.as_str() {
            "" => "the file".to_owned(),
            path => format!("[{path}]"),
        }
    }

    /// Where the section begins.
    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The section of that key.
    pub(super) fn section(&self, key: &'static str) -> Option<Section<'r, 'a>> {
        let (at, value) = self.get(key)?;
        self.open(key, at, value)
    }

    /// All keys with a section each, where the keys are names of the operator's choice.
    pub(super) fn sections(&self) -> Vec<(Spanned<String>, Section<'r, 'a>)> {
        let open = |(key, value): (&'r Spanned<_>, _)| {
            let name = key_text(key);
            let section = self.open(name.get_ref(), key.span(), value)?;
            Some((name, section))
        };
        self.table.iter().filter_map(open).collect()
    }

    /// All keys with a string each, where the keys are names of the operator's choice.
    pub(super) fn names(&self) -> Vec<(Spanned<String>, Spanned<String>)> {
        let read = |(key, value): (&'r Spanned<_>, _)| {
            let name = key_text(key);
            let text = self.string(name.get_ref(), value, "a string")?;
            Some((name, text))
        };
        self.table.iter().filter_map(read).collect()
    }

    /// Whether the key is there, and where.
    pub(super) fn place(&self, key: &'static str) -> Option<Range<usize>> {
        self.get(key).map(|(at, _)| at)
    }

    /// Whatever the key is.
    pub(super) fn value(&self, key: &'static str) -> Option<&'r Spanned<DeValue<'r>>> {
        self.get(key).map(|(_, value)| value)
    }

    /// A string with its variables filled in. `like` ends the sentence "must be a string such as".
    pub(super) fn text(&self, key: &'static str, like: &str) -> Option<Spanned<String>> {
        let (_, value) = self.get(key)?;
        self.string(key, value, &format!("a string such as \"{like}\""))
    }

    /// A string, parsed.
    pub(super) fn parsed<T, E>(
        &self,
        key: &'static str,
        like: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T>
    where
        E: Into<Invalid>,
    {
        let text = self.text(key, like)?;
        parse(text.get_ref()).map_err(|cause| self.reader.invalid(text.span(), key, cause)).ok()
    }

    /// Replaces a default by a string's parsed value, if there is one.
    pub(super) fn set<T, E: Into<Invalid>>(
        &self,
        default: &mut T,
        key: &'static str,
        like: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) {
        if let Some(value) = self.parsed(key, like, parse) {
            *default = value;
        }
    }

    /// A path, relative to `base`; `~/` is the home directory.
    pub(super) fn path(&self, key: &'static str, like: &str, base: &Path) -> Option<PathBuf> {
        self.parsed(key, like, |path| self.reader.path(path, base))
    }

    /// An integer within bounds.
    pub(super) fn integer(&self, key: &'static str, min: u64, max: u64) -> Option<u64> {
        let (_, value) = self.get(key)?;
        let DeValue::Integer(number) = value.get_ref() else {
            self.mistyped(key, value, &format!("an integer from {min} to {max}"));
            return None;
        };
        let parsed = i128::from_str_radix(number.as_str(), number.radix()).ok();
        let parsed = parsed.and_then(|number| u64::try_from(number).ok());
        if let Some(number) = parsed.filter(|number| (min..=max).contains(number)) {
            return Some(number);
        }
        let cause = format!("{number} is not from {min} to {max}");
        self.reader.invalid(value.span(), key, Invalid::new(cause));
        None
    }

    /// Yes or no; no where it is not said.
    pub(super) fn flag(&self, key: &'static str) -> bool {
        let Some((_, value)) = self.get(key) else { return false };
        if let DeValue::Boolean(flag) = value.get_ref() {
            return *flag;
        }
        self.mistyped(key, value, "true or false");
        false
    }

    /// A number within bounds, whole or not.
    pub(super) fn number(&self, key: &'static str, min: f64, max: f64) -> Option<f64> {
        let (_, value) = self.get(key)?;
        let text = match value.get_ref() {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
            DeValue::Float(number) => number.as_str(),
            _ => {
                self.mistyped(key, value, &format!("a number from {min} to {max}"));
                return None;
            }
        };
        let number: Option<f64> = text.parse().ok();
        if let Some(number) = number.filter(|number| (min..=max).contains(number)) {
            return Some(number);
        }
        let cause = format!("{text} is not from {min} to {max}");
        self.reader.invalid(value.span(), key, Invalid::new(cause));
        None
    }

    /// An array of strings, each parsed; the bad ones are reported and left out.
    pub(super) fn list<T, E>(
        &self,
        key: &'static str,
        like: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Vec<T>
    where
        E: Into<Invalid>,
    {
        let expected = format!("an array of strings such as [\"{like}\"]");
        let one = |value: &Spanned<DeValue<'_>>| {
            let text = self.string(key, value, &expected)?;
            parse(text.get_ref()).map_err(|cause| self.reader.invalid(text.span(), key, cause)).ok()
        };
        self.array(key, &expected).filter_map(one).collect()
    }

    /// An array of tables. `like` is an example of one.
    pub(super) fn tables(&self, key: &'static str, like: &str) -> Vec<Section<'r, 'a>> {
        let expected = format!("an array of tables such as [{like}]");
        let open = |value: &'r Spanned<DeValue<'r>>| match value.get_ref() {
            DeValue::Table(table) => Some(self.child(key, value.span(), table)),
            _ => {
                self.mistyped(key, value, &expected);
                None
            }
        };
        self.array(key, &expected).filter_map(open).collect()
    }

    /// Reports a key that this section must have.
    pub(super) fn missing(&self, key: &'static str, hint: impl Into<String>) {
        let section = self.title();
        let hint = hint.into();
        self.reader.report(self.span(), Problem::MissingKey { key, section, hint });
    }

    /// Reports every key that was never asked for.
    pub(super) fn finish(self) {
        let asked = self.asked.borrow();
        for key in self.table.keys() {
            if !asked.contains(&key.get_ref().as_ref()) {
                let problem = Problem::UnknownKey {
                    key: key_text(key).into_inner(),
                    section: self.title(),
                    hint: nearest(key.get_ref(), &asked, "known keys are"),
                };
                self.reader.report(key.span(), problem);
            }
        }
    }

    fn get(&self, key: &'static str) -> Option<(Range<usize>, &'r Spanned<DeValue<'r>>)> {
        let mut asked = self.asked.borrow_mut();
        if !asked.contains(&key) {
            asked.push(key);
        }
        let (at, value) = self.table.get_key_value(key)?;
        Some((at.span(), value))
    }

    fn open(&self, key: &str, at: Range<usize>, value: &'r Spanned<DeValue<'r>>) -> Option<Section<'r, 'a>> {
        let DeValue::Table(table) = value.get_ref() else {
            self.mistyped(key, value, "a table");
            return None;
        };
        Some(self.child(key, at, table))
    }

    fn child(&self, key: &str, span: Range<usize>, table: &'r DeTable<'r>) -> Section<'r, 'a> {
        let path = match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        };
        Section { reader: self.reader, path, span, table, asked: RefCell::default() }
    }

    fn array(
        &self,
        key: &'static str,
        expected: &str,
    ) -> impl Iterator<Item = &'r Spanned<DeValue<'r>>> + use<'r> {
        let values = match self.get(key) {
            None => &[],
            Some((_, value)) => match value.get_ref() {
                DeValue::Array(values) => &values[..],
                _ => {
                    self.mistyped(key, value, expected);
                    &[]
                }
            },
        };
        values.iter()
    }

    fn string(&self, key: &str, value: &Spanned<DeValue<'_>>, expected: &str) -> Option<Spanned<String>> {
        if let DeValue::String(text) = value.get_ref() {
            return self.reader.expanded(key, text, value.span());
        }
        self.mistyped(key, value, expected);
        None
    }

    fn mistyped(&self, key: &str, value: &Spanned<DeValue<'_>>, expected: &str) {
        let problem = Problem::Type {
            key: key.to_owned(),
            expected: expected.to_owned(),
            found: type_name(value.get_ref()),
        };
        self.reader.report(value.span(), problem);
    }
}

fn key_text(key: &Spanned<std::borrow::Cow<'_, str>>) -> Spanned<String> {
    Spanned::new(key.span(), key.get_ref().clone().into_owned())
}

/// The name that was likely meant, or else all there are.
pub(crate) fn nearest(name: &str, known: &[&str], all: &str) -> String {
    let likeness = |known: &&str| strsim::jaro_winkler(name, known);
    let best = known
        .iter()
        .map(|known| (likeness(known), known))
        .filter(|(likeness, _)| *likeness >= SIMILAR)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    match best {
        Some((_, best)) => format!("did you mean `{best}`?"),
        None => format!("{all} {}", known.join(", ")),
    }
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
