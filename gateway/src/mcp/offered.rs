//! `prompts/get` and `resources/read`: parameters to a [`Call`]. What comes of it is passed on.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::params::{Params, empty_object, text};
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
    let uri = named(params.uri, "resources/read needs `uri`")?;
    Ok(Call::new(view.clone(), Wanted::Resource(uri), empty_object()))
}

fn named(raw: Option<&RawValue>, what: &str) -> Result<String, Error> {
    let name = raw.and_then(text).filter(|name| name.len() <= MAX_NAME);
    let missing = || Error::InvalidParams(format!("{what}, a string of up to {MAX_NAME} bytes"));
    name.map(Cow::into_owned).ok_or_else(missing)
}
