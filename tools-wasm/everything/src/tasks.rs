//! Tools whose calls may go on while nobody waits for them: what is published of them says so, and the gateway does it.

use std::thread::sleep;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use toolgate_tool::{Answer, Call, Failure, Questions, Reply, Server, Tool, json};

use crate::Nothing;

type Outcome = Result<Answer, Failure>;

/// Seconds that a tool waits at most.
const MAX_SECONDS: u32 = 60;

pub(crate) fn tools(server: Server) -> Server {
    let job = |name: &str, description: &str, support: &str| {
        Tool::new(name, description).with("execution", json!({ "taskSupport": support }))
    };
    let answered = job("test_tool_with_task", "Asks for a name, and greets later.", "required");
    server
        .tool(Tool::new("greet", "Says hello."), |Person { name }, _| {
            Outcome::Ok(format!("Hello, {name}!").into())
        })
        .tool(job("slow_compute", "Waits, and says so.", "optional"), slow)
        .tool(job("failing_job", "Fails after a moment.", "required"), |_: Nothing, _| {
            sleep(Duration::from_millis(500));
            Outcome::Ok(Reply::error("The job failed.").into())
        })
        .tool(job("protocol_error_job", "Is no tool after all.", "optional"), |_: Nothing, _| {
            Outcome::Err(Failure::internal("The job broke."))
        })
        .tool(
            job("confirm_delete", "Asks before it deletes a file, or says that it would.", "optional"),
            delete,
        )
        .tool(job("multi_input", "Asks two things at once.", "optional"), several)
        .tool(answered.with("_meta", json!({ "toolgate/task": "answered" })), later)
}

#[derive(Deserialize, JsonSchema)]
struct Person {
    /// Whom to greet
    name: String,
}

#[derive(Deserialize, JsonSchema)]
struct Work {
    /// How long it takes
    seconds: u32,
    /// What it is called
    label: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct File {
    /// Its name
    filename: String,
}

#[derive(Deserialize)]
struct Confirmed {
    confirm: bool,
}

fn slow(Work { seconds, label }: Work, call: &Call) -> Outcome {
    let seconds = seconds.min(MAX_SECONDS);
    for second in 0..seconds {
        call.progress(f64::from(second), Some(f64::from(seconds)), None);
        sleep(Duration::from_secs(1));
    }
    let label = label.unwrap_or_default();
    Ok(format!("{label} took {seconds} s").into())
}

fn delete(File { filename }: File, call: &Call) -> Outcome {
    if !call.is_answered() {
        let schema = json!({
            "type": "object",
            "properties": { "confirm": { "type": "boolean" } },
            "required": ["confirm"],
        });
        return Ok(Questions::new().elicit("confirm", &format!("Delete {filename}?"), schema).into());
    }
    let confirmed = call.elicited::<Confirmed>("confirm").is_some_and(|answer| answer.confirm);
    Ok(if confirmed { format!("Deleted {filename}") } else { format!("Kept {filename}") }.into())
}

fn named() -> toolgate_tool::Value {
    json!({ "type": "object", "properties": { "name": { "type": "string" } }, "required": ["name"] })
}

fn several(_: Nothing, call: &Call) -> Outcome {
    if !call.is_answered() {
        let questions = Questions::new();
        return Ok(questions
            .elicit("first", "A name?", named())
            .elicit("second", "Another?", named())
            .into());
    }
    let name =
        |question: &str| call.elicited::<Person>(question).map(|person| person.name).unwrap_or_default();
    Ok(format!("{} and {}", name("first"), name("second")).into())
}

fn later(_: Nothing, call: &Call) -> Outcome {
    let Some(Person { name }) = call.elicited("user_name") else {
        return Ok(Questions::new().elicit("user_name", "What is your name?", named()).into());
    };
    Ok(format!("Hello, {name}!").into())
}
