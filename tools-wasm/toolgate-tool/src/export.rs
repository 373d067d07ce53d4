//! From the exports of the world to a [`Server`].

use serde_json::{Value, json};

use crate::answer::{Answer, Failure, Kind};
use crate::call::Call;
use crate::server::{Offer, Server, matched};

/// What the WIT says, as Rust.
#[allow(missing_docs, reason = "generated bindings; the WIT is the documentation")]
pub mod bindings {
    wit_bindgen::generate!({
        world: "server",
        path: "../wit",
        pub_export_macro: true,
        default_bindings_module: "toolgate_tool::bindings",
    });
}

use bindings::exports::toolgate::tool::{completions, prompts, resources, tools};
use bindings::toolgate::tool::types::{self, Request};

type Listed = Result<String, types::Failure>;
type Answered = Result<types::Answer, types::Failure>;

/// Whatever makes a server; what [`export!`](crate::export) exports.
pub trait Serve {
    /// Makes it.
    fn server() -> Server;
}

/// Exports what a function makes as the component's server: `toolgate_tool::export!(server);`
#[macro_export]
macro_rules! export {
    ($server:path) => {
        struct ToolgateServer;

        impl $crate::Serve for ToolgateServer {
            fn server() -> $crate::Server {
                $server()
            }
        }

        $crate::bindings::export!(ToolgateServer with_types_in $crate::bindings);
    };
}

impl<S: Serve> tools::Guest for S {
    fn list() -> Listed {
        Ok(listed(&S::server().tools))
    }

    fn call(name: String, request: Request) -> Answered {
        answered(&S::server().tools, &name, request, Kind::Tool)
    }
}

impl<S: Serve> prompts::Guest for S {
    fn list() -> Listed {
        Ok(listed(&S::server().prompts))
    }

    fn get(name: String, request: Request) -> Answered {
        answered(&S::server().prompts, &name, request, Kind::Prompt)
    }
}

impl<S: Serve> resources::Guest for S {
    fn list() -> Listed {
        Ok(listed(&S::server().resources))
    }

    fn templates() -> Listed {
        Ok(listed(&S::server().templates))
    }

    fn read(uri: String, mut request: Request) -> Answered {
        let Server { resources, templates, .. } = S::server();
        let call = Call::of(&mut request);
        if let Some(resource) = resources.iter().find(|resource| resource.key == uri) {
            return sent((resource.handler)(Value::Null, &call), Kind::Resource);
        }
        let found = templates.iter().find_map(|template| Some((template, matched(&template.key, &uri)?)));
        let Some((template, names)) = found else {
            let missing = Failure::invalid("Resource not found").with(json!({ "uri": uri }));
            return Err(missing.into());
        };
        sent((template.handler)(json!({ "uri": uri, "names": names }), &call), Kind::Resource)
    }
}

impl<S: Serve> completions::Guest for S {
    fn complete(params: String) -> Listed {
        let params: Value =
            serde_json::from_str(&params).map_err(|error| Failure::invalid(error.to_string()))?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let reference = if params["ref"]["uri"].is_string() { "uri" } else { "name" };
        let (of, argument) = (text(&params["ref"][reference]), &params["argument"]);
        let complete = S::server().completer;
        let values = complete
            .and_then(|complete| complete(&of, &text(&argument["name"]), &text(&argument["value"])))
            .unwrap_or_default();
        Ok(json!({ "completion": completed(values) }).to_string())
    }
}

/// A hundred at most (spec: completion, "Completion Results").
fn completed(mut values: Vec<String>) -> Value {
    let total = values.len();
    values.truncate(100);
    json!({ "values": values, "total": total, "hasMore": total > values.len() })
}

fn listed(offers: &[Offer]) -> String {
    Value::Array(offers.iter().map(Offer::json).collect()).to_string()
}

fn answered(offers: &[Offer], name: &str, mut request: Request, kind: Kind) -> Answered {
    let call = Call::of(&mut request);
    let Some(offer) = offers.iter().find(|offer| offer.key == name) else {
        return Err(Failure::invalid(format!("there is no {name:?}")).into());
    };
    let arguments =
        serde_json::from_str(&request.arguments).map_err(|error| Failure::invalid(error.to_string()))?;
    sent((offer.handler)(arguments, &call), kind)
}

fn sent(answer: Result<Answer, Failure>, kind: Kind) -> Answered {
    Ok(match answer? {
        Answer::Reply(reply) => types::Answer::Complete(reply.into_json(kind).to_string()),
        Answer::Questions(questions) => types::Answer::InputRequired(types::Questions {
            requests: Value::Object(questions.requests).to_string(),
            state: questions.state,
        }),
    })
}

impl From<Failure> for types::Failure {
    fn from(Failure { code, message, data }: Failure) -> Self {
        Self { code, message, data: data.map(|data| data.to_string()) }
    }
}
