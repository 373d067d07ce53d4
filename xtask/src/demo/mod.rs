//! The whole product in one command: build the tools, publish them into a registry, serve them from
//! it, call each once over MCP, and stay up for whoever wants to connect.
//!
//! Everything it makes lies under `target/demo/`. The steps are those of an operator and go through
//! the `toolgate` binary alone. The gateway runs with what its config grants and nothing else: the
//! demo's web page is reachable because it is named, other loopback ports are not.

mod calls;
mod connections;
mod gateway;
mod listing;
pub(crate) mod live;
mod mcp;
mod page;
pub(crate) mod readme;
mod signals;
mod site;

use std::path::Path;

use crate::process::{self, Failure, Result};
use crate::progress::step;
use crate::{guests, layout, setup};

use gateway::Gateway;
use page::Page;
use site::Site;

pub(crate) use site::components;

/// The port of the demo's gateway, so that a client that was connected once stays connected.
const PORT: u16 = 8080;

/// How the demo runs.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// End after the calls; succeeds only if every one gave the expected result.
    #[arg(long)]
    pub(crate) once: bool,
    /// Take tools and gateway as they were built last.
    #[arg(long)]
    pub(crate) built: bool,
    /// Port to serve on; 0 takes any free one. Default: 8080, with --once any free one.
    #[arg(long, value_name = "N")]
    pub(crate) port: Option<u16>,
}

/// `cargo xtask demo`.
pub(crate) fn run(options: &Options) -> Result<()> {
    if !options.built {
        build()?;
    }
    play(&layout::toolgate()?, options)
}

fn build() -> Result<()> {
    let toolchain = setup::wasm::ensure()?;
    guests::build(&toolchain, &layout::tools())?;
    step("building the gateway", || process::run(setup::cargo().args(["build", "--package", "toolgate"])))
}

/// The demo once everything is built.
pub(crate) fn play(toolgate: &Path, options: &Options) -> Result<()> {
    let page = Page::serve()?;
    let site = Site::new(layout::demo(), toolgate)?;
    let port = options.port.unwrap_or(if options.once { 0 } else { PORT });
    site.configure(port, &page)?;
    step("publishing the tools into an OCI layout", || site.publish())?;
    signals::count();
    let mut gateway = step("starting the gateway from it", || Gateway::start(&site))?;
    let outcome = call_all(&gateway, &page);
    if options.once {
        return outcome;
    }
    // An unexpected result is shown, but the visitor may still look around.
    if let Err(failure) = outcome {
        eprintln!("{failure}");
    }
    println!("{}", connections::connections(&gateway.url()));
    gateway.wait()
}

fn call_all(gateway: &Gateway, page: &Page) -> Result<()> {
    let calls = calls::all(page);
    let answers = mcp::Client::new(gateway.address()).call_each(&calls)?;
    println!("\n{}", listing::listing(&answers));
    let wrong: Vec<String> = answers.iter().filter_map(calls::Answer::fault).collect();
    if wrong.is_empty() {
        println!("{} tools called, every result as expected.", answers.len());
        return Ok(());
    }
    Err(Failure::new(format!(
        "{} of {} calls went wrong:\n  {}",
        wrong.len(),
        answers.len(),
        wrong.join("\n  ")
    )))
}
