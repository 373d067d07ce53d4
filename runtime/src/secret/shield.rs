//! What whoever holds secrets prints, and is denied, without those secrets. Against a guest that prints its
//! environment, or sends a password to where it may not.

use std::sync::Arc;

use super::{Mask, Secret};
use crate::events::{Denial, Observer, Stdio, Usage};

/// Shortest line of a secret that is hidden. Shorter ones are in every text.
const MIN_MASKED: usize = 4;

/// Hides secrets in texts. The default hides nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shield(Arc<[Secret]>);

impl Shield {
    /// Of what somebody holds.
    pub(crate) fn of<'a>(secrets: impl Iterator<Item = &'a Secret>) -> Self {
        // Output comes line by line, so a secret of many lines is looked for by line.
        let lines = secrets.flat_map(|secret| secret.expose().split(['\n', '\r']));
        let lines = lines.filter(|line| line.len() >= MIN_MASKED);
        Self(lines.map(|line| Secret::from(line.to_owned())).collect())
    }

    /// An observer that hears no secret.
    pub(crate) fn before(&self, observer: Arc<dyn Observer>) -> Arc<dyn Observer> {
        if self.0.is_empty() { observer } else { Arc::new(Shielded { observer, shield: self.clone() }) }
    }

    /// The text without secrets.
    pub(crate) fn text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.bytes(text.as_bytes())).into_owned()
    }

    fn bytes(&self, bytes: &[u8]) -> Vec<u8> {
        match Mask::new(self.0.iter().cloned()) {
            Some(mut mask) => mask.whole(bytes),
            None => bytes.to_vec(),
        }
    }
}

struct Shielded {
    observer: Arc<dyn Observer>,
    shield: Shield,
}

impl Observer for Shielded {
    fn stdio(&self, stream: Stdio, line: &[u8]) {
        self.observer.stdio(stream, &self.shield.bytes(line));
    }

    fn stdio_dropped(&self, bytes: u64) {
        self.observer.stdio_dropped(bytes);
    }

    fn denied(&self, denial: &Denial) {
        let text = |text: &str| self.shield.text(text);
        self.observer.denied(&Denial {
            capability: denial.capability,
            attempt: text(&denial.attempt),
            reason: text(&denial.reason),
            allow: denial.allow.as_deref().map(text),
        });
    }

    fn finished(&self, usage: &Usage) {
        self.observer.finished(usage);
    }
}
