//! Why a command ended without doing what it was told, for people.
//!
//! `error:` says what failed, `caused by:` the chain, `hint:` what to change. The exit code tells a
//! script whether trying again with the same words can help.

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::process::ExitCode;

use crate::config::LoadError;

const FAILED: u8 = 1;
const USAGE: u8 = 2;

/// How a command failed.
#[derive(Debug)]
pub(super) struct Failure {
    code: u8,
    message: Message,
}

#[derive(Debug)]
enum Message {
    /// Complete with its own `error:`.
    Rendered(String),
    Parts {
        error: String,
        causes: Vec<String>,
        hint: Option<String>,
    },
    /// All has been said.
    Silent,
}

impl Failure {
    /// Something did not work.
    pub(super) fn new(error: impl Display) -> Self {
        let message = Message::Parts { error: error.to_string(), causes: Vec::new(), hint: None };
        Self { code: FAILED, message }
    }

    /// The command line, or a file that it names, makes no sense.
    pub(super) fn usage(error: impl Display) -> Self {
        Self { code: USAGE, ..Self::new(error) }
    }

    /// The output says it already; only the exit code is left to tell.
    pub(super) fn silent() -> Self {
        Self { code: FAILED, message: Message::Silent }
    }

    /// Ended by a signal, as shells tell it: 128 and the signal's number.
    pub(super) fn signal(code: u8) -> Self {
        Self { code, message: Message::Silent }
    }

    /// An error with its chain.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Self {
        let failure = Self::new(error);
        match error.source() {
            Some(source) => failure.because(source),
            None => failure,
        }
    }

    /// Adds a cause with its chain.
    #[must_use]
    pub(super) fn because(mut self, cause: &(dyn Error + 'static)) -> Self {
        if let Message::Parts { causes, .. } = &mut self.message {
            causes.extend(chain(cause));
        }
        self
    }

    /// Adds a cause in words.
    #[must_use]
    pub(super) fn because_of(mut self, cause: String) -> Self {
        if let Message::Parts { causes, .. } = &mut self.message {
            causes.push(cause);
        }
        self
    }

    /// Says what to change.
    #[must_use]
    pub(super) fn hint(mut self, text: impl Into<String>) -> Self {
        if let Message::Parts { hint, .. } = &mut self.message {
            *hint = Some(text.into());
        }
        self
    }

    /// The same, where there is something to say.
    #[must_use]
    pub(super) fn hint_if_any(self, hint: Option<String>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// 1 failed, 2 wrong usage, or what a signal asks for.
    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.message {
            Message::Silent => Ok(()),
            Message::Rendered(text) => f.write_str(text),
            Message::Parts { error, causes, hint } => {
                writeln!(f, "error: {error}")?;
                for cause in causes {
                    writeln!(f, "caused by: {cause}")?;
                }
                hint.iter().try_for_each(|hint| writeln!(f, "hint: {hint}"))
            }
        }
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        match &error {
            LoadError::Invalid(faults) => {
                Self { code: FAILED, message: Message::Rendered(faults.to_string()) }
            }
            LoadError::Read { .. } => Self::of(&error)
                .hint("name the file with --config FILE, or in the environment's TOOLGATE_CONFIG"),
            LoadError::TooLarge { .. } | LoadError::NotUtf8 { .. } => {
                Self::of(&error).hint("a config is one TOML file")
            }
        }
    }
}

/// An error and what caused it, on one line each, without what repeats the one before.
fn chain(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let line = error.to_string();
        if lines.last().is_none_or(|last| !last.ends_with(&line)) {
            lines.push(line);
        }
        next = error.source();
    }
    lines
}
