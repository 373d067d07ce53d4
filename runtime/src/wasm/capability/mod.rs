//! Capabilities: what a guest can reach beyond its own memory, one file each.
//!
//! Each has the same life. What the policy grants is checked and opened once, when the server is
//! prepared; a call gets a small state made from that; the guest's use is checked against the
//! grant where it happens, and a use that no grant covers is refused with an error that the guest
//! can read and told as a [`Denial`] with the config line that would allow it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::events::{Denial, MAX_DENIALS, Observer};

pub(super) mod env;
pub(super) mod files;
pub(super) mod http;
pub(super) mod secrets;
pub(super) mod stdio;
pub(super) mod tcp;

/// Tells the denials of one call to its observer, not more than [`MAX_DENIALS`].
#[derive(Clone)]
pub(super) struct Denials(Arc<Inner>);

struct Inner {
    observer: Arc<dyn Observer>,
    told: AtomicUsize,
}

impl Denials {
    pub(super) fn new(observer: Arc<dyn Observer>) -> Self {
        Self(Arc::new(Inner { observer, told: AtomicUsize::new(0) }))
    }

    pub(super) fn tell(&self, denial: &Denial) {
        if self.0.told.fetch_add(1, Ordering::Relaxed) < MAX_DENIALS {
            self.0.observer.denied(denial);
        }
    }
}
