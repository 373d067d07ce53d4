//! Why a call failed, from what wasmtime says: the only place that looks into its errors.
//!
//! What a guest wrote into names and messages goes to the log, so it is bounded and kept on one
//! line. None of it is shown to callers.

use wasmtime::component::ResourceTableError;
use wasmtime::{Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use super::state::MAX_GUEST_HANDLES;
use crate::limits::Limits;
use crate::sandbox::CallError;

/// Characters of one message or name. Against a guest that fills the log by naming its functions.
const MAX_TEXT: usize = 200;

/// Frames that are told, innermost first.
const MAX_FRAMES: usize = 8;

/// wasmtime's words for its own limits, which have no types. A test pins each.
const HOSTCALL_EXHAUSTED: &str = "fuel allocated for hostcalls has been exhausted";
const TOO_MANY_HANDLES: &str = "store handle limit exceeded";
const TOO_MANY: [(&str, &str); 3] = [
    ("resource limit exceeded: instance count", "instances"),
    ("resource limit exceeded: table count", "tables"),
    ("resource limit exceeded: memory count", "memories"),
];

/// The error of a call that ended with `error`. `refused` says that memory was refused to it before.
pub(super) fn call_error(error: &wasmtime::Error, refused: bool, limits: &Limits) -> CallError {
    if let Some(Trap::OutOfFuel) = error.downcast_ref() {
        let budget = limits.fuel;
        return CallError::Fuel { budget };
    }
    if let Some(limit) = limit_reached(error, limits) {
        return limit;
    }
    if refused {
        return memory("memory", limits.memory);
    }
    CallError::Trap(describe(error))
}

/// The limit that the error itself says was reached.
fn limit_reached(error: &wasmtime::Error, limits: &Limits) -> Option<CallError> {
    if let Some(ResourceTableError::Full) = error.downcast_ref() {
        return Some(memory("handles", limits.handles.into()));
    }
    let cause = error.root_cause().to_string();
    if cause.contains(TOO_MANY_HANDLES) {
        return Some(memory("handles", MAX_GUEST_HANDLES as u64));
    }
    // In a host call there are guest frames; without any, it was the result that was copied.
    if cause.contains(HOSTCALL_EXHAUSTED) && frames(error).is_empty() {
        let limit = limits.output;
        return Some(CallError::Output { limit });
    }
    let what = TOO_MANY.iter().find(|(text, _)| cause.contains(text))?.1;
    let limit = match what {
        "instances" => limits.instances,
        "tables" => limits.tables,
        _ => limits.memories,
    };
    Some(memory(what, limit.into()))
}

fn memory(what: &'static str, limit: u64) -> CallError {
    CallError::Memory { what, limit }
}

/// The cause and where in the guest it happened, on one line.
fn describe(error: &wasmtime::Error) -> String {
    let cause = match error.downcast_ref() {
        Some(I32Exit(0)) => "the guest exited before it answered".to_owned(),
        Some(I32Exit(status)) => format!("the guest exited with status {status}"),
        None => one_line(&error.root_cause().to_string()),
    };
    let frames = frames(error);
    if frames.is_empty() {
        return cause;
    }
    format!("{cause}; at {}", frames.join(" < "))
}

fn frames(error: &wasmtime::Error) -> Vec<String> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
        return Vec::new();
    };
    let name = |frame: &wasmtime::FrameInfo| match frame.func_name() {
        Some(name) => one_line(name),
        None => format!("function {}", frame.func_index()),
    };
    backtrace.frames().iter().take(MAX_FRAMES).map(name).collect()
}

fn one_line(text: &str) -> String {
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(MAX_TEXT).map(shown).collect()
}
