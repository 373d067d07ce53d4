//! Tools that answer with each kind of content.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toolgate_tool::{Call, Content, Failure, Reply, Server, Tool, Value, json};

use crate::Nothing;
use crate::samples::{PNG, WAV};

/// How many tools there are besides; known when the server runs, and not when it is built.
const TOOLS: &str = "EVERYTHING_TOOLS";

pub(crate) fn tools(server: Server) -> Server {
    let server = server
        .tool(Tool::new("test_simple_text", "Answers with text."), |_: Nothing, _: &Call| {
            Ok("This is a simple text response for testing.".into())
        })
        .tool(Tool::new("test_image_content", "Answers with an image."), |_: Nothing, _: &Call| {
            Ok(Content::image(PNG, "image/png").into())
        })
        .tool(Tool::new("test_audio_content", "Answers with sound."), |_: Nothing, _: &Call| {
            Ok(Content::audio(WAV, "audio/wav").into())
        })
        .tool(Tool::new("test_embedded_resource", "Answers with a resource."), |_: Nothing, _: &Call| {
            let text = "This is an embedded resource content.";
            Ok(Content::resource("test://embedded-resource", "text/plain", text).into())
        })
        .tool(Tool::new("test_multiple_content_types", "Answers with parts of several kinds."), mixed)
        .tool(Tool::new("test_error_handling", "Fails, always."), |_: Nothing, _: &Call| {
            Ok(Reply::error("This tool intentionally returns an error for testing").into())
        })
        .tool(Tool::new("sum", "Adds two numbers.").output::<Sum>(), |terms: Terms, _: &Call| {
            let sum = Reply::structured(&Sum { sum: terms.a + terms.b })?;
            Ok(sum.with("_meta", json!({ "everything/terms": 2 })).into())
        })
        .tool(Tool::new("link", "Answers with a link to a resource."), |_: Nothing, _: &Call| {
            let link = Content::link("test://static-text", "static-text");
            Ok(link.with("annotations", json!({ "audience": ["user"], "priority": 0.5 })).into())
        })
        .tool(
            // For hosts that show it in a frame of its own (extension Apps).
            Tool::new("view", "Answers with text, and has a view for it.")
                .with("_meta", json!({ "ui": { "resourceUri": "ui://everything/view" } })),
            |_: Nothing, _: &Call| Ok("Seen.".into()),
        )
        .tool(
            Tool::new("region", "Answers with a region, which its client mirrors into a header.")
                .with("inputSchema", mirrored()),
            |arguments: Value, _: &Call| Ok(arguments["region"].as_str().unwrap_or_default().into()),
        )
        .tool(Tool::new("environment", "Answers with the request's metadata."), |_: Nothing, call: &Call| {
            Ok(Reply::structured(&call.meta())?.into())
        })
        .tool(
            Tool::new("json_schema_2020_12_tool", "Takes what a schema of 2020-12 can say.")
                .with("inputSchema", schema()),
            |arguments: Value, _: &Call| Ok(arguments.to_string().into()),
        );
    numbered(server)
}

#[derive(Deserialize, JsonSchema)]
struct Terms {
    /// The first
    a: i64,
    /// The second
    b: i64,
}

#[derive(Serialize, JsonSchema)]
struct Sum {
    /// Of both
    sum: i64,
}

fn mixed(_: Nothing, _: &Call) -> Result<toolgate_tool::Answer, Failure> {
    let resource = json!({ "test": "data", "value": 123 }).to_string();
    Ok(Reply::from(Content::text("Multiple content types test:"))
        .and(Content::image(PNG, "image/png"))
        .and(Content::resource("test://mixed-content-resource", "application/json", resource))
        .into())
}

fn mirrored() -> Value {
    let region = json!({ "type": "string", "description": "Any text", "x-mcp-header": "Region" });
    json!({ "type": "object", "properties": { "region": region }, "required": ["region"] })
}

fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": { "street": { "type": "string" }, "city": { "type": "string" } }
            }
        },
        "properties": {
            "name": { "type": "string" },
            "address": { "$ref": "#/$defs/address" },
            "contactMethod": { "type": "string", "enum": ["phone", "email"] },
            "phone": { "type": "string" },
            "email": { "type": "string" }
        },
        "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
        "if": { "properties": { "contactMethod": { "const": "phone" } }, "required": ["contactMethod"] },
        "then": { "required": ["phone"] },
        "else": { "required": ["email"] },
        "additionalProperties": false
    })
}

/// As many more tools as the environment says, `number-0` and so on.
fn numbered(mut server: Server) -> Server {
    let count = std::env::var(TOOLS).ok().and_then(|count| count.parse().ok()).unwrap_or(0);
    for number in 0..count {
        let tool = Tool::new(&format!("number-{number}"), "Answers with its number.");
        server = server.tool(tool, move |_: Nothing, _: &Call| Ok(format!("{number}").into()));
    }
    server
}
