//! Where the built guests lie.
//!
//! `cargo xtask guests` builds them; a test never builds one, so that a broken guest is one clear
//! failure and not a different one in each suite.

use std::path::{Path, PathBuf};

/// A tool of `tools-wasm/`: `clock`, `fetch` or `files`.
pub fn tool(name: &str) -> PathBuf {
    built("tools-wasm", name)
}

/// A test-only guest of `tests/guests/`: `torture` or `misbehave`.
pub fn guest(name: &str) -> PathBuf {
    built("tests/guests", name)
}

/// A hand-written fixture of `tests/guests/wat/`.
pub fn wat(name: &str) -> PathBuf {
    existing(root().join("tests/guests/wat").join(format!("{name}.wat")))
}

/// The top of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").components().collect()
}

fn built(workspace: &str, name: &str) -> PathBuf {
    let file = format!("{}.wasm", name.replace('-', "_"));
    existing(root().join(workspace).join("target/wasm32-wasip2/release").join(file))
}

fn existing(path: PathBuf) -> PathBuf {
    assert!(path.is_file(), "{} is missing: run `cargo xtask guests`", path.display());
    path
}
