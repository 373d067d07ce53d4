//! What of a task is told: as it is begun, and as it is asked for (extension `io.modelcontextprotocol/tasks`,
//! `CreateTaskResult` and `DetailedTask`).

use std::time::{Duration, SystemTime};

use chrono::{DateTime, SecondsFormat, Utc};

use super::task::{Status, Task, Told};
use crate::json::{raw, string};
use crate::mcp::SERVER_INFO;

/// How often a client is to ask, milliseconds.
const POLL: u64 = 500;

/// The result of the call that began it.
pub(super) fn created(task: &Task) -> Vec<u8> {
    let mut out = br#"{"resultType":"task""#.to_vec();
    let Told { updated, ttl, .. } = task.told();
    members(&mut out, task, "working", (updated, ttl));
    end(out)
}

/// All of it.
pub(super) fn detailed(task: &Task) -> Vec<u8> {
    let Told { status, updated, ttl } = task.told();
    let name = match &status {
        Status::Working => "working",
        // All is answered, and it is about to go on.
        Status::InputRequired(inputs) if inputs.pending.is_empty() => "working",
        Status::InputRequired(_) => "input_required",
        Status::Completed(_) => "completed",
        Status::Failed(_) => "failed",
        Status::Cancelled => "cancelled",
    };
    let mut out = br#"{"resultType":"complete""#.to_vec();
    members(&mut out, task, name, (updated, ttl));
    match status {
        Status::Working | Status::Cancelled => {}
        Status::InputRequired(inputs) if inputs.pending.is_empty() => {}
        Status::InputRequired(inputs) => {
            raw(&mut out, ",\"inputRequests\":{");
            for (index, input) in inputs.pending.iter().enumerate() {
                raw(&mut out, if index == 0 { "" } else { "," });
                string(&mut out, &input.shown);
                raw(&mut out, ":");
                raw(&mut out, input.request.get());
            }
            raw(&mut out, "}");
        }
        Status::Completed(result) => {
            raw(&mut out, ",\"result\":");
            out.extend_from_slice(&result);
        }
        Status::Failed(error) => {
            raw(&mut out, ",\"error\":");
            out.extend_from_slice(&error);
        }
    }
    end(out)
}

/// The result of whatever is only taken note of.
pub(super) fn acknowledged() -> Vec<u8> {
    end(br#"{"resultType":"complete""#.to_vec())
}

fn members(out: &mut Vec<u8>, task: &Task, status: &str, (updated, ttl): (SystemTime, Duration)) {
    let (created, updated, ttl) = (time(task.created), time(updated), ttl.as_millis());
    raw(
        out,
        &format!(
            r#","taskId":"{}","status":"{status}","createdAt":"{created}","lastUpdatedAt":"{updated}","ttlMs":{ttl},"pollIntervalMs":{POLL}"#,
            task.id()
        ),
    );
}

fn end(mut out: Vec<u8>) -> Vec<u8> {
    raw(&mut out, &format!(r#","_meta":{{"io.modelcontextprotocol/serverInfo":{SERVER_INFO}}}}}"#));
    out
}

/// ISO 8601, milliseconds, UTC.
fn time(time: SystemTime) -> String {
    DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Millis, true)
}
