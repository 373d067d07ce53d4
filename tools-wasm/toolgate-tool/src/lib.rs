//! Tools that need more than values, as a WASI component: images, audio, resources, prompts, progress, log
//! messages, questions to the user, and a list of tools known only at run time.
//!
//! ```
//! use schemars::JsonSchema;
//! use serde::Deserialize;
//! use toolgate_tool::{Call, Server, Tool};
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Greet {
//!     /// Whom to greet
//!     name: String,
//! }
//!
//! fn server() -> Server {
//!     Server::new().tool(Tool::new("greet", "Says hello."), |greet: Greet, call: &Call| {
//!         call.progress(1.0, Some(2.0), None);
//!         Ok(format!("Hello, {}!", greet.name).into())
//!     })
//! }
//!
//! toolgate_tool::export!(server);
//! ```
//!
//! Of a plain function whose arguments and result are values, nothing of this is needed: any exported function is
//! a tool as it is. This is `toolgate:tool@1.0.0`, whose WIT says what passes between component and gateway.

mod answer;
mod call;
mod content;
mod export;
mod server;

pub use answer::{Answer, Failure, Questions, Reply};
pub use call::{Call, Level};
pub use content::Content;
pub use server::{Prompt, Resource, Server, Template, Tool};

#[doc(hidden)]
pub use export::{Serve, bindings};

/// The shape of a value, for schemas that are written by hand.
pub use serde_json::{Value, json};
