//! The protocol revisions spoken here.

/// A revision, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Revision {
    /// Sessions, batches.
    V2025_03_26,
    /// Sessions, no batches, the version header.
    V2025_06_18,
    /// Sessions.
    V2025_11_25,
    /// No sessions: every request says all that is needed.
    V2026_07_28,
}

/// All of them as a JSON array, newest first, as discovery and version errors list them.
pub(crate) const SUPPORTED: &str = r#"["2026-07-28","2025-11-25","2025-06-18","2025-03-26"]"#;

impl Revision {
    /// The newest one that has sessions: what `initialize` offers a client that asks for a
    /// revision unknown here.
    pub const NEWEST_WITH_SESSIONS: Self = Self::V2025_11_25;

    /// All, oldest first.
    pub const ALL: [Self; 4] = [Self::V2025_03_26, Self::V2025_06_18, Self::V2025_11_25, Self::V2026_07_28];

    /// As written on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// The revision of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|revision| revision.as_str() == text)
    }

    /// Whether requests stand for themselves, without `initialize` and session.
    #[must_use]
    pub fn is_stateless(self) -> bool {
        self >= Self::V2026_07_28
    }

    /// Whether a body may hold several messages.
    #[must_use]
    pub fn has_batches(self) -> bool {
        self == Self::V2025_03_26
    }

    /// Whether a stream of a session begins with an event without data, from which it can be resumed (streamable
    /// HTTP, "Sending Messages to the Server"). Clients of older revisions take none for a message.
    #[must_use]
    pub fn has_primed_streams(self) -> bool {
        self == Self::V2025_11_25
    }

    /// What `initialize` agrees on (lifecycle, version negotiation): the client's wish if it can
    /// be met, otherwise the newest that could.
    #[must_use]
    pub fn negotiate(wish: &str) -> Self {
        match Self::parse(wish) {
            Some(revision) if !revision.is_stateless() => revision,
            Some(_) | None => Self::NEWEST_WITH_SESSIONS,
        }
    }
}
