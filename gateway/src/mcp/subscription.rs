//! `subscriptions/listen` (2026-07-28): the changes that a client asks to be told of, for as long as its request
//! runs. Replaces the stream of a session.
//!
//! The request is acknowledged by a notification that says what of it will be told, which may be less than was
//! asked for. Each notification names the request; the result comes when the gateway ends it.

use std::fmt::Write as _;

use serde::Deserialize;

use super::SERVER_INFO;
use super::id::Id;
use super::params::{Params, is_object};
use super::watched::MAX_OF_ONE;
use crate::catalog::List;
use crate::error::Error;

/// The name of the request in what belongs to it.
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// The lists and resources of whose changes a client is told. Those of resources are told of their templates as
/// well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Filter {
    tools_list_changed: bool,
    prompts_list_changed: bool,
    resources_list_changed: bool,
    resource_subscriptions: Vec<String>,
}

impl Filter {
    /// What a request asks for; what is not known here is not told, and so not acknowledged.
    ///
    /// # Errors
    /// [`Error::InvalidParams`] if it does not say.
    pub fn of(params: &Params<'_>) -> Result<Self, Error> {
        let wanted = params.notifications.filter(|raw| is_object(raw));
        let wanted = wanted.ok_or_else(|| invalid("an object that says what to tell of"))?;
        let filter: Self = serde_json::from_str(wanted.get())
            .map_err(|error| invalid(&format!("of another form: {error}")))?;
        if filter.resource_subscriptions.len() > MAX_OF_ONE {
            return Err(invalid(&format!("of up to {MAX_OF_ONE} resources")));
        }
        Ok(filter)
    }

    /// What of it is told where there are such lists.
    #[must_use]
    pub fn accepted(self, servers_of_mcp: bool) -> Self {
        Self {
            tools_list_changed: self.tools_list_changed,
            prompts_list_changed: self.prompts_list_changed && servers_of_mcp,
            resources_list_changed: self.resources_list_changed && servers_of_mcp,
            resource_subscriptions: if servers_of_mcp { self.resource_subscriptions } else { Vec::new() },
        }
    }

    /// Whether nothing is told.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// URIs of the resources of whose changes it is to be told.
    #[must_use]
    pub fn resources(&self) -> &[String] {
        &self.resource_subscriptions
    }

    /// Those of them that can be watched.
    pub fn watch(&mut self, resources: Vec<String>) {
        self.resource_subscriptions = resources;
    }

    /// Whether changes of a list are told.
    #[must_use]
    pub fn has(&self, list: List) -> bool {
        match list {
            List::Tools => self.tools_list_changed,
            List::Prompts => self.prompts_list_changed,
            List::Resources | List::Templates => self.resources_list_changed,
        }
    }
}

fn invalid(reason: &str) -> Error {
    Error::InvalidParams(format!("`notifications` must be {reason}"))
}

/// The acknowledgment, a JSON-RPC message.
pub(super) fn acknowledged(id: &Id, filter: &Filter) -> Vec<u8> {
    let all = [
        ("toolsListChanged", filter.tools_list_changed),
        ("promptsListChanged", filter.prompts_list_changed),
        ("resourcesListChanged", filter.resources_list_changed),
    ];
    let mut told = String::new();
    for (name, _) in all.iter().filter(|(_, is_told)| *is_told) {
        let comma = if told.is_empty() { "" } else { "," };
        // A string takes whatever is written to it.
        let _ = write!(told, r#"{comma}"{name}":true"#);
    }
    if !filter.resource_subscriptions.is_empty() {
        let comma = if told.is_empty() { "" } else { "," };
        let resources = serde_json::Value::from(&*filter.resource_subscriptions);
        let _ = write!(told, r#"{comma}"resourceSubscriptions":{resources}"#);
    }
    notification(id, "notifications/subscriptions/acknowledged", &format!(r#","notifications":{{{told}}}"#))
}

/// The notification of a change, of a resource where there is a URI.
pub(super) fn changed(id: &Id, method: &str, uri: Option<&str>) -> Vec<u8> {
    let uri = uri.map_or_else(String::new, |uri| format!(r#","uri":{}"#, serde_json::Value::from(uri)));
    notification(id, method, &uri)
}

fn notification(id: &Id, method: &str, more: &str) -> Vec<u8> {
    format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{{"_meta":{{"{SUBSCRIPTION}":{id}}}{more}}}}}"#)
        .into_bytes()
}

/// The result, once nothing more is told.
pub(super) fn result(id: &Id) -> Vec<u8> {
    format!(
        r#"{{"resultType":"complete","_meta":{{"io.modelcontextprotocol/serverInfo":{SERVER_INFO},"{SUBSCRIPTION}":{id}}}}}"#
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use serde_json::value::RawValue;

    use super::*;

    fn filter(params: &str) -> Result<Filter, Error> {
        let params = RawValue::from_string(params.to_owned()).unwrap();
        Filter::of(&Params::parse(Some(&params)).unwrap())
    }

    #[test]
    fn what_is_not_there_or_not_known_is_not_acknowledged() {
        let asked = r#"{"notifications":{"toolsListChanged":true,"promptsListChanged":true,"resourceSubscriptions":["a:b"],"taskIds":["1"]}}"#;
        let asked = filter(asked).unwrap();
        let id = Id::parse(&RawValue::from_string("\"a\"".to_owned()).unwrap()).unwrap();
        let told = |filter: &Filter| String::from_utf8(acknowledged(&id, filter)).unwrap();
        let begin = r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"a"},"notifications":"#;
        assert_eq!(told(&asked.clone().accepted(false)), format!("{begin}{{\"toolsListChanged\":true}}}}}}"));
        let both = r#"{"toolsListChanged":true,"promptsListChanged":true,"resourceSubscriptions":["a:b"]}"#;
        assert_eq!(told(&asked.clone().accepted(true)), format!("{begin}{both}}}}}"));
        assert!(asked.has(List::Tools) && !asked.has(List::Templates));
        assert!(filter(r#"{"notifications":{"toolsListChanged":false}}"#).unwrap().is_empty());
    }

    #[test]
    fn a_request_that_does_not_say_what_to_tell_is_refused() {
        for params in [
            "{}",
            r#"{"notifications":null}"#,
            r#"{"notifications":["toolsListChanged"]}"#,
            r#"{"notifications":{"toolsListChanged":"yes"}}"#,
        ] {
            assert!(matches!(filter(params), Err(Error::InvalidParams(_))), "{params}");
        }
    }
}
