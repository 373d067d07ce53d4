//! `tools/call`: parameters to a [`ToolCall`], and what came of it to a result.
//!
//! Whatever goes wrong in or around the tool is a result with `isError`, so that a model hears of
//! it; the texts are the public ones. Structured content is spliced as the sandbox wrote it.

use serde_json::value::RawValue;
use toolgate_runtime::events::Usage;
use toolgate_runtime::sandbox::Outcome;

use super::SERVER_INFO;
use super::params::{Params, is_object, text};
use super::revision::Revision;
use super::write::{raw, string};
use crate::catalog::View;
use crate::error::Error;
use crate::pipeline::{Completed, ToolCall};

/// Bytes of a tool's name that are kept. Longer than any name in a catalog; against records and
/// errors inflated by the name they repeat.
const MAX_NAME: usize = 128;

/// The call that the parameters ask for.
///
/// # Errors
/// [`Error::InvalidParams`] where they are no `CallToolRequest`.
pub fn call(view: &View, params: &Params<'_>) -> Result<ToolCall, Error> {
    let name = params
        .name
        .and_then(text)
        .ok_or_else(|| Error::InvalidParams("tools/call needs `name`, a string".to_owned()))?;
    let arguments = match params.arguments.filter(|raw| raw.get() != "null") {
        None => empty_object(),
        Some(arguments) if is_object(arguments) => arguments.to_owned(),
        Some(_) => return Err(Error::InvalidParams("`arguments` must be an object".to_owned())),
    };
    let name = name[..name.floor_char_boundary(MAX_NAME)].to_owned();
    Ok(ToolCall { view: view.clone(), name, arguments })
}

fn empty_object() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).expect("an empty object is JSON")
}

/// The result of a call that went through the pipeline.
#[must_use]
pub fn result(completed: &Completed, revision: Revision) -> Vec<u8> {
    let failure = completed.result.as_ref().err();
    let mut out = Vec::with_capacity(512 + capacity(completed));
    out.push(b'{');
    if revision.is_stateless() {
        raw(&mut out, r#""resultType":"complete","#);
    }
    raw(&mut out, r#""content":[{"type":"text","text":"#);
    match &completed.result {
        Ok(outcome) => string(&mut out, &outcome.text),
        Err(error) => string(&mut out, &error.public()),
    }
    raw(&mut out, "}]");
    if let Ok(Outcome { structured: Some(structured), .. }) = &completed.result {
        raw(&mut out, r#","structuredContent":"#);
        raw(&mut out, structured.get());
    }
    let is_error = completed.result.as_ref().map_or(true, |outcome| outcome.is_error);
    raw(&mut out, if is_error { r#","isError":true"# } else { r#","isError":false"# });
    meta(&mut out, revision, completed.usage.as_ref(), failure.map(|error| error.code()));
    out.push(b'}');
    out
}

fn capacity(completed: &Completed) -> usize {
    completed.result.as_ref().map_or(0, |outcome| {
        outcome.text.len() + outcome.structured.as_ref().map_or(0, |raw| raw.get().len())
    })
}

fn meta(out: &mut Vec<u8>, revision: Revision, usage: Option<&Usage>, error: Option<&str>) {
    let mut members = Vec::with_capacity(3);
    if revision.is_stateless() {
        members.push(format!(r#""io.modelcontextprotocol/serverInfo":{SERVER_INFO}"#));
    }
    if let Some(usage) = usage {
        members.push(format!(
            r#""toolgate/usage":{{"fuel":{},"memoryPeak":{},"wallMicros":{},"bytesIn":{},"bytesOut":{},"backend":"{}"}}"#,
            usage.fuel,
            usage.memory_peak,
            usage.wall.as_micros(),
            usage.bytes_in,
            usage.bytes_out,
            usage.backend.as_str()
        ));
    }
    if let Some(code) = error {
        members.push(format!(r#""toolgate/error":"{code}""#));
    }
    if !members.is_empty() {
        raw(out, r#","_meta":{"#);
        raw(out, &members.join(","));
        out.push(b'}');
    }
}
