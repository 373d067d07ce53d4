//! Tools that ask the user, the client's model, and where the client works: each is called again with the answers.

use schemars::JsonSchema;
use serde::Deserialize;
use toolgate_tool::{Answer, Call, Failure, Questions, Server, Tool, Value, json};

use crate::Nothing;

type Outcome = Result<Answer, Failure>;

pub(crate) fn tools(server: Server) -> Server {
    let server = server
        .tool(Tool::new("test_elicitation", "Asks the user for a name and an address."), elicitation)
        .tool(Tool::new("test_sampling", "Asks the client's model."), sampling)
        .tool(
            Tool::new("test_elicitation_sep1034_defaults", "Asks with defaults."),
            |_: Nothing, call: &Call| form(call, "Please check these values.", defaults()),
        )
        .tool(Tool::new("test_elicitation_sep1330_enums", "Asks for choices."), |_: Nothing, call: &Call| {
            form(call, "Please choose.", choices())
        })
        .tool(Tool::new("test_streaming_elicitation", "Asks the user for a name."), name)
        .tool(
            Tool::new("test_missing_capability", "Asks the client's model, whether it can or not."),
            capital,
        );
    rounds(server)
}

/// What the conformance suite has for revisions that ask by results.
fn rounds(server: Server) -> Server {
    server
        .tool(Tool::new("test_input_required_result_elicitation", "Asks the user for a name."), name)
        .tool(Tool::new("test_input_required_result_sampling", "Asks the client's model."), capital)
        .tool(Tool::new("test_input_required_result_list_roots", "Asks where the client works."), roots)
        .tool(Tool::new("test_input_required_result_request_state", "Asks, and keeps something."), state)
        .tool(Tool::new("test_input_required_result_tampered_state", "Asks, and keeps something."), state)
        .tool(Tool::new("test_input_required_result_multiple_inputs", "Asks three things at once."), several)
        .tool(Tool::new("test_input_required_result_multi_round", "Asks twice."), twice)
        .tool(Tool::new("test_input_required_result_capabilities", "Asks what can be answered."), fitting)
}

#[derive(Deserialize, JsonSchema)]
struct Message {
    /// What to show to the user
    message: String,
}

#[derive(Deserialize, JsonSchema)]
struct Sample {
    /// What to ask the model
    prompt: String,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Colour {
    color: String,
}

/// What a model said.
#[derive(Deserialize)]
struct Said {
    content: Text,
}

#[derive(Deserialize)]
struct Text {
    text: String,
}

#[derive(Deserialize)]
struct Roots {
    roots: Vec<Value>,
}

fn object(name: &str, schema: Value) -> Value {
    json!({ "type": "object", "properties": { name: schema }, "required": [name] })
}

fn text(name: &str) -> Value {
    object(name, json!({ "type": "string" }))
}

fn elicitation(arguments: Message, call: &Call) -> Outcome {
    let schema = json!({
        "type": "object",
        "properties": {
            "username": { "type": "string", "description": "User's response" },
            "email": { "type": "string", "description": "User's email address" }
        },
        "required": ["username", "email"]
    });
    Ok(match call.answered::<Value>("user") {
        Some(answer) => format!("User response: {answer}").into(),
        None => Questions::new().elicit("user", &arguments.message, schema).into(),
    })
}

fn sampling(arguments: Sample, call: &Call) -> Outcome {
    Ok(match call.answered::<Said>("model") {
        Some(said) => format!("LLM response: {}", said.content.text).into(),
        None => Questions::new().sample("model", &arguments.prompt, 100).into(),
    })
}

fn form(call: &Call, message: &str, schema: Value) -> Outcome {
    Ok(match call.answered::<Value>("form") {
        Some(answer) => {
            let action = answer["action"].as_str().unwrap_or("none");
            format!("Elicitation completed: action={action}, content={}", answer["content"]).into()
        }
        None => Questions::new().elicit("form", message, schema).into(),
    })
}

fn defaults() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "description": "User name", "default": "John Doe" },
            "age": { "type": "integer", "description": "User age", "default": 30 },
            "score": { "type": "number", "description": "User score", "default": 95.5 },
            "status": { "type": "string", "enum": ["active", "inactive", "pending"], "default": "active" },
            "verified": { "type": "boolean", "description": "Verification status", "default": true }
        }
    })
}

fn choices() -> Value {
    let titled = |first, second, third| {
        json!([
            { "const": "value1", "title": first },
            { "const": "value2", "title": second },
            { "const": "value3", "title": third }
        ])
    };
    json!({
        "type": "object",
        "properties": {
            "untitledSingle": { "type": "string", "enum": ["option1", "option2", "option3"] },
            "titledSingle": { "type": "string", "oneOf": titled("First Option", "Second Option", "Third Option") },
            "legacyEnum": {
                "type": "string",
                "enum": ["opt1", "opt2", "opt3"],
                "enumNames": ["Option One", "Option Two", "Option Three"]
            },
            "untitledMulti": {
                "type": "array",
                "items": { "type": "string", "enum": ["option1", "option2", "option3"] }
            },
            "titledMulti": {
                "type": "array",
                "items": { "anyOf": titled("First Choice", "Second Choice", "Third Choice") }
            }
        }
    })
}

fn name(_: Nothing, call: &Call) -> Outcome {
    Ok(match call.elicited::<Named>("user_name") {
        Some(Named { name }) => format!("Hello, {name}!").into(),
        None => Questions::new().elicit("user_name", "What is your name?", text("name")).into(),
    })
}

fn capital(_: Nothing, call: &Call) -> Outcome {
    let question = "What is the capital of France?";
    Ok(match call.answered::<Said>("capital_question") {
        Some(said) => said.content.text.into(),
        None => Questions::new().sample("capital_question", question, 100).into(),
    })
}

fn roots(_: Nothing, call: &Call) -> Outcome {
    Ok(match call.answered::<Roots>("client_roots") {
        Some(Roots { roots }) => format!("The client works at {}", Value::Array(roots)).into(),
        None => Questions::new().roots("client_roots").into(),
    })
}

fn state(_: Nothing, call: &Call) -> Outcome {
    const KEPT: &[u8] = b"asked once";
    let schema = object("ok", json!({ "type": "boolean" }));
    Ok(match (call.is_answered(), call.state()) {
        (true, Some(KEPT)) => "state-ok".into(),
        _ => Questions::new().elicit("confirm", "Please confirm", schema).state(KEPT).into(),
    })
}

fn several(_: Nothing, call: &Call) -> Outcome {
    let (name, said) = (call.elicited::<Named>("user_name"), call.answered::<Said>("greeting"));
    let roots = call.answered::<Roots>("client_roots");
    Ok(match (name, said, roots) {
        (Some(Named { name }), Some(said), Some(Roots { roots })) => {
            format!("{} {name} of {}", said.content.text, Value::Array(roots)).into()
        }
        _ => Questions::new()
            .elicit("user_name", "What is your name?", text("name"))
            .sample("greeting", "Generate a greeting", 50)
            .roots("client_roots")
            .state("asked")
            .into(),
    })
}

/// The name is kept from the first round to the last.
fn twice(_: Nothing, call: &Call) -> Outcome {
    if let Some(Named { name }) = call.elicited("step1") {
        let question = "Step 2: What is your favorite color?";
        return Ok(Questions::new().elicit("step2", question, text("color")).state(name).into());
    }
    let name = call.state().map(String::from_utf8_lossy);
    Ok(match (name, call.elicited::<Colour>("step2")) {
        (Some(name), Some(Colour { color })) => format!("{name} likes {color}").into(),
        _ => Questions::new().elicit("step1", "Step 1: What is your name?", text("name")).state("").into(),
    })
}

fn fitting(_: Nothing, call: &Call) -> Outcome {
    if call.is_answered() {
        return Ok("Answered.".into());
    }
    let mut questions = Questions::new();
    if call.can("elicitation") {
        questions = questions.elicit("user_name", "What is your name?", text("name"));
    }
    if call.can("sampling") {
        questions = questions.sample("greeting", "Generate a greeting", 50);
    }
    if call.can("roots") {
        questions = questions.roots("client_roots");
    }
    Ok(questions.into())
}
