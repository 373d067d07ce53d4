//! Its tools.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::{asks, attempts, wire};

/// Name and properties of each tool.
const TOOLS: [(&str, &str); 24] = [
    ("fail", r#""message":{"type":"string"}"#),
    ("sleep-for", r#""milliseconds":{"type":"integer"}"#),
    ("hog", r#""milliseconds":{"type":"integer"}"#),
    ("huge-string", r#""bytes":{"type":"integer"}"#),
    ("huge-line", r#""bytes":{"type":"integer"}"#),
    ("print-lines", r#""to-stderr":{"type":"boolean"},"line":{"type":"string"},"count":{"type":"integer"}"#),
    ("forge-reply", r#""id":{"type":"string"}"#),
    ("exit", r#""code":{"type":"integer"}"#),
    ("allocate-or-die", ""),
    ("fork", ""),
    ("count", ""),
    ("environment", ""),
    ("identity", ""),
    ("read", r#""path":{"type":"string"}"#),
    ("write", r#""path":{"type":"string"},"bytes":{"type":"integer"}"#),
    ("connect", r#""address":{"type":"string"}"#),
    ("exchange", r#""address":{"type":"string"},"text":{"type":"string"}"#),
    ("exchange-with-password", r#""head":{"type":"string"}"#),
    ("hold", r#""address":{"type":"string"},"count":{"type":"integer"}"#),
    ("refuse", ""),
    ("raw", r#""text":{"type":"string"}"#),
    ("tell", r#""lines":{"type":"array","items":{"type":"string"}}"#),
    ("level", ""),
    ("ask", r#""requests":{"type":"array"}"#),
];

/// A tool that is only there after [`CHANGED`].
const LATER: (&str, &str) = ("later", "");

/// Whether its tools are others than at the start.
static CHANGED: AtomicBool = AtomicBool::new(false);

/// How often it was called.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Its tools as JSON, with a member that no specification knows.
pub fn all() -> Vec<String> {
    let later = CHANGED.load(Ordering::Relaxed).then_some(LATER);
    let change = [("change-tools", "")];
    let tools = TOOLS.into_iter().chain(change).chain(later);
    let json = |(name, properties): (&str, &str)| {
        format!(
            r#"{{"name":"{name}","x-odd":{{"z":1.50,"a":18446744073709551617}},"inputSchema":{{"type":"object","properties":{{{properties}}}}}}}"#
        )
    };
    tools.map(json).collect()
}

/// Whether that call keeps it from reading its input, and so from hearing that nobody waits any more.
pub fn keeps_from_reading(line: &str) -> bool {
    line.contains(r#""name":"hog""#)
}

/// The level that was set last, as JSON.
pub static LEVEL: Mutex<Value> = Mutex::new(Value::Null);

/// Time between two lines of `tell`.
const PAUSE: Duration = Duration::from_millis(50);

/// Runs a tool: its result, or its error, as JSON. `token` is what its progress is to be named by.
pub fn call(name: &str, arguments: &Value, token: &Value) -> Result<String, String> {
    let count = COUNT.fetch_add(1, Ordering::Relaxed) + 1;
    let text = |key: &str| arguments[key].as_str().unwrap_or_default();
    let number = |key: &str| arguments[key].as_u64().unwrap_or_default();
    let size = |key: &str| usize::try_from(number(key)).unwrap_or_default();
    let done = |text: String| Ok(result(false, &text));
    let tried = |outcome: Result<String, String>| match outcome {
        Ok(text) => Ok(result(false, &text)),
        Err(text) => Ok(result(true, &text)),
    };
    match name {
        "fail" => Ok(result(true, text("message"))),
        "sleep-for" | "hog" => {
            std::thread::sleep(Duration::from_millis(number("milliseconds")));
            done("slept".to_owned())
        }
        "huge-string" => done("x".repeat(size("bytes"))),
        "huge-line" => {
            wire::say(&"x".repeat(size("bytes")));
            done("printed".to_owned())
        }
        "print-lines" => {
            let line = text("line").replace("TOKEN", &token.to_string());
            (0..number("count")).for_each(|_| print(&arguments["to-stderr"], &line));
            done("printed".to_owned())
        }
        "forge-reply" => {
            wire::say(&format!(
                r#"{{"jsonrpc":"2.0","id":{},"result":{}}}"#,
                text("id"),
                result(false, "forged")
            ));
            done("honest".to_owned())
        }
        #[allow(clippy::cast_possible_truncation, reason = "a status is small")]
        "exit" => quit(arguments["code"].as_i64().unwrap_or_default() as i32),
        "allocate-or-die" => done(attempts::allocate()),
        "fork" => tried(attempts::fork()),
        "count" => done(count.to_string()),
        "environment" => {
            let sorted: BTreeMap<String, String> = std::env::vars().collect();
            let lines: Vec<String> = sorted.iter().map(|(name, value)| format!("{name}={value}")).collect();
            done(lines.join("\n"))
        }
        "identity" => tried(attempts::identity()),
        "read" => tried(attempts::read(text("path"))),
        "write" => tried(attempts::write(text("path"), size("bytes"))),
        "connect" => tried(attempts::connect(text("address"))),
        "exchange" => tried(attempts::exchange(text("address"), text("text"))),
        "exchange-with-password" => tried(attempts::exchange_with_password(text("head"))),
        "hold" => tried(attempts::hold(text("address"), size("count"))),
        "refuse" => Err(r#"{"code":-32042,"message":"not today","data":{"a":1}}"#.to_owned()),
        "tell" => {
            for line in arguments["lines"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                wire::say(&line.replace("TOKEN", &token.to_string()));
                std::thread::sleep(PAUSE);
            }
            done("told".to_owned())
        }
        "ask" => done(asks::ask(arguments["requests"].as_array().map_or(&[], Vec::as_slice))),
        "level" => done(LEVEL.lock().unwrap_or_else(PoisonError::into_inner).to_string()),
        "raw" => Ok(text("text").to_owned()),
        "change-tools" => {
            CHANGED.store(true, Ordering::Relaxed);
            wire::say(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#);
            done("changed".to_owned())
        }
        _ => Ok(result(true, "there is no such tool")),
    }
}

fn result(is_error: bool, text: &str) -> String {
    json!({ "content": [{ "type": "text", "text": text }], "isError": is_error }).to_string()
}

fn print(to_stderr: &Value, line: &str) {
    if to_stderr.as_bool() == Some(true) { eprintln!("{line}") } else { wire::say(line) }
}

#[allow(
    clippy::disallowed_methods,
    reason = "a server that ends in the midst of a call is what is asked for"
)]
fn quit(code: i32) -> ! {
    eprintln!("quitting, as asked");
    std::process::exit(code)
}
