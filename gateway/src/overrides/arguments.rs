//! The arguments of a call: as callers give them, and as the server takes them. And what is wrong with them, in the
//! names that callers know.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use serde_json::value::RawValue;
use toolgate_runtime::sandbox::CallError;

use super::schema::escaped;
use crate::config::{ParameterOverride, nearest};
use crate::json::Object;

/// Characters of a caller's name that are repeated. Against errors as long as what they are about.
const SHOWN: usize = 40;

/// What follows a name that was cut off.
const CUT: char = '…';

/// From the arguments of callers to those of the server.
#[derive(Debug)]
pub(super) struct Mapping {
    /// What callers call a parameter, and what the server does.
    renamed: BTreeMap<String, String>,
    /// What the operator gives.
    fixed: Vec<(String, Box<RawValue>)>,
    /// Names of the server that are not for callers.
    taken: BTreeSet<String>,
    /// All that callers may give; `None` where the server says what else it takes.
    known: Option<BTreeSet<String>>,
    required: Vec<String>,
}

impl Mapping {
    /// That of overrides, under which callers see this schema; `None` where arguments stay what they are.
    pub(super) fn of(overrides: &BTreeMap<String, ParameterOverride>, schema: &RawValue) -> Option<Self> {
        let schema: Value = serde_json::from_str(schema.get()).unwrap_or_default();
        let properties = schema["properties"].as_object();
        let shown: BTreeSet<String> =
            properties.into_iter().flatten().map(|(name, _)| name.clone()).collect();
        let (mut renamed, mut fixed, mut taken) = (BTreeMap::new(), Vec::new(), BTreeSet::new());
        for (name, changes) in overrides {
            if let Some(shown) = &changes.rename {
                renamed.insert(shown.clone(), name.clone());
            }
            fixed.extend(changes.value.as_ref().map(|value| (name.clone(), value.0.clone())));
            if (changes.rename.is_some() || changes.is_hidden()) && !shown.contains(name) {
                taken.insert(name.clone());
            }
        }
        if renamed.is_empty() && taken.is_empty() {
            return None;
        }
        let is_closed = schema["additionalProperties"] == Value::Bool(false);
        let required = schema["required"].as_array().into_iter().flatten();
        let required = required.filter_map(|name| name.as_str().map(str::to_owned)).collect();
        Some(Self { renamed, fixed, taken, known: is_closed.then_some(shown), required })
    }

    /// Bytes that are added to arguments, at most.
    pub(super) fn added(&self) -> usize {
        let renamed = self.renamed.iter().map(|(shown, name)| name.len().saturating_sub(shown.len()));
        let fixed = self.fixed.iter().map(|(name, value)| name.len() + value.get().len());
        // A name in quotes takes up to six bytes per byte.
        6 * (renamed.sum::<usize>() + fixed.sum::<usize>() + 4 * (self.fixed.len() + self.renamed.len()))
    }

    /// The arguments that the server takes.
    ///
    /// # Errors
    /// [`CallError::Arguments`] for a name that is not the caller's to give, and for one that is missing.
    pub(super) fn apply(&self, arguments: &RawValue) -> Result<Box<RawValue>, CallError> {
        let no_object = || CallError::Arguments("the arguments must be an object".to_owned());
        let mut object = Object::parse(arguments.get()).ok_or_else(no_object)?;
        if let Some(name) = object.names().find(|name| !self.admits(name)) {
            return Err(CallError::Arguments(self.unknown(name)));
        }
        let missing: Vec<_> = self.required.iter().filter(|name| !object.has(name)).collect();
        if !missing.is_empty() {
            let missing: Vec<_> = missing.into_iter().map(|name| format!("{name:?}")).collect();
            return Err(CallError::Arguments(format!("missing required arguments: {}", missing.join(", "))));
        }
        object.rename(|name| self.renamed.get(name).cloned());
        self.fixed.iter().for_each(|(name, value)| object.set(name, value.get().to_owned()));
        RawValue::from_string(object.write()).map_err(|error| CallError::Internal(error.to_string()))
    }

    fn admits(&self, name: &str) -> bool {
        match &self.known {
            Some(known) => known.contains(name),
            None => !self.taken.contains(name),
        }
    }

    fn unknown(&self, name: &str) -> String {
        let known: Vec<_> = match &self.known {
            Some(known) => known.iter().map(String::as_str).collect(),
            None => self.renamed.keys().map(String::as_str).collect(),
        };
        let hint = match known.is_empty() {
            true => "there are none".to_owned(),
            false => nearest(name, &known, "known are"),
        };
        let shown: String = name.chars().take(SHOWN).collect();
        format!("unknown argument {shown:?}; {hint}")
    }

    /// What went wrong, in the names of callers. What is wrong with a value that is not theirs is the operator's
    /// trouble.
    pub(super) fn told(&self, error: CallError) -> CallError {
        let CallError::Arguments(text) = error else { return error };
        let Some(rest) = text.strip_prefix("at /") else { return CallError::Arguments(text) };
        let name = rest.split(['/', ':']).next().unwrap_or_default();
        let is = |own: &str| {
            let own = escaped(own);
            name == own
                || name.strip_suffix(CUT).is_some_and(|begin| !begin.is_empty() && own.starts_with(begin))
        };
        if self.fixed.iter().any(|(own, _)| is(own)) {
            // What does not fit may be repeated in the text, and is not for the log.
            return CallError::Internal(format!(
                "the `value` that an override gives to {name:?} does not fit that parameter"
            ));
        }
        let shown = self.renamed.iter().find(|(_, own)| is(own)).map(|(shown, _)| escaped(shown));
        let shown = shown.map_or(Cow::Borrowed(name), Cow::Owned);
        CallError::Arguments(format!("at /{shown}{}", &rest[name.len()..]))
    }
}
