//! Running other programs, and the one error of this crate.
//!
//! Programs get no stdin: nothing here may wait for a person, in CI nobody answers.

use std::fmt;
use std::process::{Command, Stdio};

/// The result of every step.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// What failed, with its cause and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    hint: Option<String>,
}

impl Failure {
    /// A failure that says `what` went wrong.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), hint: None }
    }

    /// A failure that has already been told, where more words would bury the result.
    pub(crate) fn told() -> Self {
        Self::new(String::new())
    }

    /// Whether there is nothing left to say.
    pub(crate) fn is_told(&self) -> bool {
        self.what.is_empty()
    }

    /// Adds what the reader can do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

/// Runs to the end with our stdout and stderr; anything but exit code 0 is a failure.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status().map_err(|e| not_started(command, &e))?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("`{}`: {status}", display(command)))) }
}

/// Runs to the end and returns what it wrote to stdout; stderr is ours.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| not_started(command, &e))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(Failure::new(format!("`{}`: {}", display(command), output.status)))
    }
}

/// The failure of a program that could not even be started.
pub(crate) fn not_started(command: &Command, cause: &std::io::Error) -> Failure {
    Failure::new(format!("`{}` did not start: {cause}", display(command)))
}

/// The command line as a person would type it, for messages.
pub(crate) fn display(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

/// Whether a program is found in `PATH`, or in the places where Debian puts daemons.
pub(crate) fn found(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|dir| dir.join(program).is_file())
}
