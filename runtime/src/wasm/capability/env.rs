//! `env`: the variables that the policy grants, and no others.
//!
//! A guest reads them through `wasi:cli/environment` or, under the same names, through
//! `wasi:config/store`. Nothing is inherited from this process. An environment without a grant is
//! empty, as it has no way to refuse; a configuration without a grant is refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, Lower};
use wasmtime_wasi::WasiCtxBuilder;

use crate::events::Denial;
use crate::wasm::state::State;

/// Bytes of a name that are repeated in a denial. Against a guest that fills the log.
const MAX_NAME: usize = 256;

/// The granted variables of one server.
#[derive(Clone, Debug, Default)]
pub(in crate::wasm) struct Env(Arc<BTreeMap<String, String>>);

impl Env {
    pub(in crate::wasm) fn prepare(granted: BTreeMap<String, String>) -> Self {
        Self(Arc::new(granted))
    }

    /// Gives the variables to a call as its environment.
    pub(in crate::wasm) fn configure(&self, wasi: &mut WasiCtxBuilder) {
        for (name, value) in &*self.0 {
            wasi.env(name, value);
        }
    }
}

/// `wasi:config/store.error`.
#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum Error {
    #[component(name = "upstream")]
    Upstream(String),
    #[component(name = "io")]
    Io(String),
}

type Answer<T> = wasmtime::Result<(Result<T, Error>,)>;

/// Links `wasi:config/store`.
pub(in crate::wasm) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut store = linker.instance("wasi:config/store@0.2.0-rc.1")?;
    store.func_wrap("get", get)?;
    store.func_wrap("get-all", get_all)
}

fn get(store: StoreContextMut<'_, State>, (name,): (String,)) -> Answer<Option<String>> {
    let state = store.data();
    if state.env.0.is_empty() {
        return Ok((Err(refuse(state, Some(&name))),));
    }
    Ok((Ok(state.env.0.get(&name).cloned()),))
}

fn get_all(store: StoreContextMut<'_, State>, (): ()) -> Answer<Vec<(String, String)>> {
    let state = store.data();
    if state.env.0.is_empty() {
        return Ok((Err(refuse(state, None)),));
    }
    let pair = |(name, value): (&String, &String)| (name.clone(), value.clone());
    Ok((Ok(state.env.0.iter().map(pair).collect()),))
}

fn refuse(state: &State, name: Option<&str>) -> Error {
    let name: String = name.unwrap_or("NAME").chars().take(MAX_NAME).collect();
    state.denials.tell(&Denial {
        capability: "env",
        attempt: format!("read the configuration `{}`", name.escape_debug()),
        reason: "no variable is granted".to_owned(),
        allow: Some(format!("env = {{ {} = \"…\" }}", key(&name))),
    });
    Error::Upstream("no configuration is granted to this tool".to_owned())
}

/// A key as TOML wants it.
fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(bare) {
        return name.to_owned();
    }
    format!("\"{}\"", name.escape_debug())
}
