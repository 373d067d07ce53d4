//! Bare wasmtime with one instance that is called again and again: what a call costs where nothing
//! is fresh, which is the most that any reuse of instances could gain.
//!
//! It is metered by fuel, as the gateway's guests are; all else is wasmtime as it comes.

use wasmtime::component::{Component, Linker, ResourceTable, TypedFunc};
use wasmtime::{Config, Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::fixture::Guest;

/// A running instance of `hello`, in any language.
pub struct Live {
    store: Store<State>,
    greet: TypedFunc<(String,), (String,)>,
}

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl Live {
    /// Compiles and instantiates.
    pub async fn start(guest: &Guest) -> Self {
        let engine = engine();
        let component = Component::from_file(&engine, guest.path()).expect("a component");
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).expect("WASI");
        let state = State { wasi: WasiCtx::builder().build(), table: ResourceTable::new() };
        let mut store = Store::new(&engine, state);
        store.set_fuel(u64::MAX).expect("an engine that meters fuel");
        let instance = linker.instantiate_async(&mut store, &component).await.expect("an instance");
        let greet = instance.get_typed_func(&mut store, "greet").expect("its function");
        Self { store, greet }
    }

    /// One call.
    pub async fn call(&mut self) -> String {
        let (greeting,) =
            self.greet.call_async(&mut self.store, ("Ada".to_owned(),)).await.expect("a greeting");
        greeting
    }
}

fn engine() -> Engine {
    let mut config = Config::new();
    config.consume_fuel(true).concurrency_support(false);
    Engine::new(&config).expect("an engine")
}
