//! What must be on the machine before anything can be built or tested.

pub(crate) mod apt;
pub(crate) mod clients;
pub(crate) mod debian;
pub(crate) mod engine;
pub(crate) mod images;
pub(crate) mod python;
pub(crate) mod templates;
pub(crate) mod wasm;

use std::path::PathBuf;
use std::process::Command;

use crate::process::{self, Failure, Result};

/// What `cargo run` tells a program about its own package. Build scripts of dependencies look at some of
/// it and would run again, and everything that stands on them be compiled again, whenever a person and
/// we take turns.
const OF_THIS_PACKAGE: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];

/// The cargo that started us, so that every build uses the same toolchain.
pub(crate) fn cargo() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(crate::layout::root());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if OF_THIS_PACKAGE.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command
}

/// Where the running toolchain keeps its libraries and tools.
pub(crate) fn sysroot() -> Result<PathBuf> {
    let sysroot = process::capture(rustc().args(["--print", "sysroot"]))?;
    Ok(PathBuf::from(sysroot.trim()))
}

/// The running toolchain's host triple.
pub(crate) fn host() -> Result<String> {
    let version = process::capture(rustc().arg("-vV"))?;
    version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .ok_or_else(|| Failure::new("`rustc -vV` names no host"))
}

fn rustc() -> Command {
    let mut command = Command::new("rustc");
    command.current_dir(crate::layout::root());
    command
}

/// Makes these components of the toolchain available, as rust-toolchain.toml asks for them: under
/// `RUSTUP_AUTO_INSTALL=0` nobody else adds them.
pub(crate) fn components(names: &[&str]) -> Result<()> {
    let programs = names.iter().map(|name| match *name {
        "clippy" => "cargo-clippy",
        other => other,
    });
    let bin = sysroot()?.join("bin");
    if programs.into_iter().all(|program| bin.join(program).is_file()) {
        return Ok(());
    }
    process::run(Command::new("rustup").args(["component", "add"]).args(names))
}
