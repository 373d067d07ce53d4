//! Everything that a server of `toolgate:tool` can do, in one component: the fixtures that the official conformance
//! suite of MCP asks for, under the names that it has for them, and a list of tools known only at run time.
//!
//! To read as an example: [`contents`] answers with each kind of content, [`telling`] tells what happens meanwhile,
//! [`asking`] asks the user and the client's model, [`tasks`] goes on while nobody waits, [`documents`] has resources
//! and prompts.

mod asking;
mod contents;
mod documents;
mod samples;
mod tasks;
mod telling;

use toolgate_tool::Server;

toolgate_tool::export!(server);

fn server() -> Server {
    let server = contents::tools(Server::new());
    let server = telling::tools(server);
    let server = asking::tools(server);
    let server = tasks::tools(server);
    documents::all(server)
}

/// Of a tool or prompt that takes none.
#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Nothing {}
