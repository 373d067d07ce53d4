//! What a component that speaks MCP says that it offers: asked once, when its server is prepared, within the limits of a
//! call.
//!
//! One of the tool world says it in one go. A handler of HTTP is asked as over a network, list by list and page by
//! page, and each request has an instance of its own.

use std::sync::Arc;
use std::time::Instant;

use serde_json::value::RawValue;

use super::call::Ground;
use super::http_handler::{self, Handler};
use super::load::LoadError;
use super::surface::{Answer, Surface, Work};
use super::tool_world::World;
use crate::events::Observer;
use crate::offers::Offers;
use crate::peer::client::{List, Offered, Pages};
use crate::peer::stateless::{Ask, discovered};
use crate::sandbox::CallError;

/// Who asks a component.
pub(super) struct Asker<'a> {
    pub(super) ground: &'a Ground,
    pub(super) observer: Arc<dyn Observer>,
    /// Bytes of host memory that an answer may take as values.
    pub(super) result: u64,
}

impl Asker<'_> {
    /// What a component offers; `None` for one whose functions are all there is.
    ///
    /// # Errors
    /// Whatever keeps it from saying so.
    pub(super) async fn offers(&self, surface: &Surface) -> Option<Result<Offers, LoadError>> {
        let offers = match surface {
            Surface::Functions(_) => return None,
            Surface::World(world) => self.of_world(world).await,
            Surface::Handler(handler) => self.of_handler(handler).await,
        };
        Some(offers.map_err(LoadError::Offers))
    }

    async fn of_world(&self, world: &World) -> Result<Offers, String> {
        match self.ask(&Work::Offers(world), self.deadline()).await {
            Ok(Answer::Offered(offers)) => offers,
            Ok(_) => Err("it answered something else".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn of_handler(&self, handler: &Handler) -> Result<Offers, String> {
        let ask = Ask::Discover;
        let said = self.request(handler, &ask, self.deadline()).await.map_err(|error| told(&ask, &error))?;
        let has = discovered(&said).map_err(|error| error.to_string())?;
        let list = async |is_there: bool, list: List| match is_there {
            true => self.list(handler, list).await,
            false => Ok(Vec::new()),
        };
        Ok(Offers {
            tools: list(has.tools, List::Tools).await?,
            prompts: list(has.prompts, List::Prompts).await?,
            resources: list(has.resources, List::Resources).await?,
            templates: list(has.resources, List::Templates).await?,
        })
    }

    /// All pages of a list, within the time of one call.
    async fn list(&self, handler: &Handler, list: List) -> Result<Vec<Offered>, String> {
        let (deadline, mut pages, mut cursor) = (self.deadline(), Pages::of(list), None);
        loop {
            let ask = Ask::List(list, cursor.as_deref());
            let page = match self.request(handler, &ask, deadline).await {
                Ok(page) => page,
                // Servers may have resources without templates of such.
                Err(CallError::Refused { .. }) if list == List::Templates => return Ok(pages.entries),
                Err(error) => return Err(told(&ask, &error)),
            };
            match pages.take(&page).map_err(|error| error.to_string())? {
                Some(next) => cursor = Some(next),
                None => return Ok(pages.entries),
            }
        }
    }

    async fn request(
        &self,
        handler: &Handler,
        ask: &Ask<'_>,
        deadline: Instant,
    ) -> Result<Box<RawValue>, CallError> {
        let work = Work::Exchange(Box::new(handler.question(ask)?));
        match self.ask(&work, deadline).await? {
            Answer::Replied(replied) => http_handler::result(replied, self.ground.policy.limits.output),
            _ => Err(CallError::Internal("it answered something else".to_owned())),
        }
    }

    async fn ask(&self, work: &Work<'_>, deadline: Instant) -> Result<Answer, CallError> {
        self.ground.ask(work, &self.observer, self.result, deadline).await
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.ground.policy.limits.deadline
    }
}

fn told(ask: &Ask<'_>, error: &CallError) -> String {
    format!("{}: {error}", ask.method())
}
