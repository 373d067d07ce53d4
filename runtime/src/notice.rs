//! What a tool tells while it runs, besides its result: how far it is, and what it logs.
//!
//! Whoever asks for a call says what they want to hear, and reads what comes. A reader who is slow loses
//! notices; it holds up nobody.

use serde_json::value::RawValue;
use tokio::sync::mpsc;

/// Notices that wait to be read. Against memory filled by a tool that tells more than its caller reads.
const MAX_WAITING: usize = 16;

/// Bytes of a notice; a longer one is not told. Against the same.
const MAX_BYTES: usize = 64 * 1024;

/// Bytes that the notices of one call take at most.
pub const MAX_MEMORY: u64 = (MAX_WAITING * MAX_BYTES) as u64;

/// How much what is logged matters (RFC 5424, section 6.2.1), least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For who looks for a fault.
    Debug,
    /// What happens.
    Info,
    /// What happens seldom.
    Notice,
    /// What may become a fault.
    Warning,
    /// A fault.
    Error,
    /// A fault of a part.
    Critical,
    /// A fault that somebody has to mend at once.
    Alert,
    /// Nothing works.
    Emergency,
}

/// What is told.
#[derive(Clone, Debug)]
pub enum Notice {
    /// How far the call is: a JSON object, as its server wrote it.
    Progress(Box<RawValue>),
    /// What is logged, likewise.
    Log(Box<RawValue>),
}

/// What the caller wants to hear of a call, and where it goes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Notices {
    progress: bool,
    level: Option<Level>,
    sender: mpsc::Sender<Notice>,
}

impl Level {
    /// All, least first.
    pub const ALL: [Self; 8] = [
        Self::Debug,
        Self::Info,
        Self::Notice,
        Self::Warning,
        Self::Error,
        Self::Critical,
        Self::Alert,
        Self::Emergency,
    ];

    /// Its name in MCP.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
            Self::Alert => "alert",
            Self::Emergency => "emergency",
        }
    }

    /// The level of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == name)
    }
}

impl Notices {
    /// For a caller who wants to hear of progress, and of what is logged at `level` and above; and where
    /// they can be read.
    #[must_use]
    pub fn wanted(progress: bool, level: Option<Level>) -> (Self, mpsc::Receiver<Notice>) {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        (Self { progress, level, sender }, receiver)
    }

    /// Whether progress is wanted.
    #[must_use]
    pub fn progress(&self) -> bool {
        self.progress
    }

    /// From which level on log messages are wanted; `None` for none.
    #[must_use]
    pub fn level(&self) -> Option<Level> {
        self.level
    }

    /// Tells how far the call is, if that is wanted and there is room.
    pub fn tell_progress(&self, params: Box<RawValue>) {
        if self.progress {
            self.tell(Notice::Progress(params));
        }
    }

    /// Whether what is logged at that level is wanted.
    #[must_use]
    pub fn hears(&self, level: Level) -> bool {
        self.level.is_some_and(|least| level >= least)
    }

    /// Tells what was logged, if that is wanted and there is room.
    pub fn tell_log(&self, level: Level, params: Box<RawValue>) {
        if self.hears(level) {
            self.tell(Notice::Log(params));
        }
    }

    fn tell(&self, notice: Notice) {
        let (Notice::Progress(params) | Notice::Log(params)) = &notice;
        if params.get().len() <= MAX_BYTES {
            // Full, or nobody reads any more: then it is lost.
            drop(self.sender.try_send(notice));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use super::*;

    fn params(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    fn told(notice: Result<Notice, mpsc::error::TryRecvError>) -> Option<String> {
        notice.ok().map(|notice| match notice {
            Notice::Progress(params) => format!("progress {params}"),
            Notice::Log(params) => format!("log {params}"),
        })
    }

    #[test]
    fn levels_have_an_order_and_names() {
        assert!(Level::Debug < Level::Info && Level::Alert < Level::Emergency);
        for level in Level::ALL {
            assert_eq!(Level::parse(level.as_str()), Some(level));
        }
        assert_eq!(Level::parse("loud"), None);
    }

    #[test]
    fn what_is_not_wanted_is_not_told() {
        let (notices, mut reader) = Notices::wanted(false, Some(Level::Warning));
        notices.tell_progress(params("1"));
        notices.tell_log(Level::Info, params("2"));
        notices.tell_log(Level::Error, params("3"));
        assert_eq!(told(reader.try_recv()).as_deref(), Some("log 3"));
        assert_eq!(told(reader.try_recv()), None);
    }

    #[test]
    fn a_reader_who_is_slow_loses_notices_and_large_ones_are_not_told() {
        let (notices, mut reader) = Notices::wanted(true, None);
        notices.tell_progress(params(&format!("\"{}\"", "x".repeat(MAX_BYTES))));
        for i in 0..1000 {
            notices.tell_progress(params(&i.to_string()));
        }
        let read = std::iter::from_fn(|| told(reader.try_recv())).count();
        assert_eq!(read, MAX_WAITING);
    }
}
