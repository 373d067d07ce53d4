//! One request of a component that speaks MCP: what it is asked, and what comes of it.

use serde_json::value::RawValue;
use wasmtime::Store;
use wasmtime::component::{ComponentNamedList, Instance, Lift, Lower};

use super::wire;
use super::{Entry, World};
use crate::offers::Offers;
use crate::peer::Reference;
use crate::peer::client::{self, List, Offered};
use crate::peer::message::MAX_DATA;
use crate::peer::request::completion;
use crate::sandbox::{CallError, Content, Description, Dialogue, MAX_STATE, Outcome, Questions, Target};
use crate::wasm::instances::Linked;
use crate::wasm::state::State;
use crate::wasm::surface::nonsense;

/// Bytes of a component's own words that are kept. Against logs and replies filled by one error.
const MAX_WORDS: usize = 1024;

/// What it is given where there is nothing.
const EMPTY: &str = "{}";

/// A request, ready to be made.
pub(in crate::wasm) struct Request {
    place: usize,
    what: What,
}

enum What {
    /// Something of a name, with arguments.
    Named {
        name: String,
        arguments: Box<RawValue>,
        dialogue: Dialogue,
    },
    Completion {
        params: String,
    },
}

impl What {
    fn completion(reference: Reference<&str>, arguments: &RawValue) -> Self {
        Self::Completion { params: completion(reference, arguments) }
    }
}

/// What a component answered.
pub(in crate::wasm) struct Answer(Result<wire::Answer, wire::Failure>);

impl World {
    /// The request that a call is.
    ///
    /// # Errors
    /// Where the component has no function for it.
    pub(in crate::wasm) fn request(
        &self,
        description: &Description,
        target: &Target,
        arguments: Box<RawValue>,
        dialogue: Dialogue,
    ) -> Result<Request, CallError> {
        let missing = || CallError::Internal(format!("the component has nothing for {target:?}"));
        let entry = match target {
            Target::Tool(_) => Entry::Call,
            Target::Prompt(_) => Entry::Get,
            Target::Resource(_) | Target::Subscription(_) => Entry::Read,
            Target::Completion(_) => Entry::Complete,
        };
        let (name, place) = description.key(target).zip(self.place(entry)).ok_or_else(missing)?;
        let what = match target {
            Target::Completion(Reference::Prompt(_)) => What::completion(Reference::Prompt(name), &arguments),
            Target::Completion(Reference::Template(_)) => {
                What::completion(Reference::Template(name), &arguments)
            }
            Target::Tool(_) | Target::Prompt(_) | Target::Resource(_) | Target::Subscription(_) => {
                What::Named { name: name.to_owned(), arguments, dialogue }
            }
        };
        Ok(Request { place, what })
    }

    /// What the component offers.
    ///
    /// # Errors
    /// A trap, or what it says of itself.
    pub(in crate::wasm) async fn offers(
        &self,
        linked: &Linked,
        store: &mut Store<State>,
    ) -> wasmtime::Result<Result<Offers, String>> {
        let instance = linked.pre.instantiate_async(&mut *store).await?;
        let mut lists = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
        let entries = [
            (Entry::Tools, List::Tools),
            (Entry::Prompts, List::Prompts),
            (Entry::Resources, List::Resources),
            (Entry::Templates, List::Templates),
        ];
        for ((entry, list), entries) in entries.into_iter().zip(&mut lists) {
            let Some(place) = self.place(entry) else { continue };
            match listed(linked, store, &instance, place).await? {
                Ok(array) => match client::entries(list, &array) {
                    Ok(offered) => *entries = offered,
                    Err(error) => return Ok(Err(error.to_string())),
                },
                Err(wire::Failure { message, .. }) => {
                    return Ok(Err(format!("{}: {}", list.method(), short(message))));
                }
            }
        }
        self.check(linked, store, &instance)?;
        let [tools, prompts, resources, templates]: [Vec<Offered>; 4] = lists;
        Ok(Ok(Offers { tools, prompts, resources, templates }))
    }

    /// Whether its other functions have the types of the world, so that it is known before a call.
    fn check(&self, linked: &Linked, store: &mut Store<State>, instance: &Instance) -> wasmtime::Result<()> {
        for entry in [Entry::Call, Entry::Get, Entry::Read] {
            if let Some(place) = self.place(entry) {
                type Answered = (Result<wire::Answer, wire::Failure>,);
                typed::<(&str, wire::Request<'_>), Answered>(linked, store, instance, place)?;
            }
        }
        if let Some(place) = self.place(Entry::Complete) {
            typed::<(&str,), (Result<String, wire::Failure>,)>(linked, store, instance, place)?;
        }
        Ok(())
    }
}

async fn listed(
    linked: &Linked,
    store: &mut Store<State>,
    instance: &Instance,
    place: usize,
) -> wasmtime::Result<Result<String, wire::Failure>> {
    let function = typed::<(), (Result<String, wire::Failure>,)>(linked, store, instance, place)?;
    let (listed,) = function.call_async(store, ()).await?;
    Ok(listed)
}

fn typed<P, R>(
    linked: &Linked,
    store: &mut Store<State>,
    instance: &Instance,
    place: usize,
) -> wasmtime::Result<wasmtime::component::TypedFunc<P, R>>
where
    P: ComponentNamedList + Lower,
    R: ComponentNamedList + Lift,
{
    instance.get_typed_func::<P, R>(store, linked.exports[place])
}

impl Request {
    /// Makes it, of a fresh instance.
    pub(in crate::wasm) async fn run(
        &self,
        linked: &Linked,
        store: &mut Store<State>,
    ) -> wasmtime::Result<Answer> {
        let instance = linked.pre.instantiate_async(&mut *store).await?;
        match &self.what {
            What::Named { name, arguments, dialogue, .. } => {
                let function = typed::<_, (Result<_, _>,)>(linked, store, &instance, self.place)?;
                let (answer,) = function.call_async(store, (&**name, request(arguments, dialogue))).await?;
                Ok(Answer(answer))
            }
            What::Completion { params } => {
                let function = typed::<_, (Result<String, _>,)>(linked, store, &instance, self.place)?;
                let (completed,) = function.call_async(store, (&**params,)).await?;
                Ok(Answer(completed.map(wire::Answer::Complete)))
            }
        }
    }
}

impl Answer {
    /// What it means: an outcome of which the result has up to `limit` bytes.
    ///
    /// # Errors
    /// [`CallError::Refused`] by the component's own word, [`CallError::Trap`] for an answer that is none.
    pub(in crate::wasm) fn outcome(self, limit: u64) -> Result<Outcome, CallError> {
        match self.0 {
            Ok(wire::Answer::Complete(result)) => {
                let message = object("result", result, limit)?;
                let is_error = client::is_error(&message).map_err(|why| nonsense("result", &why))?;
                Ok(Outcome { is_error, content: Content::Message(message) })
            }
            Ok(wire::Answer::InputRequired(wire::Questions { requests, state })) => {
                let bytes = state.as_ref().map_or(0, Vec::len);
                if bytes > MAX_STATE {
                    return Err(nonsense("state", &format!("it has {bytes} bytes of at most {MAX_STATE}")));
                }
                let requests = object("questions", requests, limit)?;
                Ok(Outcome {
                    is_error: false,
                    content: Content::Questions(Questions { requests, state, waiting: None }),
                })
            }
            Err(wire::Failure { code, message, data }) => {
                let is_json = |data: &String| serde_json::from_str::<&RawValue>(data).is_ok();
                let data = data.filter(|data| data.len() <= MAX_DATA && is_json(data));
                let (code, message) = (code.into(), short(message));
                Err(CallError::Refused { code, message, data: data.map(Into::into) })
            }
        }
    }
}

fn request<'a>(arguments: &'a RawValue, dialogue: &'a Dialogue) -> wire::Request<'a> {
    let text = |json: &'a Option<Box<RawValue>>| json.as_ref().map(|json| json.get());
    wire::Request {
        arguments: arguments.get(),
        meta: text(&dialogue.meta).unwrap_or(EMPTY),
        capabilities: text(&dialogue.capabilities).unwrap_or(EMPTY),
        responses: text(&dialogue.responses),
        state: dialogue.state.as_deref(),
    }
}

/// The JSON object that a component gave.
fn object(what: &str, json: String, limit: u64) -> Result<Box<RawValue>, CallError> {
    if json.len() as u64 > limit {
        return Err(CallError::Output { limit });
    }
    let json = RawValue::from_string(json).map_err(|error| nonsense(what, &error.to_string()))?;
    if !json.get().starts_with('{') {
        return Err(nonsense(what, "it is no object"));
    }
    Ok(json)
}

fn short(mut words: String) -> String {
    words.truncate(words.floor_char_boundary(MAX_WORDS));
    words
}
