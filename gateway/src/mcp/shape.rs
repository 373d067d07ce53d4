//! What a result must have besides what it is: by its client's revision, and by whether it may be kept.

use super::revision::Revision;

/// The member by which stateless revisions tell a result from a question.
pub(super) const RESULT_TYPE: &str = r#""resultType":"complete""#;

/// A server that does not say so keeps nobody from asking again.
const STALE: &str = r#""ttlMs":0"#;
const PRIVATE: &str = r#""cacheScope":"private""#;

/// Members by name, each with its text.
type Required = &'static [(&'static str, &'static str)];

/// The shape of a result.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    revision: Revision,
    /// Whether it may be kept (`CacheableResult`), and then whether its caller is the only one there is.
    cacheable: Option<bool>,
}

impl Shape {
    /// Of a result that is for once.
    #[must_use]
    pub fn of(revision: Revision) -> Self {
        Self { revision, cacheable: None }
    }

    /// Of one that may be kept, by others than its caller only where there are none.
    #[must_use]
    pub fn cacheable(self, is_local: bool) -> Self {
        Self { cacheable: Some(is_local), ..self }
    }

    /// The revision of its client.
    #[must_use]
    pub fn revision(self) -> Revision {
        self.revision
    }

    /// Members that it must have, and what they are where its server does not say.
    pub(super) fn required(self) -> Required {
        match (self.revision.is_stateless(), self.cacheable) {
            (false, _) => &[],
            (true, None) => &[("resultType", RESULT_TYPE)],
            (true, Some(_)) => &[("resultType", RESULT_TYPE), ("ttlMs", STALE), ("cacheScope", PRIVATE)],
        }
    }

    /// Who may keep it, whatever its server says: JSON text.
    pub(super) fn scope(self) -> Option<&'static str> {
        let has_others = self.revision.is_stateless() && self.cacheable == Some(false);
        has_others.then_some(r#""private""#)
    }
}
