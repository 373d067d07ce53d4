//! One function for each attack on a limit or a grant; `wit/misbehave.wit` names them. Each tells
//! what the guest saw, so that a test can pin it: an attack that is refused with an error returns
//! that error's text, one that ends the call returns never.

mod ambient;
mod crash;
mod exhaust;
mod files;
mod flood;
mod http;
mod memory;
mod network;

wit_bindgen::generate!({ world: "misbehave" });

use exports::toolgate::misbehave as exported;

/// What nearly every function returns.
type Seen = Result<String, String>;

struct Component;

export!(Component);

/// An error as text; for error enums without a text of their own, their name.
fn text(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}
