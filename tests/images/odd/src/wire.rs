//! JSON-RPC over lines: each call in a thread of its own.

use std::io::{BufRead, Write, stdin, stdout};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{sleep, spawn};

use serde_json::{Value, json};

use crate::asks;
use crate::begin::Manners;
use crate::tools;

/// Serves until its input ends.
pub fn serve(manners: &Manners) -> ExitCode {
    let held: Arc<Mutex<Option<String>>> = Arc::default();
    for line in stdin().lock().lines().map_while(Result::ok) {
        let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
        let (Some(id), method) = (message.get("id").cloned(), message["method"].as_str()) else { continue };
        if method.is_none() {
            asks::answered(&id, &message);
            continue;
        }
        match method {
            Some("initialize") => {
                sleep(manners.late);
                answer(&id, &initialized(manners, &message).to_string());
            }
            Some("ping") => answer(&id, "{}"),
            Some("logging/setLevel") => {
                *tools::LEVEL.lock().unwrap_or_else(PoisonError::into_inner) =
                    message["params"]["level"].clone();
                answer(&id, "{}");
            }
            Some("resources/list") => {
                answer(&id, r#"{"resources":[{"uri":"odd://watched","name":"watched"}]}"#)
            }
            Some("resources/templates/list") => answer(&id, r#"{"resourceTemplates":[]}"#),
            Some("resources/subscribe") => answer(&id, "{}"),
            Some("tools/list") => answer(&id, &page(manners, &message["params"])),
            Some("tools/call") => {
                let (held, out_of_order) = (Arc::clone(&held), manners.out_of_order);
                let call = move || called(&id, &message["params"], out_of_order.then_some(&*held));
                if tools::keeps_from_reading(&line) { call() } else { drop(spawn(call)) }
            }
            _ => say(&format!(
                r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":"unknown method"}}}}"#
            )),
        }
    }
    ExitCode::SUCCESS
}

fn initialized(manners: &Manners, message: &Value) -> Value {
    let asked = message["params"]["protocolVersion"].as_str().unwrap_or_default();
    json!({
        "protocolVersion": manners.revision.as_deref().unwrap_or(asked),
        "capabilities": { "logging": {}, "resources": { "subscribe": true }, "tools": { "listChanged": true } },
        "serverInfo": { "name": "odd", "version": "1" },
    })
}

/// The tools, spread over so many pages.
fn page(manners: &Manners, params: &Value) -> String {
    let tools = tools::all();
    let size = tools.len().div_ceil(manners.pages.max(1));
    let number: usize = params["cursor"].as_str().and_then(|cursor| cursor.parse().ok()).unwrap_or(0);
    let shown = tools.iter().skip(number * size).take(size).map(String::as_str).collect::<Vec<_>>().join(",");
    let next = number + 1;
    let more = if next < manners.pages { format!(r#","nextCursor":"{next}""#) } else { String::new() };
    format!(r#"{{"tools":[{shown}]{more}}}"#)
}

/// With `held`, the answer waits there for the next, and goes after it.
fn called(id: &Value, params: &Value, held: Option<&Mutex<Option<String>>>) {
    let (name, token) = (params["name"].as_str().unwrap_or_default(), &params["_meta"]["progressToken"]);
    let result = tools::call(name, &params["arguments"], token);
    let line = match result {
        Ok(result) => format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#),
        Err(error) => format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#),
    };
    let Some(held) = held else { return say(&line) };
    let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
    match held.take() {
        Some(earlier) => {
            say(&line);
            say(&earlier);
        }
        None => *held = Some(line),
    }
}

fn answer(id: &Value, result: &str) {
    say(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#));
}

/// Writes a line; without a reader there is nobody left to serve.
pub fn say(line: &str) {
    let mut out = stdout().lock();
    let written =
        out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    if written.is_err() {
        std::process::abort();
    }
}
