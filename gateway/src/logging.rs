//! The log: to stderr, as text for a person at a terminal and as JSON for everything else.
//!
//! Standard output is never written: it carries the protocol in `stdio` and results elsewhere.

use std::io::{self, IsTerminal};

use tracing::Level;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, ParseError, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::LogFormat;

/// Chooses what is logged: `debug`, or `warn,toolgate::call=info`.
pub const FILTER_VAR: &str = "TOOLGATE_LOG";

/// A filter that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// The form is wrong.
    #[error(transparent)]
    Form(#[from] ParseError),
    /// A word alone would be taken for the only target to log, and silence everything else.
    #[error("`{0}` is not a level; levels are off, error, warn, info, debug and trace")]
    Level(String),
}

/// Starts the log. Without a format, a terminal decides; without [`FILTER_VAR`], `default` does.
///
/// # Errors
/// If the variable can't be read as a filter; nothing is started then.
pub fn start(format: Option<LogFormat>, default: Level) -> Result<LogFormat, FilterError> {
    let filter = match std::env::var(FILTER_VAR) {
        Ok(text) if !text.trim().is_empty() => filter(&text)?,
        _ => Targets::new().with_default(default),
    };
    let terminal = io::stderr().is_terminal();
    let format = format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json });
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let layer = match format {
        LogFormat::Json => layer.json().flatten_event(true).with_current_span(false).boxed(),
        LogFormat::Text => layer.with_ansi(terminal).with_target(false).boxed(),
    };
    // A log that was started before keeps its settings: only tests start two.
    drop(tracing_subscriber::registry().with(layer.with_filter(filter)).try_init());
    Ok(format)
}

fn filter(text: &str) -> Result<Targets, FilterError> {
    let words = text.split(',').map(str::trim).filter(|word| !word.contains('='));
    for word in words {
        word.parse::<LevelFilter>().map_err(|_| FilterError::Level(word.to_owned()))?;
    }
    Ok(text.parse()?)
}
