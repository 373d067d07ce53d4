//! Its tools: a few that answer, and many that do not as they should.

use serde_json::{Value, json};
use wasip2::clocks::monotonic_clock;

use crate::http::{Body, Out, Request, message};

/// The first has a parameter that is mirrored.
pub(crate) const NAMES: [&str; 33] = [
    "request",
    "counts",
    "tells",
    "asks",
    "odd",
    "refuses",
    "spins",
    "traps",
    "sleeps",
    "huge",
    "huge-event",
    "garbage",
    "garbage-event",
    "no-object",
    "wrong-id",
    "wrong-id-event",
    "unknown-result-type",
    "state-too-large",
    "asks-too-much",
    "silent",
    "ends-early",
    "half",
    "fails",
    "html",
    "status",
    "compressed",
    "asks-by-request",
    "drips",
    "never-ends",
    "floods",
    "answers-then-spins",
    "answers-then-traps",
    "fetches",
];

static mut CALLS: u32 = 0;

/// How often this instance was asked, which is what it keeps.
pub(crate) fn calls() -> u32 {
    // SAFETY: a component has one thread.
    unsafe {
        CALLS += 1;
        CALLS
    }
}

fn text(text: &str) -> Value {
    json!({ "resultType": "complete", "content": [{ "type": "text", "text": text }] })
}

fn asking(requests: &Value, state: &str) -> Value {
    json!({ "resultType": "input_required", "inputRequests": requests, "requestState": state })
}

fn answer(request: &Request, out: Out, result: &Value) {
    out.json(200, &message(request, result).to_string());
}

pub(crate) fn call(request: &Request, out: Out) {
    let name = request.body["params"]["name"].as_str().unwrap_or_default();
    match name {
        "request" => answer(request, out, &seen(request)),
        "counts" => answer(request, out, &text(&calls().to_string())),
        "tells" => tells(request, out),
        "asks" => asks(request, out),
        "odd" => {
            let result = r#"{ "content":[ {"type":"new","x":1.50} ] , "y\u0041" :18446744073709551616}"#;
            out.json(200, &format!("{{\"id\":{},\"result\":{result}}}", request.body["id"]));
        }
        "refuses" => out.error(request, 400, -32001, &"x".repeat(100_000), &json!({ "why": 1.5 })),
        "spins" => spin(),
        "traps" => unreachable!(),
        "sleeps" => monotonic_clock::subscribe_duration(3_600_000_000_000).block(),
        "fetches" => fetches(request, out),
        name => badly(name, request, out),
    }
}

/// Messages that are no answers, or too much of one.
fn badly(name: &str, request: &Request, out: Out) {
    match name {
        "huge" => answer(request, out, &text(&"x".repeat(5_000_000))),
        "garbage" => out.json(200, "\u{1b}[2J{"),
        "no-object" => answer(request, out, &json!(["complete"])),
        "wrong-id" => out.json(200, &json!({ "id": 99, "result": text("done") }).to_string()),
        "unknown-result-type" => answer(request, out, &json!({ "resultType": "task", "task": {} })),
        "state-too-large" => answer(request, out, &asking(&json!({}), &"x".repeat(65_537))),
        "asks-too-much" => {
            let one = |number: u32| (number.to_string(), json!({ "method": "roots/list" }));
            answer(request, out, &asking(&Value::Object((0..17).map(one).collect()), ""));
        }
        "silent" => drop(out),
        "half" => {
            let whole = message(request, &text("done")).to_string();
            let length = whole.len().to_string();
            let headers = [("content-type", "application/json"), ("content-length", length.as_str())];
            let mut body = out.begin(200, &headers);
            body.write(&whole[..whole.len() / 2]);
            body.give_up();
        }
        "fails" => out.fail(),
        "html" => body_of(out.begin(200, &[("content-type", "text/html")]), "<h1>Hello</h1>"),
        "status" => body_of(out.begin(503, &[("content-type", "text/plain")]), "later"),
        "compressed" => {
            let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
            body_of(out.begin(200, &headers), "x");
        }
        "answers-then-traps" => {
            answer(request, out, &text("done"));
            unreachable!();
        }
        name => stream_badly(name, request, out),
    }
}

/// Streams that end wrong, or never.
fn stream_badly(name: &str, request: &Request, out: Out) {
    let done = message(request, &text("done"));
    match name {
        "huge-event" => {
            let mut body = out.events();
            loop {
                body.write(&"data: x\n".repeat(500));
            }
        }
        "garbage-event" => body_of(out.events(), "data: hello\n\n"),
        "wrong-id-event" => {
            body_of(out.events(), &format!("data: {}\n\n", json!({ "id": 99, "result": text("done") })));
        }
        "ends-early" => {
            let mut body = out.events();
            body.progress(request, 1);
            body.end();
        }
        "asks-by-request" => {
            let mut body = out.events();
            body.event(&json!({ "id": 1, "method": "roots/list" }));
            spin();
        }
        "drips" => drips(out),
        "never-ends" => {
            let mut body = out.events();
            loop {
                body.write(": still here\n\n");
            }
        }
        "floods" => {
            let mut body = out.events();
            for number in 0..10_000 {
                body.progress(request, number);
            }
            body.event(&done);
            body.end();
        }
        "answers-then-spins" => {
            let mut body = out.events();
            body.event(&done);
            spin();
        }
        name => out.error(request, 404, -32602, "there is no such tool", &Value::from(name)),
    }
}

/// What it was sent.
fn seen(request: &Request) -> Value {
    let headers: Vec<_> = request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let seen = json!({
        "line": request.line,
        "headers": headers,
        "body": request.body,
        "largest": request.largest,
        "variables": std::env::vars().count(),
    });
    json!({ "resultType": "complete", "content": [], "structuredContent": seen })
}

fn tells(request: &Request, out: Out) {
    let mut body = out.events();
    for progress in 1..=3 {
        body.progress(request, progress);
    }
    for level in ["debug", "warning"] {
        let params = json!({ "level": level, "data": { "at": level } });
        body.event(&json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": params }));
    }
    body.event(&message(request, &text("told")));
    body.end();
}

fn asks(request: &Request, out: Out) {
    let params = &request.body["params"];
    if let Some(answers) = params.get("inputResponses") {
        let said = json!({ "answers": answers, "state": params["requestState"], "calls": calls() });
        return answer(request, out, &text(&said.to_string()));
    }
    let schema = json!({ "type": "object", "properties": { "name": { "type": "string" } } });
    let ask = json!({ "mode": "form", "message": "Who?", "requestedSchema": schema });
    let requests = json!({ "who": { "method": "elicitation/create", "params": ask } });
    answer(request, out, &asking(&requests, &format!("kept by call {}", calls())));
}

/// A byte at a time, for ever.
fn drips(out: Out) {
    let mut body = out.events();
    loop {
        body.write(":");
        monotonic_clock::subscribe_duration(1_000_000).block();
    }
}

/// Nothing was granted, so it can't.
fn fetches(request: &Request, out: Out) {
    use wasip2::http::outgoing_handler::handle;
    use wasip2::http::types::{Fields, OutgoingRequest, Scheme};
    let outgoing = OutgoingRequest::new(Fields::new());
    outgoing.set_scheme(Some(&Scheme::Http)).unwrap();
    outgoing.set_authority(Some("localhost")).unwrap();
    outgoing.set_path_with_query(Some("/")).unwrap();
    let response = handle(outgoing, None).unwrap();
    response.subscribe().block();
    let got = response.get().unwrap().unwrap().map(|response| response.status());
    answer(request, out, &text(&format!("{got:?}")));
}

fn body_of(mut body: Body, text: &str) {
    body.write(text);
    body.end();
}

pub(crate) fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}
