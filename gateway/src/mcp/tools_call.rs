//! `tools/call`: parameters to a [`Call`], and what came of it to a result.
//!
//! Whatever goes wrong in or around the tool is a result with `isError`, so that a model hears of
//! it; the texts are the public ones. Structured content is spliced as the sandbox wrote it.

use serde_json::value::RawValue;
use toolgate_runtime::events::Usage;
use toolgate_runtime::sandbox::{Content, Outcome};

use super::SERVER_INFO;
use super::params::{Params, text};
use super::passed_on;
use super::revision::Revision;
use super::shape::{RESULT_TYPE, Shape};
use crate::catalog::{View, Wanted};
use crate::error::Error;
use crate::json::{number, raw, string, string_size};
use crate::pipeline::{Call, Completed};

/// Bytes of a tool's name that are kept. Longer than any name in a catalog; against records and
/// errors inflated by the name they repeat.
const MAX_NAME: usize = 128;

/// Bytes of a result besides text and structured content, at most.
const FRAME: usize = 640;

/// In place of questions that nobody can be asked.
const UNASKED: &str = "the tool asks its user, who can't be asked here";

/// The call that the parameters ask for.
///
/// # Errors
/// [`Error::InvalidParams`] where they are no `CallToolRequest`.
pub fn call(view: &View, params: &Params<'_>) -> Result<Call, Error> {
    let name = params
        .name
        .and_then(text)
        .ok_or_else(|| Error::InvalidParams("tools/call needs `name`, a string".to_owned()))?;
    Ok(Call::new(view.clone(), Wanted::Tool(kept(&name)), params.arguments()?))
}

/// As much of a name as is kept.
pub(super) fn kept(name: &str) -> String {
    name[..name.floor_char_boundary(MAX_NAME)].to_owned()
}

/// Writes the result of a call that went through the pipeline.
pub fn write(out: &mut Vec<u8>, completed: &Completed, shape: Shape) {
    let (Completed { result, usage }, revision) = (completed, shape.revision());
    let mut own = Vec::with_capacity(FRAME);
    meta(&mut own, revision, usage.as_ref(), result.as_ref().err().map(|error| error.code()));
    match result {
        Ok(Outcome { content: Content::Message(message), .. }) => {
            passed_on::write(out, message, shape, &own);
        }
        Ok(Outcome { is_error, content: Content::Value { structured, text } }) => {
            let structured = structured.as_ref().map(|json| json.get());
            value(out, revision, (text, structured, *is_error), &own);
        }
        // Its client gets them another way, see [`questions`]; there is nobody to ask.
        Ok(Outcome { content: Content::Questions(_), .. }) => {
            value(out, revision, (UNASKED, None, true), &own)
        }
        Err(error) => value(out, revision, (&error.public(), None, true), &own),
    }
}

/// The result by which a client without a session is asked, as JSON text.
#[must_use]
pub fn questions(requests: &RawValue, state: Option<&str>, usage: Option<&Usage>) -> Vec<u8> {
    let mut out = br#"{"resultType":"input_required","inputRequests":"#.to_vec();
    raw(&mut out, requests.get());
    if let Some(state) = state {
        raw(&mut out, r#","requestState":"#);
        string(&mut out, state);
    }
    raw(&mut out, r#","_meta":{"#);
    meta(&mut out, Revision::V2026_07_28, usage, None);
    raw(&mut out, "}}");
    out
}

fn value(
    out: &mut Vec<u8>,
    revision: Revision,
    (text, structured, is_error): (&str, Option<&str>, bool),
    meta: &[u8],
) {
    out.push(b'{');
    if revision.is_stateless() {
        raw(out, RESULT_TYPE);
        out.push(b',');
    }
    raw(out, r#""content":[{"type":"text","text":"#);
    string(out, text);
    raw(out, "}]");
    if let Some(structured) = structured {
        raw(out, r#","structuredContent":"#);
        raw(out, structured);
    }
    raw(out, if is_error { r#","isError":true"# } else { r#","isError":false"# });
    if !meta.is_empty() {
        raw(out, r#","_meta":{"#);
        out.extend_from_slice(meta);
        out.push(b'}');
    }
    out.push(b'}');
}

/// Bytes that `write` writes at most.
#[must_use]
pub fn size(completed: &Completed) -> usize {
    let content = match &completed.result {
        Ok(Outcome { content: Content::Value { structured, text }, .. }) => {
            string_size(text) + structured.as_ref().map_or(0, |raw| raw.get().len())
        }
        Ok(Outcome { content: Content::Message(message), .. }) => message.get().len(),
        Ok(Outcome { content: Content::Questions(_), .. }) => UNASKED.len(),
        Err(error) => string_size(&error.public()),
    };
    content + FRAME
}

/// Members of our own in the metadata of a result.
fn meta(out: &mut Vec<u8>, revision: Revision, usage: Option<&Usage>, error: Option<&str>) {
    let mut before = "";
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
}

fn consumed(out: &mut Vec<u8>, usage: &Usage) {
    let Usage { fuel, memory_peak, wall, bytes_in, bytes_out, backend } = usage;
    out.push(b'{');
    if let Some(fuel) = fuel {
        number(out, r#""fuel":"#, *fuel);
        out.push(b',');
    }
    if let Some(memory_peak) = memory_peak {
        number(out, r#""memoryPeak":"#, *memory_peak);
        out.push(b',');
    }
    number(out, r#""wallMicros":"#, wall.as_micros());
    number(out, r#","bytesIn":"#, *bytes_in);
    number(out, r#","bytesOut":"#, *bytes_out);
    raw(out, r#","backend":"#);
    string(out, backend.as_str());
    out.push(b'}');
}
