//! `env`: the variables that the policy grants, secret ones among them, and no others.
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
use crate::secret::Secret;
use crate::wasm::state::State;

/// Bytes of a name that are repeated in a denial. Against a guest that fills the log.
const MAX_NAME: usize = 256;

/// The granted variables of one call.
#[derive(Clone, Default)]
pub(in crate::wasm) struct Env {
    plain: Arc<BTreeMap<String, String>>,
    /// No name is among the plain ones.
    secret: Vec<(String, Secret)>,
}

impl Env {
    pub(in crate::wasm) fn prepare(granted: BTreeMap<String, String>) -> Self {
        Self { plain: Arc::new(granted), secret: Vec::new() }
    }

    /// The same variables and the secret ones of a call.
    pub(in crate::wasm) fn with(&self, secret: Vec<(String, Secret)>) -> Self {
        Self { plain: Arc::clone(&self.plain), secret }
    }

    /// Gives the variables to a call as its environment.
    pub(in crate::wasm) fn configure(&self, wasi: &mut WasiCtxBuilder) {
        for (name, value) in self.all() {
            wasi.env(name, value);
        }
    }

    fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        let plain = self.plain.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        plain.chain(self.secret.iter().map(|(name, secret)| (name.as_str(), secret.expose())))
    }

    fn get(&self, name: &str) -> Option<&str> {
        let secret = || self.secret.iter().find(|(own, _)| own == name).map(|(_, secret)| secret.expose());
        self.plain.get(name).map(String::as_str).or_else(secret)
    }

    fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.secret.is_empty()
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
    if state.env.is_empty() {
        return Ok((Err(refuse(state, Some(&name))),));
    }
    Ok((Ok(state.env.get(&name).map(str::to_owned)),))
}

fn get_all(store: StoreContextMut<'_, State>, (): ()) -> Answer<Vec<(String, String)>> {
    let state = store.data();
    if state.env.is_empty() {
        return Ok((Err(refuse(state, None)),));
    }
    let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    Ok((Ok(state.env.all().map(pair).collect()),))
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
