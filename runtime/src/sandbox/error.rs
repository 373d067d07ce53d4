//! Why a call came to nothing: each reason with a stable code, and a text for models beside that for logs.

use std::time::Duration;

/// Why a call has no outcome. Each has a stable [`code`](CallError::code), a text that may be shown
/// to a model ([`public`](CallError::public)) and one with host detail for logs (its `Display`).
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The arguments do not satisfy the input schema.
    #[error("invalid arguments: {0}")]
    Arguments(String),
    /// The guest executed an instruction that traps, or exited with a failure.
    #[error("the tool trapped: {0}")]
    Trap(String),
    /// The fuel budget ran out.
    #[error("out of fuel: the call burned its budget of {budget}")]
    Fuel {
        /// `limits.fuel`.
        budget: u64,
    },
    /// Memory, tables or instances beyond the limit were asked for, and the guest failed for it.
    #[error("out of memory: {what} reached the limit of {limit}")]
    Memory {
        /// `memory` (bytes), `instances`, `tables`, `memories` or `handles`.
        what: &'static str,
        /// The limit that was hit, in units of `what`.
        limit: u64,
    },
    /// The deadline passed.
    #[error("deadline exceeded after {} ms", .after.as_millis())]
    Deadline {
        /// Time from start to end.
        after: Duration,
    },
    /// The result is larger than `limits.output`.
    #[error("the result is larger than the limit of {limit} bytes")]
    Output {
        /// `limits.output`.
        limit: u64,
    },
    /// The server itself refused the call, by an error of its protocol.
    #[error("the server refused with error {code}: {message}")]
    Refused {
        /// Its code.
        code: i64,
        /// Its words.
        message: String,
        /// What else it says: JSON text.
        data: Option<Box<str>>,
    },
    /// The server can't run calls now.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// A fault of the gateway itself.
    #[error("internal error: {0}")]
    Internal(String),
}

impl CallError {
    /// The stable code in `_meta["toolgate/error"]`, records and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Arguments(_) => "arguments",
            Self::Trap(_) => "trap",
            Self::Fuel { .. } => "fuel",
            Self::Memory { .. } => "memory",
            Self::Deadline { .. } => "deadline",
            Self::Output { .. } => "output",
            Self::Refused { .. } => "refused",
            Self::Unavailable(_) => "unavailable",
            Self::Internal(_) => "internal",
        }
    }

    /// A text that a model can act on; without host detail.
    pub fn public(&self) -> String {
        match self {
            Self::Arguments(_) | Self::Fuel { .. } | Self::Deadline { .. } | Self::Output { .. } => {
                self.to_string()
            }
            Self::Memory { what, limit } => {
                format!("the tool reached its limit of {limit} {}", unit(what))
            }
            Self::Refused { message, .. } => message.clone(),
            Self::Trap(_) => "the tool crashed".to_owned(),
            Self::Unavailable(_) => "the tool is unavailable at the moment".to_owned(),
            Self::Internal(_) => "the gateway failed to run the tool".to_owned(),
        }
    }
}

fn unit(what: &str) -> &str {
    if what == "memory" { "bytes of memory" } else { what }
}
