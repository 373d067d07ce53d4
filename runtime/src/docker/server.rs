//! A server that is an image, as a [`Sandbox`]: what it offers, and calls of it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Semaphore, broadcast, mpsc};
use tokio::time::sleep;

use super::blueprint::Blueprint;
use super::engine::DockerEngine;
use super::error::{DockerError, StartError};
use super::facts::Fact;
use super::image::{self, Image, Pulled};
use super::instance::Instance;
use super::outlet::Outlet;
use super::output::Output;
use super::owner::Owner;
use super::pool::{Lifetime, Place, Pool, PoolSettings};
use super::spec::{self, USER};
use crate::account::Account;
use crate::artifact::Artifacts;
use crate::egress::Egress;
use crate::events::{Backend, Observer};
use crate::held::{Held, Running, Step};
use crate::notice;
use crate::offers::{describe, outcome, wanted};
use crate::peer::request::trace;
use crate::peer::{Besides, ClientCapabilities, Listening, MAX_WAITING, News, Wanted};
use crate::policy::Policy;
use crate::sandbox::{CallError, Content, Description, Invocation, Naming, Outcome, Sandbox, Target};
use crate::secret::Shield;

/// What an operator says of a server that is an image.
#[derive(Clone, Debug)]
pub struct DockerOptions {
    /// The image's name: `mcp/time`, `REGISTRY/REPOSITORY@sha256:…`.
    pub image: String,
    /// Arguments in place of the image's own; empty for those.
    pub command: Vec<String>,
    /// The user, [`USER`] by default.
    pub user: String,
    /// Processors that it may use.
    pub cpus: f64,
    /// Bytes of memory that it may use, without swap.
    pub memory: u64,
    /// The engine's runtime: `runsc`, `kata`; `None` for its default.
    pub runtime: Option<String>,
    /// How many containers, and how long.
    pub lifetime: Lifetime,
    /// Containers at a time; calls that need one more wait.
    pub containers: usize,
    /// Containers kept ready.
    pub warm: usize,
    /// After that long without a call none is kept.
    pub idle: Duration,
    /// How long one may take to start and answer.
    pub start: Duration,
}

impl DockerOptions {
    /// An image with the defaults.
    #[must_use]
    pub fn of(image: String) -> Self {
        Self {
            image,
            command: Vec::new(),
            user: USER.to_owned(),
            cpus: 1.0,
            memory: 2 << 30,
            runtime: None,
            lifetime: Lifetime::Call,
            containers: 8,
            warm: 1,
            idle: Duration::from_secs(600),
            start: Duration::from_secs(30),
        }
    }
}

/// All else that a server stands on.
pub struct Surroundings<'a> {
    /// The engine that runs it.
    pub engine: &'a DockerEngine,
    /// Whose its containers are.
    pub owner: Owner,
    /// What it may do and use up.
    pub policy: Policy,
    /// Who the gateway is to registries.
    pub artifacts: &'a Artifacts,
    /// By which its containers get out.
    pub egress: &'a Egress,
    /// Which of its tools are offered, and as what.
    pub naming: &'a Naming,
    /// Hears what happens outside of calls.
    pub observer: Arc<dyn Observer>,
    /// Hears of a pull.
    pub progress: &'a (dyn Fn(Pulled) + Send + Sync),
}

/// A server that is an image.
pub struct DockerServer {
    description: Description,
    own: Arc<Own>,
}

/// What a server has whatever its tools are at the moment.
struct Own {
    engine: DockerEngine,
    image: Image,
    policy: Arc<Policy>,
    /// What its containers start with.
    facts: Vec<Fact>,
    naming: Naming,
    start: Duration,
    /// Bytes that a message of its containers may have.
    message: usize,
    pool: Pool,
    /// Calls that wait for their clients.
    held: Held<Place>,
    /// What it says of what it offers.
    news: Arc<News>,
    /// Whether a container is there after its call.
    lasts: bool,
}

impl DockerServer {
    /// Brings the image, starts a container, and asks it for its tools.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn prepare(options: DockerOptions, around: Surroundings<'_>) -> Result<Self, StartError> {
        let Surroundings { engine, owner, policy, artifacts, egress, naming, observer, progress } = around;
        let image = image::resolve(engine, &options.image, artifacts, progress).await?;
        if !image.has_command && options.command.is_empty() {
            return Err(StartError::NoCommand { image: options.image });
        }
        let (policy, news) = (Arc::new(policy), Arc::<News>::default());
        let heard = {
            let (observer, shield) = (Arc::clone(&observer), Shield::of(std::iter::empty()));
            Output::new(observer, policy.limits.stdio, shield, Arc::default())
        };
        let outlet = Outlet::open(engine, &owner, &image.id, &policy, &egress.for_server(), heard).await?;
        let blueprint = Blueprint {
            engine: engine.clone(),
            wanted: container(&options, &image),
            policy: Arc::clone(&policy),
            owner,
            outlet,
            places: Arc::new(Semaphore::new(options.containers)),
            observer,
            news: Arc::clone(&news),
        };
        let first = Instance::start(&blueprint, blueprint.place().await?, options.start).await?;
        let description = describe(first.offers(options.start).await?, naming)?;
        let (facts, message) = (blueprint.facts(), blueprint.message());
        let settings = PoolSettings {
            lifetime: options.lifetime,
            warm: options.warm,
            idle: options.idle,
            start: options.start,
            sessions: options.containers,
        };
        let pool = Pool::new(blueprint, settings, first);
        let own = Own {
            engine: engine.clone(),
            image,
            policy,
            facts,
            naming: naming.clone(),
            start: options.start,
            message,
            pool,
            held: Held::default(),
            news,
            lasts: options.lifetime != Lifetime::Call,
        };
        Ok(Self { description, own: Arc::new(own) })
    }

    /// The image that it runs.
    #[must_use]
    pub fn image(&self) -> &Image {
        &self.own.image
    }

    /// What its containers start with.
    #[must_use]
    pub fn facts(&self) -> &[Fact] {
        &self.own.facts
    }
}

fn container(options: &DockerOptions, image: &Image) -> spec::Wanted {
    spec::Wanted {
        image: image.id.clone(),
        volumes: image.volumes.clone(),
        command: options.command.clone(),
        user: options.user.clone(),
        cpus: options.cpus,
        memory: options.memory,
        runtime: options.runtime.clone(),
    }
}

impl Own {
    /// One round of a call: from its beginning, or from where it asked, to its end or to where it asks.
    async fn run(&self, wanted: Wanted, invocation: &mut Invocation) -> Result<Outcome, CallError> {
        let state = invocation.dialogue.state.take();
        let mut running = match state {
            Some(state) => {
                let mut running = self.held.take(&state)?;
                running.answered(invocation.dialogue.responses.as_deref());
                running
            }
            None => self.begin(wanted, invocation).await?,
        };
        let instance = Arc::clone(&running.place.instance);
        let observer = || Arc::clone(&invocation.observer);
        let belonging = (!running.place.shared).then(|| instance.belongs_to(observer()));
        let able = invocation.dialogue.capabilities.as_deref().map(ClientCapabilities::of);
        match running.go_on(able.unwrap_or_default()).await {
            Step::Done(answer) => {
                running.place.ended(belonging);
                outcome(answer?, self.policy.limits.output)
            }
            Step::Asks => {
                let questions = self.held.keep(running)?;
                Ok(Outcome { is_error: false, content: Content::Questions(questions) })
            }
        }
    }

    /// Sends a call to its container.
    async fn begin(&self, wanted: Wanted, invocation: &Invocation) -> Result<Running<Place>, CallError> {
        if matches!(wanted, Wanted::Subscription(_)) && !self.lasts {
            return Err(unwatched());
        }
        let place = self.pool.enter(invocation.session).await.map_err(unavailable)?;
        let notices = invocation.notices.clone();
        if !place.shared {
            place.instance.log_for(notices.as_ref()).await;
        }
        let (asks, questions) = mpsc::channel(MAX_WAITING);
        let (instance, arguments) = (Arc::clone(&place.instance), invocation.arguments.clone());
        let meta = invocation.dialogue.meta.as_deref().map(trace).unwrap_or_default();
        let besides = Besides { meta, ..Besides::default() };
        let listening = Listening { notices, questions: Some(asks) };
        let answer = Box::pin(async move { instance.ask(&wanted, &arguments, besides, listening).await });
        let _lease = Arc::clone(&invocation.lease);
        Ok(Running { place, answer, questions, asked: Vec::new(), _lease })
    }

    /// What is offered now; `None` while there is no container to ask.
    async fn described(&self) -> Option<Result<Description, StartError>> {
        let instance = self.pool.any()?;
        let offers = instance.offers(self.start).await;
        Some(offers.and_then(|offers| Ok(describe(offers, &self.naming)?)))
    }
}

fn unwatched() -> CallError {
    let message =
        "its containers end with their calls, so nobody is there to see its resources change".to_owned();
    CallError::Refused { code: -32601, message, data: None }
}

fn unavailable(error: StartError) -> CallError {
    CallError::Unavailable(error.to_string())
}

#[async_trait]
impl Sandbox for DockerServer {
    fn describe(&self) -> &Description {
        &self.description
    }

    fn backend(&self) -> Backend {
        Backend::Docker
    }

    /// The call is in its container; here are its arguments on their way, and its result, received and kept.
    fn footprint(&self, _: &Target, arguments: usize) -> u64 {
        2 * arguments as u64 + self.own.message as u64 + self.own.policy.limits.output + notice::MAX_MEMORY
    }

    async fn call(&self, mut invocation: Invocation) -> Result<Outcome, CallError> {
        let wanted = wanted(&self.description, &invocation.target);
        let wanted =
            wanted.ok_or_else(|| CallError::Internal("there is no such tool or prompt".to_owned()))?;
        let (account, deadline) = (Account::open(&invocation, Backend::Docker), invocation.deadline);
        account.until(deadline, self.own.run(wanted, &mut invocation)).await
    }

    fn is_fixed(&self) -> bool {
        false
    }

    fn updates(&self) -> Option<broadcast::Receiver<Arc<str>>> {
        Some(self.own.news.updated.subscribe())
    }

    async fn changed(&self) -> Result<Arc<dyn Sandbox>, String> {
        let lost = async |error: DockerError| Err::<Arc<dyn Sandbox>, _>(error.to_string());
        loop {
            tokio::select! {
                error = self.own.engine.lost() => return lost(error).await,
                () = self.own.news.changed.notified() => {}
            }
            sleep(News::CALM).await;
            match self.own.described().await {
                Some(Ok(description)) if description != self.description => {
                    return Ok(Arc::new(Self { description, own: Arc::clone(&self.own) }));
                }
                Some(Err(error)) => return Err(error.to_string()),
                Some(Ok(_)) | None => {}
            }
        }
    }
}
