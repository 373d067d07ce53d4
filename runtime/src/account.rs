//! What a call that runs outside of this process took, told exactly once however it ends.

use std::sync::Arc;
use std::time::Instant;

use tokio::time::timeout_at;

use crate::events::{Backend, Observer, Usage};
use crate::sandbox::{CallError, Invocation, Outcome};

/// An open account; closed when it is dropped.
pub(crate) struct Account {
    observer: Arc<dyn Observer>,
    since: Instant,
    bytes_in: u64,
    bytes_out: u64,
    backend: Backend,
}

impl Account {
    pub(crate) fn open(invocation: &Invocation, backend: Backend) -> Self {
        let bytes_in = invocation.arguments.get().len() as u64;
        Self {
            observer: Arc::clone(&invocation.observer),
            since: Instant::now(),
            bytes_in,
            bytes_out: 0,
            backend,
        }
    }

    /// Runs the call, up to its deadline.
    ///
    /// # Errors
    /// Those of the call, and [`CallError::Deadline`].
    pub(crate) async fn until(
        mut self,
        deadline: Instant,
        call: impl Future<Output = Result<Outcome, CallError>>,
    ) -> Result<Outcome, CallError> {
        match timeout_at(deadline.into(), call).await {
            Ok(Ok(outcome)) => {
                self.answered(outcome.size());
                Ok(outcome)
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(CallError::Deadline { after: self.since.elapsed() }),
        }
    }

    /// Notes a result of so many bytes.
    pub(crate) fn answered(&mut self, bytes: usize) {
        self.bytes_out = bytes as u64;
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.observer.finished(&Usage {
            // An engine tells the memory of a container, not of a call, and takes a second to do so.
            fuel: None,
            memory_peak: None,
            wall: self.since.elapsed(),
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            backend: self.backend,
        });
    }
}
