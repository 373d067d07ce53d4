//! What a conversation with an MCP server is to whoever asks it something, whatever carries the messages.

use serde_json::value::RawValue;

use super::request::Request;
use super::session::{Listening, RequestError, Session};
use crate::notice::Notices;

/// A conversation that has requests with answers.
pub trait Conversation: Send + Sync {
    /// Sends a request and waits for its result. What the server tells and asks meanwhile goes to who is listening. When
    /// the future is dropped, the server learns that nobody waits any more.
    fn ask(
        &self,
        request: Request,
        listening: Listening,
    ) -> impl Future<Output = Result<Box<RawValue>, RequestError>> + Send;

    /// Sends a notification, if the server takes it.
    fn tell(&self, method: &'static str, params: &'static str) -> impl Future<Output = ()> + Send;
}

impl Conversation for Session {
    async fn ask(&self, request: Request, listening: Listening) -> Result<Box<RawValue>, RequestError> {
        let progress = listening.notices.as_ref().is_some_and(Notices::progress);
        let method = request.method;
        let params = |id| request.into_params(progress.then_some(id));
        self.request_with(method, params, listening).await
    }

    async fn tell(&self, method: &'static str, params: &'static str) {
        self.notify(method, params);
    }
}
