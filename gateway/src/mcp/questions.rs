//! The questions of a server, read: what is asked, and what a client must be able to do for that.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::Deserialize;
use serde_json::value::RawValue;
use toolgate_runtime::sandbox::CallError;

use super::params::is_object;
use crate::json::Members;
use toolgate_runtime::peer::ClientCapabilities;

/// Questions at a time, and bytes of them all. Against a server that fills its client's screen, or its memory.
const MAX_QUESTIONS: usize = 16;
const MAX_BYTES: usize = 256 * 1024;

/// The code of that error.
const MISSING_CAPABILITY: i64 = -32021;

/// A question.
#[derive(Debug)]
pub struct Question<'a> {
    /// By which its answer is known.
    pub name: Cow<'a, str>,
    /// `elicitation/create`, `sampling/createMessage` or `roots/list`.
    pub method: Cow<'a, str>,
    /// A JSON object.
    pub params: Option<&'a RawValue>,
    /// What the client must be able to do.
    pub needed: ClientCapabilities,
}

#[derive(Deserialize)]
struct Asked<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
}

/// Reads questions, a JSON object of requests by name.
///
/// # Errors
/// [`CallError::Trap`] where they are none that a client can be asked.
pub fn read(requests: &RawValue) -> Result<Vec<Question<'_>>, CallError> {
    let nonsense = |why: String| CallError::Trap(format!("the server's questions make no sense: {why}"));
    let bytes = requests.get().len();
    if bytes > MAX_BYTES {
        return Err(nonsense(format!("they have {bytes} bytes of at most {MAX_BYTES}")));
    }
    let Members(members) =
        serde_json::from_str(requests.get()).map_err(|error| nonsense(error.to_string()))?;
    if members.len() > MAX_QUESTIONS {
        return Err(nonsense(format!("there are {} of at most {MAX_QUESTIONS}", members.len())));
    }
    let mut names = HashSet::new();
    if let Some((twice, _)) = members.iter().find(|(name, _)| !names.insert(name.as_ref())) {
        return Err(nonsense(format!("two are named {twice:?}")));
    }
    let questions = members.into_iter().map(|(name, request)| question(name, request));
    questions.collect::<Result<_, _>>().map_err(nonsense)
}

fn question<'a>(name: Cow<'a, str>, request: &'a RawValue) -> Result<Question<'a>, String> {
    let Asked { method, params } = serde_json::from_str(request.get()).map_err(|error| error.to_string())?;
    if params.is_some_and(|params| !is_object(params)) {
        return Err(format!("the `params` of {name:?} are no object"));
    }
    let needed = ClientCapabilities::needed(&method, params);
    let needed = needed.ok_or_else(|| format!("no client can be asked for {method:?}"))?;
    Ok(Question { name, method, params, needed })
}

/// What a server says that its client lacks, in the error by which it refuses a call for that (spec: error -32021).
#[must_use]
pub fn missing(error: &CallError) -> Option<ClientCapabilities> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Missing<'a> {
        #[serde(borrow)]
        required_capabilities: &'a RawValue,
    }
    let CallError::Refused { code: MISSING_CAPABILITY, data: Some(data), .. } = error else { return None };
    let missing: Missing<'_> = serde_json::from_str(data).ok()?;
    Some(ClientCapabilities::of(missing.required_capabilities))
}

/// What all of them need.
#[must_use]
pub fn needed(questions: &[Question<'_>]) -> ClientCapabilities {
    let none = ClientCapabilities::default();
    questions.iter().fold(none, |needed, question| needed.and(question.needed))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn fault(requests: &str) -> String {
        let requests = RawValue::from_string(requests.to_owned()).unwrap();
        read(&requests).map(|questions| needed(&questions)).unwrap_err().to_string()
    }

    #[test]
    fn what_no_client_can_be_asked_is_a_fault_of_the_server() {
        assert!(fault("[]").contains("an object"));
        assert!(
            fault(r#"{"a":{"method":"tools/call"}}"#).contains(r#"no client can be asked for "tools/call""#)
        );
        assert!(fault(r#"{"a":{"method":"roots/list","params":[]}}"#).contains("are no object"));
        assert!(fault(r#"{"a":7}"#).contains("invalid type"));
        let many: Vec<_> = (0..17).map(|name| format!(r#""{name}":{{"method":"roots/list"}}"#)).collect();
        assert!(fault(&format!("{{{}}}", many.join(","))).contains("there are 17 of at most 16"));
        let long = format!(r#"{{"a":{{"method":"{}"}}}}"#, "x".repeat(MAX_BYTES));
        assert!(fault(&long).contains("of at most 262144"));
    }
}
