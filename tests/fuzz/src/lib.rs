//! What each fuzz target does with its bytes, and a test that replays the kept corpus.
//!
//! A target feeds a parser what an outsider could send and asserts what must hold of the answer
//! whatever the input was; a panic is a finding. It tells what the input got to, by which the test
//! knows that no seed ends before the code that it was written for. The binaries that libFuzzer
//! drives are one line each, so plain `cargo test` runs the same code on the corpus without a C++
//! compiler. `cargo xtask fuzz` builds and runs them.

mod config;
mod envelope;
mod peer;
mod policy;
mod reply;

pub use config::config;
pub use envelope::envelope;
pub use peer::peer;
pub use policy::policy;
pub use reply::reply;
pub use toolgate_runtime::wit::fuzz::round_trip as wit;

/// What an input got to, in the order of the run. Empty if nothing could be made of it.
pub type Reached = Vec<&'static str>;

#[cfg(test)]
mod corpus;
