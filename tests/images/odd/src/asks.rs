//! What it asks its client, in the middle of a call.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use serde_json::Value;

use crate::wire;

static LAST: AtomicU64 = AtomicU64::new(0);

/// Answers by id, as they came.
static ANSWERS: Mutex<Option<HashMap<String, String>>> = Mutex::new(None);
static CAME: Condvar = Condvar::new();

/// Asks for each of these, all at once, and waits for what comes of it: results and errors as JSON, a line each.
pub fn ask(requests: &[Value]) -> String {
    let ids: Vec<String> =
        requests.iter().map(|_| format!("ask-{}", LAST.fetch_add(1, Ordering::Relaxed))).collect();
    for (id, request) in ids.iter().zip(requests) {
        let (method, params) = (&request["method"], &request["params"]);
        wire::say(&format!(r#"{{"jsonrpc":"2.0","id":"{id}","method":{method},"params":{params}}}"#));
    }
    let lines: Vec<_> = ids.iter().map(|id| wait_for(id)).collect();
    lines.join("\n")
}

fn wait_for(id: &str) -> String {
    let mut answers = ANSWERS.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if let Some(answer) = answers.get_or_insert_default().remove(id) {
            return answer;
        }
        answers = CAME.wait(answers).unwrap_or_else(PoisonError::into_inner);
    }
}

/// An answer of the client.
pub fn answered(id: &Value, message: &Value) {
    let answer = message.get("result").unwrap_or(&message["error"]).to_string();
    let id = id.as_str().unwrap_or_default().to_owned();
    ANSWERS.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().insert(id, answer);
    CAME.notify_all();
}
