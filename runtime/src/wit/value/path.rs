//! Where in the arguments something is wrong.
//!
//! A path is a chain of stack frames: nothing is allocated unless there is an error to tell.

use std::fmt::{self, Write as _};

use super::expect::shorten;

/// A place in a JSON document; displayed as a JSON pointer (RFC 6901).
pub(super) struct Path<'a> {
    parent: Option<&'a Self>,
    step: Step<'a>,
}

enum Step<'a> {
    Root,
    Key(&'a str),
    Index(usize),
}

impl<'a> Path<'a> {
    pub(super) const ROOT: Path<'static> = Path { parent: None, step: Step::Root };

    pub(super) fn key(&'a self, key: &'a str) -> Self {
        Self { parent: Some(self), step: Step::Key(key) }
    }

    pub(super) fn index(&'a self, index: usize) -> Self {
        Self { parent: Some(self), step: Step::Index(index) }
    }

    /// "at /a/0: " before a message; nothing at the root.
    pub(super) fn prefix(&self) -> String {
        match self.step {
            Step::Root => String::new(),
            _ => format!("at {self}: "),
        }
    }

    pub(super) fn is_root(&self) -> bool {
        matches!(self.step, Step::Root)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Index(index) => write!(f, "/{index}"),
            Step::Key(key) => {
                f.write_char('/')?;
                f.write_str(&shorten(key).replace('~', "~0").replace('/', "~1"))
            }
        }
    }
}
