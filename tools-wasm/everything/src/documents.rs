//! Resources, prompts, and what completes their arguments.

use serde::Deserialize;
use toolgate_tool::{
    Answer, Call, Content, Failure, Prompt, Questions, Reply, Resource, Server, Template, json,
};

use crate::Nothing;
use crate::samples::PNG;

pub(crate) fn all(server: Server) -> Server {
    prompts(resources(server)).completions(|_, argument, begun| {
        let values: &[&str] = match argument {
            "arg1" => &["paris", "park", "party", "test"],
            "id" => &["123", "456"],
            _ => return None,
        };
        let fitting = values.iter().filter(|value| value.starts_with(begun));
        Some(fitting.map(|value| (*value).to_owned()).collect())
    })
}

/// The type of a view (extension Apps).
const VIEW: &str = "text/html;profile=mcp-app";

fn resources(server: Server) -> Server {
    let text = Resource::new("test://static-text", "static-text", "Text that stays the same.");
    let binary = Resource::new("test://static-binary", "static-binary", "A red pixel.");
    let watched = Resource::new("test://watched-resource", "watched-resource", "Text that could change.");
    let view = Resource::new("ui://everything/view", "view", "How its tool's answers are shown.");
    let template = Template::new("test://template/{id}/data", "template", "The data of an id.");
    server
        .resource(text.with("mimeType", "text/plain".into()), |_| {
            let content = "This is the content of the static text resource.";
            Ok(Reply::new().text("test://static-text", "text/plain", content).into())
        })
        .resource(binary.with("mimeType", "image/png".into()), |_| {
            Ok(Reply::new().blob("test://static-binary", "image/png", PNG).into())
        })
        .resource(watched.with("mimeType", "text/plain".into()), |_| {
            Ok(Reply::new().text("test://watched-resource", "text/plain", "Nothing yet.").into())
        })
        .resource(view.with("mimeType", VIEW.into()), |_| {
            Ok(Reply::new().text("ui://everything/view", VIEW, "<!doctype html><p>A view.</p>").into())
        })
        .template(template.with("mimeType", "application/json".into()), |uri, names, _| {
            let id = names["id"].as_str().unwrap_or_default();
            let data = json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") });
            Ok(Reply::new().text(uri, "application/json", data.to_string()).into())
        })
}

fn prompts(server: Server) -> Server {
    let arguments = Prompt::new("test_prompt_with_arguments", "Has two arguments.")
        .argument("arg1", "First test argument", true)
        .argument("arg2", "Second test argument", true);
    let embedded = Prompt::new("test_prompt_with_embedded_resource", "Has a resource in it.").argument(
        "resourceUri",
        "URI of the resource to embed",
        true,
    );
    server
        .prompt(Prompt::new("test_simple_prompt", "Has no arguments."), |_: Nothing, _: &Call| {
            Ok(Reply::new().message("user", Content::text("This is a simple prompt for testing.")).into())
        })
        .prompt(arguments, |Two { arg1, arg2 }: Two, _: &Call| {
            let text = format!("Prompt with arguments: arg1='{arg1}', arg2='{arg2}'");
            Ok(Reply::new().message("user", Content::text(text)).into())
        })
        .prompt(embedded, |Embedded { uri }: Embedded, _: &Call| {
            let resource = Content::resource(&uri, "text/plain", "Embedded resource content for testing.");
            let please = Content::text("Please process the embedded resource above.");
            Ok(Reply::new().message("user", resource).message("user", please).into())
        })
        .prompt(Prompt::new("test_prompt_with_image", "Has an image in it."), |_: Nothing, _: &Call| {
            let please = Content::text("Please analyze the image above.");
            Ok(Reply::new().message("user", Content::image(PNG, "image/png")).message("user", please).into())
        })
        .prompt(Prompt::new("test_input_required_result_prompt", "Asks what it needs."), asking)
}

#[derive(Deserialize)]
struct Two {
    arg1: String,
    arg2: String,
}

#[derive(Deserialize)]
struct Embedded {
    #[serde(rename = "resourceUri")]
    uri: String,
}

#[derive(Deserialize)]
struct Context {
    context: String,
}

fn asking(_: Nothing, call: &Call) -> Result<Answer, Failure> {
    let schema = json!({ "type": "object", "properties": { "context": { "type": "string" } }, "required": ["context"] });
    Ok(match call.elicited::<Context>("user_context") {
        Some(Context { context }) => {
            Reply::new().message("user", Content::text(format!("Use this: {context}"))).into()
        }
        None => Questions::new().elicit("user_context", "What context should the prompt use?", schema).into(),
    })
}
