//! The log: to stderr, as text for a person at a terminal and as JSON for everything else.
//!
//! Standard output is never written: it carries the protocol in `stdio` and results elsewhere. Nobody
//! waits for stderr either: a thread of its own writes the lines, see `queue`.

mod json_lines;
mod queue;

use std::io::{self, IsTerminal};
use std::sync::OnceLock;
use std::time::Duration;

use tracing::Level;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterExt, LevelFilter, ParseError, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use self::json_lines::JsonLines;
use self::queue::{DROPPED, Dropped, Queue};
use crate::config::LogFormat;

/// Chooses what is logged: `debug`, or `warn,toolgate::call=info`.
pub const FILTER_VAR: &str = "TOOLGATE_LOG";

/// Time that the end of the process waits for the log to be read.
const FLUSH: Duration = Duration::from_secs(2);

/// The log of this process.
static LOG: OnceLock<Queue> = OnceLock::new();

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What is to be logged can't be read.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// The system gives no thread.
    #[error("the log's thread can't be started")]
    Thread(#[from] io::Error),
}

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
/// If the variable can't be read as a filter, or there are no threads; nothing is started then.
pub fn start(format: Option<LogFormat>, default: Level) -> Result<LogFormat, StartError> {
    let filter = match std::env::var(FILTER_VAR) {
        Ok(text) if !text.trim().is_empty() => filter(&text)?,
        _ => Targets::new().with_default(default),
    };
    let terminal = io::stderr().is_terminal();
    let format = format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json });
    let queue = Queue::start(io::stderr(), tell)?;
    let layer = match format {
        LogFormat::Json => JsonLines(queue.clone()).boxed(),
        LogFormat::Text => {
            let layer = tracing_subscriber::fmt::layer().with_writer(queue.clone());
            layer.with_ansi(terminal).with_target(false).boxed()
        }
    };
    // A log that was started before keeps its settings: only tests start two.
    let layer = layer.with_filter(filter.and(discreet()));
    if tracing_subscriber::registry().with(layer).try_init().is_ok() {
        LOG.get_or_init(|| queue);
    }
    Ok(format)
}

/// What is never logged, whatever is asked for: below `info`, wasmtime tells what guests pass to host
/// calls and write to sockets, which may be secrets, and is as much as they like.
fn discreet() -> Targets {
    Targets::new().with_default(Level::TRACE).with_target("wasmtime", Level::INFO)
}

/// Waits, within bounds, until what was logged is written. For the end of the process.
pub fn flush() {
    if let Some(queue) = LOG.get() {
        queue.flush(FLUSH);
    }
}

/// Tells of lines that were dropped. Counted from the start, as this line may be lost too.
fn tell(dropped: Dropped) {
    let Dropped { output, events, records } = dropped;
    tracing::warn!(
        name: DROPPED,
        guest_output = output,
        events,
        records,
        "stderr was not read in time: lines of the log were dropped since the start"
    );
}

fn filter(text: &str) -> Result<Targets, FilterError> {
    let words = text.split(',').map(str::trim).filter(|word| !word.contains('='));
    for word in words {
        word.parse::<LevelFilter>().map_err(|_| FilterError::Level(word.to_owned()))?;
    }
    Ok(text.parse()?)
}
