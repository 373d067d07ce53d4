//! A server that is an image, as a [`Sandbox`]: what it offers, and calls of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::{Semaphore, broadcast};
use tokio::time::{sleep, timeout_at};

use super::account::Account;
use super::blueprint::Blueprint;
use super::engine::DockerEngine;
use super::error::{DockerError, StartError};
use super::facts::Fact;
use super::image::{self, Image, Pulled};
use super::instance::Instance;
use super::outlet::Outlet;
use super::output::{News, Output};
use super::owner::Owner;
use super::pool::{Lifetime, Pool, PoolSettings};
use super::spec::{USER, Wanted};
use crate::artifact::Artifacts;
use crate::egress::Egress;
use crate::events::{Backend, Observer};
use crate::notice;
use crate::offers::describe;
use crate::peer::client;
use crate::policy::Policy;
use crate::sandbox::{
    CallError, Content, Description, Invocation, Naming, Outcome, Reference, Sandbox, Target,
};
use crate::secret::Shield;

/// Time between two looks at the tools of a server that says that they change. Against one that says so
/// all the time.
const CALM: Duration = Duration::from_secs(1);

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
            wanted: wanted(&options, &image),
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

    fn wanted<'a>(&'a self, target: &'a Target) -> Option<Asked<'a>> {
        Some(match target {
            Target::Tool(tool) => Asked::Tool(&self.description.tools.get(*tool)?.function),
            Target::Prompt(prompt) => Asked::Prompt(&self.description.prompts.get(*prompt)?.key),
            Target::Resource(uri) => Asked::Resource(uri),
            Target::Subscription(uri) => Asked::Subscription(uri),
            Target::Completion(Reference::Prompt(prompt)) => {
                Asked::Completion(Reference::Prompt(&self.description.prompts.get(*prompt)?.key))
            }
            Target::Completion(Reference::Template(template)) => {
                Asked::Completion(Reference::Template(&self.description.templates.get(*template)?.key))
            }
        })
    }

    /// What its containers start with.
    #[must_use]
    pub fn facts(&self) -> &[Fact] {
        &self.own.facts
    }
}

fn wanted(options: &DockerOptions, image: &Image) -> Wanted {
    Wanted {
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
    async fn run(&self, wanted: &Asked<'_>, invocation: &Invocation) -> Result<Outcome, CallError> {
        if matches!(wanted, Asked::Subscription(_)) && !self.lasts {
            return Err(unwatched());
        }
        let place = self.pool.enter(invocation.session).await.map_err(unavailable)?;
        let observer = || Arc::clone(&invocation.observer);
        let belonging = (!place.shared).then(|| place.instance.belongs_to(observer()));
        let notices = invocation.notices.as_ref();
        if !place.shared {
            place.instance.log_for(notices).await;
        }
        let (instance, arguments) = (&place.instance, &invocation.arguments);
        let answer = match wanted {
            Asked::Tool(function) => instance.call(function, arguments, notices).await,
            Asked::Prompt(name) => instance.prompt(name, arguments).await,
            Asked::Resource(uri) => instance.resource(uri).await,
            Asked::Subscription(uri) => instance.subscribe(uri).await,
            Asked::Completion(reference) => instance.complete(*reference, arguments).await,
        };
        place.ended(belonging);
        let limit = self.policy.limits.output;
        let message = answer?;
        if message.get().len() as u64 > limit {
            return Err(CallError::Output { limit });
        }
        let is_error = client::is_error(&message)
            .map_err(|why| CallError::Trap(format!("the server's result makes no sense: {why}")))?;
        Ok(Outcome { is_error, content: Content::Message(message) })
    }

    /// What is offered now; `None` while there is no container to ask.
    async fn described(&self) -> Option<Result<Description, StartError>> {
        let instance = self.pool.any()?;
        let offers = instance.offers(self.start).await;
        Some(offers.and_then(|offers| Ok(describe(offers, &self.naming)?)))
    }
}

/// What a server is asked for, by its own name of it.
enum Asked<'a> {
    Tool(&'a str),
    Prompt(&'a str),
    Resource(&'a str),
    Subscription(&'a str),
    Completion(Reference<&'a str>),
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

    async fn call(&self, invocation: Invocation) -> Result<Outcome, CallError> {
        let wanted = self.wanted(&invocation.target);
        let wanted =
            wanted.ok_or_else(|| CallError::Internal("there is no such tool or prompt".to_owned()))?;
        let mut account = Account::open(&invocation, Backend::Docker);
        let since = Instant::now();
        let run = self.own.run(&wanted, &invocation);
        match timeout_at(invocation.deadline.into(), run).await {
            Ok(Ok(outcome)) => {
                account.answered(outcome.size());
                Ok(outcome)
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(CallError::Deadline { after: since.elapsed() }),
        }
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
            sleep(CALM).await;
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
