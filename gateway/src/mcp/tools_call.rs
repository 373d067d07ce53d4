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
use crate::catalog::View;
use crate::error::Error;
use crate::json::{number, raw, string, string_size};
use crate::pipeline::{Completed, ToolCall};

/// Bytes of a tool's name that are kept. Longer than any name in a catalog; against records and
/// errors inflated by the name they repeat.
const MAX_NAME: usize = 128;

/// Bytes of a result besides text and structured content, at most.
const FRAME: usize = 640;

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

/// Writes the result of a call that went through the pipeline.
pub fn write(out: &mut Vec<u8>, completed: &Completed, revision: Revision) {
    let failure = completed.result.as_ref().err();
    out.push(b'{');
    if revision.is_stateless() {
        raw(out, r#""resultType":"complete","#);
    }
    raw(out, r#""content":[{"type":"text","text":"#);
    match &completed.result {
        Ok(outcome) => string(out, &outcome.text),
        Err(error) => string(out, &error.public()),
    }
    raw(out, "}]");
    if let Ok(Outcome { structured: Some(structured), .. }) = &completed.result {
        raw(out, r#","structuredContent":"#);
        raw(out, structured.get());
    }
    let is_error = completed.result.as_ref().map_or(true, |outcome| outcome.is_error);
    raw(out, if is_error { r#","isError":true"# } else { r#","isError":false"# });
    meta(out, revision, completed.usage.as_ref(), failure.map(|error| error.code()));
    out.push(b'}');
}

/// Bytes that `write` writes at most.
#[must_use]
pub fn size(completed: &Completed) -> usize {
    let content = match &completed.result {
        Ok(outcome) => {
            let structured = outcome.structured.as_ref().map_or(0, |raw| raw.get().len());
            string_size(&outcome.text) + structured
        }
        Err(error) => string_size(&error.public()),
    };
    content + FRAME
}

fn meta(out: &mut Vec<u8>, revision: Revision, usage: Option<&Usage>, error: Option<&str>) {
    let mut before = r#","_meta":{"#;
    let mut member = |out: &mut Vec<u8>, name: &str| {
        raw(out, std::mem::replace(&mut before, ","));
        raw(out, name);
    };
    if revision.is_stateless() {
        member(out, r#""io.modelcontextprotocol/serverInfo":"#);
        raw(out, SERVER_INFO);
    }
    if let Some(usage) = usage {
        member(out, r#""toolgate/usage":"#);
        consumed(out, usage);
    }
    if let Some(code) = error {
        member(out, r#""toolgate/error":"#);
        string(out, code);
    }
    if before == "," {
        out.push(b'}');
    }
}

fn consumed(out: &mut Vec<u8>, usage: &Usage) {
    let Usage { fuel, memory_peak, wall, bytes_in, bytes_out, backend } = usage;
    out.push(b'{');
    if let Some(fuel) = fuel {
        number(out, r#""fuel":"#, *fuel);
        out.push(b',');
    }
    number(out, r#""memoryPeak":"#, *memory_peak);
    number(out, r#","wallMicros":"#, wall.as_micros());
    number(out, r#","bytesIn":"#, *bytes_in);
    number(out, r#","bytesOut":"#, *bytes_out);
    raw(out, r#","backend":"#);
    string(out, backend.as_str());
    out.push(b'}');
}
