//! Where `cargo xtask test --only prepare` has put what others wrote.

use std::path::PathBuf;
use std::process::Command;

use e2e::guests;

/// The folder of all of it.
pub(crate) fn folder() -> PathBuf {
    let folder = guests::root().join("target/interop").canonicalize();
    folder.expect("target/interop is missing: run `cargo xtask test --only prepare`")
}

/// A program of one of the npm packages.
pub(crate) fn node_module(path: &str) -> PathBuf {
    folder().join("node_modules").join(path)
}

/// Node, which is newer than Debian's.
pub(crate) fn node() -> Command {
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    Command::new(node_module(&format!("node-linux-{arch}/bin/node")))
}

/// Python with the packages of an environment.
pub(crate) fn python(environment: &str) -> Command {
    Command::new(folder().join(environment).join("bin/python"))
}
