//! What a component may import: WASI 0.2, `wasi:config` and `toolgate:tool/client`, and nothing else.
//!
//! Everything is linked for every component, granted or not, so that a component loads whatever
//! it was granted and learns at the use what it may not do. Imports that nothing here provides
//! are refused at load, each by name and with what the operator can do about it.

use wasmtime::Engine;
use wasmtime::component::types::{ComponentInstance, ComponentItem};
use wasmtime::component::{Component, HasData, Linker, ResourceTable};
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::p2::bindings::{cli, clocks, random};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView};
use wasmtime_wasi_io::bindings::wasi::io;

use super::capability::{env, files, http, tcp};
use super::state::State;
use super::tool_world::client;

/// The interfaces linked by [`wasi`], without their versions.
const PROVIDED: [&str; 30] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:config/store",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/outgoing-handler",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

/// Links all that components may import.
///
/// # Errors
/// Only if an interface were defined twice.
pub(super) fn wasi(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    io::error::add_to_linker::<_, HasIo>(&mut linker, table)?;
    io::poll::add_to_linker::<_, HasIo>(&mut linker, table)?;
    io::streams::add_to_linker::<_, HasIo>(&mut linker, table)?;
    command(&mut linker)?;
    clocks::wall_clock::add_to_linker::<_, WasiClocks>(&mut linker, State::clocks)?;
    clocks::monotonic_clock::add_to_linker::<_, WasiClocks>(&mut linker, State::clocks)?;
    random::random::add_to_linker::<_, WasiRandom>(&mut linker, State::random)?;
    random::insecure::add_to_linker::<_, WasiRandom>(&mut linker, State::random)?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(&mut linker, State::random)?;
    env::add_to_linker(&mut linker)?;
    files::add_to_linker(&mut linker)?;
    http::add_to_linker(&mut linker)?;
    tcp::add_to_linker(&mut linker)?;
    client::add_to_linker(&mut linker)?;
    Ok(linker)
}

fn table(state: &mut State) -> &mut ResourceTable {
    &mut state.table
}

struct HasIo;

impl HasData for HasIo {
    type Data<'a> = &'a mut ResourceTable;
}

fn command(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    cli::exit::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::environment::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::stdin::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::stdout::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::stderr::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(linker, State::cli)
}

/// The names of all that `component` imports, in order.
pub(super) fn imports(component: &Component) -> Vec<String> {
    let ty = component.component_type();
    let imports = ty.imports(component.engine());
    imports.map(|(name, _)| name.to_owned()).collect()
}

/// The imports of `component` that nothing here provides, each with what can be done.
pub(super) fn unknown(component: &Component) -> Vec<String> {
    let ty = component.component_type();
    let imports = ty.imports(component.engine());
    imports
        .filter_map(|(name, item)| match item.ty {
            // Types alone need nobody who provides them.
            ComponentItem::ComponentInstance(interface) if only_types(&interface, component) => None,
            ComponentItem::ComponentInstance(_) => missing(name),
            ComponentItem::Type(_) => None,
            _ => Some(describe(name, PLUG)),
        })
        .collect()
}

/// Whether an interface is imported for its types alone, as tools do that share them with others.
fn only_types(interface: &ComponentInstance, component: &Component) -> bool {
    let mut items = interface.exports(component.engine());
    items.all(|(_, item)| matches!(item.ty, ComponentItem::Type(_)))
}

const PLUG: &str = "compose the component with one that exports it, for instance by `wac plug`";
/// What a tool of its own world may import besides.
const TOOL: &str = "toolgate:tool/client";
const REBUILD: &str = "rebuild the component for WASI 0.2, for instance for wasm32-wasip2";

fn missing(name: &str) -> Option<String> {
    let (interface, version) = name.split_once('@').unwrap_or((name, ""));
    match PROVIDED.contains(&interface) {
        true if version.starts_with("0.2.") => None,
        true => Some(describe(name, REBUILD)),
        false if interface == TOOL && version.starts_with("1.") => None,
        false => Some(describe(name, PLUG)),
    }
}

fn describe(name: &str, advice: &str) -> String {
    format!("`{name}` ({advice})")
}
