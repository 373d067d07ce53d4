//! Where the built guests lie.
//!
//! `cargo xtask guests` builds them; a test never builds one, so that a broken guest is one clear
//! failure and not a different one in each suite.

use std::fs;
use std::path::{Path, PathBuf};

/// A tool of `tools-wasm/`: `clock`, `fetch` or `files`.
pub fn tool(name: &str) -> PathBuf {
    built("tools-wasm", name)
}

/// A test-only guest of `tests/guests/`: `torture` or `misbehave`.
pub fn guest(name: &str) -> PathBuf {
    built("tests/guests", name)
}

/// A hand-written fixture of `tests/guests/wat/`, in binary.
///
/// # Panics
/// When there is no such fixture, or it can't be read.
pub fn wat(name: &str) -> Vec<u8> {
    let path = existing(root().join("tests/guests/wat").join(format!("{name}.wat")));
    wat::parse_file(path).unwrap_or_else(|error| panic!("{name}.wat: {error}"))
}

/// The names of all fixtures, sorted.
pub fn wats() -> Vec<String> {
    let folder = fs::read_dir(root().join("tests/guests/wat")).expect("the fixtures");
    let name = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().expect("a name");
        name.strip_suffix(".wat").map(str::to_owned)
    };
    let mut names: Vec<_> = folder.map_while(Result::ok).filter_map(name).collect();
    names.sort();
    names
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
