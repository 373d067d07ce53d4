//! A container whose server answers: started, spoken to, asked for calls, and looked at when it is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bollard::query_parameters::InspectContainerOptions;
use serde_json::value::RawValue;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{sleep, timeout, timeout_at};

use super::blueprint::{Blueprint, Drawn};
use super::container::Container;
use super::error::StartError;
use super::outlet::Pass;
use super::output::{Belonging, Output};
use crate::events::Observer;
use crate::notice::Notices;
use crate::offers::{Offers, listed, nothing_to_complete};
use crate::peer::client::{self, ClientError, Greeting};
use crate::peer::{Asked, Besides, Conversation, Ended, Listening, RequestError, Wanted};
use crate::sandbox::CallError;

/// How long an engine may take to note that a container has ended.
const NOTED: Duration = Duration::from_secs(2);

/// How long a server may take to answer a ping after one of its calls was given up. One that works on it
/// without listening is of no use to others.
const PONG: Duration = Duration::from_secs(5);

/// Unique values for the ids of instances.
static IDS: AtomicUsize = AtomicUsize::new(0);

/// A running server.
pub(super) struct Instance {
    /// Of its own, among all of the process.
    pub(super) number: usize,
    container: Container,
    output: Arc<Output>,
    /// Bytes that it may use, for what is told when it used more.
    memory: u64,
    /// Bytes that a result may have.
    most: u64,
    /// What its server says that it can.
    can: Greeting,
    since: Instant,
    _pass: Option<Pass>,
    /// Its place among the containers that the server may have; goes last.
    _place: OwnedSemaphorePermit,
}

/// How a container ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct End {
    out_of_memory: bool,
    status: Option<i64>,
}

impl Instance {
    /// Starts a container and speaks to its server, until `start` has passed.
    pub(super) async fn start(
        blueprint: &Blueprint,
        place: OwnedSemaphorePermit,
        start: Duration,
    ) -> Result<Self, StartError> {
        let until = Instant::now() + start;
        let late = |_| StartError::Silent { after: start };
        let Drawn { body, output, pass } =
            timeout_at(until.into(), blueprint.draw()).await.map_err(late)??;
        let started = Container::start(&blueprint.engine, body, Arc::clone(&output), blueprint.message());
        let container = timeout_at(until.into(), started).await.map_err(late)??;
        let number = IDS.fetch_add(1, Ordering::Relaxed);
        let mut instance = Self {
            number,
            container,
            output,
            memory: blueprint.wanted.memory,
            most: blueprint.policy.limits.output,
            can: Greeting::default(),
            since: Instant::now(),
            _pass: pass,
            _place: place,
        };
        let greeting = timeout_at(until.into(), client::initialize(instance.container.session())).await;
        match greeting.map_err(late)? {
            Ok(can) => {
                instance.can = can;
                Ok(instance)
            }
            Err(error) => Err(instance.failed(error).await),
        }
    }

    /// All that it offers, as far as it says that it has such things.
    pub(super) async fn offers(&self, within: Duration) -> Result<Offers, StartError> {
        match timeout(within, listed(self.container.session(), &self.can, &Besides::default())).await {
            Ok(Ok(offers)) => Ok(offers),
            Ok(Err(error)) => Err(self.failed(error).await),
            Err(_) => Err(StartError::Silent { after: within }),
        }
    }

    /// From now on what the server prints belongs to a call.
    pub(super) fn belongs_to(&self, observer: Arc<dyn Observer>) -> Belonging {
        self.output.belongs_to(observer)
    }

    /// From now on the server logs what a caller wants to hear. Of use where no other caller has it.
    pub(super) async fn log_for(&self, notices: Option<&Notices>) {
        if let Some(level) = notices.and_then(Notices::level).filter(|_| self.can.logging) {
            // Whatever it answers: it may log all the same.
            drop(client::set_level(self.container.session(), level).await);
        }
    }

    /// Asks for something that a call wants. A server that completes nothing knows no values.
    pub(super) async fn ask(
        &self,
        wanted: &Wanted,
        arguments: &RawValue,
        besides: Besides,
        listening: Listening,
    ) -> Result<Box<RawValue>, CallError> {
        if matches!(wanted, Wanted::Completion(_)) && !self.can.completions {
            return nothing_to_complete();
        }
        let request = wanted.request(arguments, besides);
        self.result(self.container.session().ask(request, listening).await).await
    }

    /// Answers what the server asked.
    pub(super) fn answer(&self, asked: &Asked, answer: Result<&RawValue, &str>) {
        self.container.session().answer(asked, answer);
    }

    async fn result(&self, answer: Result<Box<RawValue>, RequestError>) -> Result<Box<RawValue>, CallError> {
        match answer {
            Ok(result) => Ok(result),
            Err(RequestError::Refused(refusal)) => {
                Err(CallError::Refused { code: refusal.code, message: refusal.message, data: refusal.data })
            }
            Err(RequestError::Ended(Ended::TooLong { .. })) => Err(CallError::Output { limit: self.most }),
            Err(RequestError::Ended(Ended::Gone(why))) => Err(self.crashed(&why).await),
            Err(error @ RequestError::Full) => Err(CallError::Unavailable(error.to_string())),
        }
    }

    /// Whether it can be asked for anything.
    pub(super) fn is_alive(&self) -> bool {
        self.container.session().ended().is_none()
    }

    /// Time since it was started.
    pub(super) fn age(&self) -> Duration {
        self.since.elapsed()
    }

    /// Ends it, with the calls that are in it.
    pub(super) fn stop(&self) {
        self.container.session().end(Ended::Gone("it no longer answered, and was stopped".to_owned()));
    }

    /// Whether it still listens, after a call of it was given up.
    pub(super) async fn answers(&self) -> bool {
        let ping = self.container.session().request("ping", "{}");
        // An error is an answer, too.
        matches!(timeout(PONG, ping).await, Ok(Ok(_) | Err(RequestError::Refused(_))))
    }

    /// Why the first words with a server led nowhere.
    async fn failed(&self, error: ClientError) -> StartError {
        let ended = self.container.session().ended();
        match ended {
            Some(Ended::Gone(why)) => StartError::Ended(self.how_it_ended(&why).await.1),
            _ => StartError::Server { cause: error, words: self.output.last_words() },
        }
    }

    async fn crashed(&self, why: &str) -> CallError {
        match self.how_it_ended(why).await {
            (End { out_of_memory: true, .. }, _) => CallError::Memory { what: "memory", limit: self.memory },
            (_, words) => CallError::Trap(words),
        }
    }

    /// What the engine knows, and in words.
    async fn how_it_ended(&self, why: &str) -> (End, String) {
        let end = timeout(NOTED, self.end()).await.unwrap_or_default();
        let mut words = match (end.out_of_memory, end.status) {
            (true, _) => {
                format!("its container used more than its {} bytes of memory and was killed", self.memory)
            }
            (false, Some(status)) => format!("its container ended with status {status}"),
            (false, None) => why.to_owned(),
        };
        if let Some(last) = self.output.last_words() {
            words = format!("{words}; its last words: {last}");
        }
        (end, words)
    }

    async fn end(&self) -> End {
        loop {
            let asked = self
                .container
                .engine()
                .docker()
                .inspect_container(self.container.id(), None::<InspectContainerOptions>);
            let Ok(inspected) = asked.await else { return End::default() };
            let state = inspected.state.unwrap_or_default();
            if state.running != Some(true) {
                return End { out_of_memory: state.oom_killed == Some(true), status: state.exit_code };
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}
