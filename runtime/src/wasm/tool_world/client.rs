//! `toolgate:tool/client`: what a component tells the client of its call, while it runs.
//!
//! What nobody wants to hear is dropped here; how much waits to be read is bounded where it is read.

use serde_json::value::RawValue;
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, Lower};

use crate::notice;
use crate::wasm::state::State;

/// `level`.
#[allow(dead_code, reason = "a guest makes them, as numbers")]
#[derive(ComponentType, Lift, Lower, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
enum Level {
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "notice")]
    Notice,
    #[component(name = "warning")]
    Warning,
    #[component(name = "error")]
    Error,
    #[component(name = "critical")]
    Critical,
    #[component(name = "alert")]
    Alert,
    #[component(name = "emergency")]
    Emergency,
}

/// Links the interface.
pub(in crate::wasm) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut client = linker.instance("toolgate:tool/client@1.0.0")?;
    client.func_wrap("progress", progress)?;
    client.func_wrap("log", log)
}

fn progress(
    store: StoreContextMut<'_, State>,
    (progress, total, message): (f64, Option<f64>, Option<String>),
) -> wasmtime::Result<()> {
    let Some(notices) = store.data().notices.as_ref().filter(|notices| notices.progress()) else {
        return Ok(());
    };
    // Whose progress it is, the gateway knows.
    let mut params = format!("{{\"progressToken\":0,\"progress\":{}", number(progress));
    if let Some(total) = total {
        params += &format!(",\"total\":{}", number(total));
    }
    if let Some(message) = message {
        params += &format!(",\"message\":{}", quoted(&message));
    }
    params.push('}');
    if let Ok(params) = RawValue::from_string(params) {
        notices.tell_progress(params);
    }
    Ok(())
}

fn log(
    store: StoreContextMut<'_, State>,
    (level, logger, data): (Level, Option<String>, String),
) -> wasmtime::Result<()> {
    let level = notice::Level::from(level);
    let Some(notices) = store.data().notices.as_ref().filter(|notices| notices.hears(level)) else {
        return Ok(());
    };
    let logger = logger.map_or(String::new(), |logger| format!(",\"logger\":{}", quoted(&logger)));
    let params = |data: &str| format!("{{\"level\":\"{}\"{logger},\"data\":{data}}}", level.as_str());
    let is_json = serde_json::from_str::<&RawValue>(&data).is_ok();
    let params = if is_json { params(&data) } else { params(&quoted(&data)) };
    if let Ok(params) = RawValue::from_string(params) {
        notices.tell_log(level, params);
    }
    Ok(())
}

/// As JSON has it, where there is nothing that is not a number.
fn number(value: f64) -> serde_json::Value {
    serde_json::Number::from_f64(value).map_or(0.into(), Into::into)
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl From<Level> for notice::Level {
    fn from(level: Level) -> Self {
        match level {
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Notice => Self::Notice,
            Level::Warning => Self::Warning,
            Level::Error => Self::Error,
            Level::Critical => Self::Critical,
            Level::Alert => Self::Alert,
            Level::Emergency => Self::Emergency,
        }
    }
}
