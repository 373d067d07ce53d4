//! `prompts/get`, `resources/read` and `completion/complete`: parameters to a [`Call`]. What comes of it is passed on.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use toolgate_runtime::sandbox::Reference;

use super::params::{Params, empty_object, is_object, text};
use crate::catalog::{View, Wanted};
use crate::error::Error;
use crate::pipeline::Call;

/// Bytes of a name or URI. Against records and errors inflated by what they repeat.
const MAX_NAME: usize = 4096;

/// The prompt that the parameters ask for.
///
/// # Errors
/// [`Error::InvalidParams`] where they are no `GetPromptRequest`.
pub fn prompt(view: &View, params: &Params<'_>) -> Result<Call, Error> {
    let name = named(params.name, "prompts/get needs `name`")?;
    Ok(Call::new(view.clone(), Wanted::Prompt(name), params.arguments()?))
}

/// The resource that the parameters ask for.
///
/// # Errors
/// [`Error::InvalidParams`] where they are no `ReadResourceRequest`.
pub fn resource(view: &View, params: &Params<'_>) -> Result<Call, Error> {
    Ok(Call::new(view.clone(), Wanted::Resource(uri("resources/read", params)?), empty_object()))
}

/// The resource of whose changes the parameters ask to be told.
///
/// # Errors
/// [`Error::InvalidParams`] where they are no `SubscribeRequest`.
pub fn subscription(view: &View, params: &Params<'_>) -> Result<Call, Error> {
    let uri = uri("resources/subscribe", params)?;
    Ok(Call::new(view.clone(), Wanted::Subscription(uri), empty_object()))
}

/// The URI that the parameters of a method name.
///
/// # Errors
/// [`Error::InvalidParams`] where there is none.
pub fn uri(method: &str, params: &Params<'_>) -> Result<String, Error> {
    named(params.uri, &format!("{method} needs `uri`"))
}

/// Of what an argument is to be completed, as a request says it.
#[derive(Default, Deserialize)]
struct Named<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow, default)]
    name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    uri: Option<&'a RawValue>,
}

/// The completion that the parameters ask for.
///
/// # Errors
/// [`Error::InvalidParams`] where they are no `CompleteRequest`.
pub fn completion(view: &View, params: &Params<'_>) -> Result<Call, Error> {
    let invalid = |reason: &str| Error::InvalidParams(format!("completion/complete needs {reason}"));
    let reference = params.reference.filter(|raw| is_object(raw)).ok_or_else(|| invalid("`ref`"))?;
    let Named { kind, name, uri } =
        serde_json::from_str(reference.get()).map_err(|error| invalid(&format!("`ref`: {error}")))?;
    let reference = match kind.and_then(text).as_deref() {
        Some("ref/prompt") => Reference::Prompt(named(name, "`ref` of a prompt has `name`")?),
        Some("ref/resource") => Reference::Template(named(uri, "`ref` of a resource has `uri`")?),
        _ => return Err(invalid("`ref` with the type `ref/prompt` or `ref/resource`")),
    };
    let argument = params.argument.filter(|raw| is_object(raw));
    let argument = argument.ok_or_else(|| invalid("`argument`, an object"))?;
    let mut arguments = format!(r#"{{"argument":{argument}"#);
    if let Some(context) = params.context.filter(|raw| raw.get() != "null") {
        arguments += &format!(r#","context":{context}"#);
    }
    arguments.push('}');
    let arguments = RawValue::from_string(arguments).map_err(|error| Error::Internal(error.to_string()))?;
    Ok(Call::new(view.clone(), Wanted::Completion(reference), arguments))
}

fn named(raw: Option<&RawValue>, what: &str) -> Result<String, Error> {
    let name = raw.and_then(text).filter(|name| name.len() <= MAX_NAME);
    let missing = || Error::InvalidParams(format!("{what}, a string of up to {MAX_NAME} bytes"));
    name.map(Cow::into_owned).ok_or_else(missing)
}
