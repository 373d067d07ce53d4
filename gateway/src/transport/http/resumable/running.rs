//! The call of a stream that is kept. It runs whether or not a connection reads, until it ends or is given up.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use super::kept::Kept;
use super::reading::Reading;
use super::store::Store;
use crate::mcp::notices::Heard;
use crate::transport::http::events::Answered;

/// The call of a stream; dropped, the stream ends.
pub(in super::super) struct Running {
    of: Of,
    heard: Heard,
    answered: Answered,
}

/// The stream, forgotten once its call is.
struct Of {
    store: Arc<Store>,
    stream: Arc<Kept>,
}

impl Drop for Of {
    fn drop(&mut self) {
        self.store.forget(&self.stream);
    }
}

impl Of {
    fn push(&self, message: &[u8]) {
        self.stream.push(message);
        self.store.grew(&self.stream);
    }
}

impl Running {
    /// That of the stream which a connection reads, with what was told first.
    pub(in super::super) fn new(
        reading: &Reading,
        first: Option<&[u8]>,
        heard: Heard,
        answered: Answered,
    ) -> Self {
        let of = Of { store: Arc::clone(reading.store()), stream: Arc::clone(reading.stream()) };
        first.into_iter().for_each(|first| of.push(first));
        Self { of, heard, answered }
    }

    /// Runs it. What it came to is kept for as long, too, as nobody reads.
    pub(super) async fn drive(self, patience: Duration) {
        let Self { of, mut heard, mut answered } = self;
        let answer = loop {
            let has_room = of.stream.has_room();
            tokio::select! {
                biased;
                is_given_up = of.stream.changed(patience) => if is_given_up { return },
                message = poll_fn(|turn| heard.poll_next(turn)), if has_room => of.push(&message),
                answer = &mut answered => break answer,
            }
        };
        while let Some(message) = heard.told() {
            of.push(&message);
        }
        drop((heard, answered));
        of.stream.end_with(answer);
        of.store.grew(&of.stream);
        while !of.stream.changed(patience).await {}
    }
}
