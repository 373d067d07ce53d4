//! The `docker` grant of the built-in server that looks at an engine: `"containers"`, `"images"`, `"logs"`,
//! `"stats"`.

use std::fmt;

use super::error::{Fault, GrantError};

/// A part of an engine that may be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EngineView {
    /// Its containers, each with how it was made. Of their environment names alone.
    Containers,
    /// Its images, likewise.
    Images,
    /// What containers print.
    Logs,
    /// What they use of the machine.
    Stats,
}

impl EngineView {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Containers, Self::Images, Self::Logs, Self::Stats];

    /// Reads a grant of the config.
    ///
    /// # Errors
    /// If it is none of them.
    pub fn parse(text: &str) -> Result<Self, GrantError> {
        let found = Self::ALL.into_iter().find(|view| view.as_str() == text);
        found.ok_or_else(|| {
            let all = Self::ALL.map(|view| format!("\"{view}\"")).join(", ");
            let fault = Fault::new("it is no part of an engine", format!("write some of docker = [{all}]"));
            GrantError::new("docker", text, fault)
        })
    }

    /// As it stands in the config.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Containers => "containers",
            Self::Images => "images",
            Self::Logs => "logs",
            Self::Stats => "stats",
        }
    }
}

impl fmt::Display for EngineView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
