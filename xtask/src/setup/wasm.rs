//! A toolchain that builds WASI components: rustup's target, or Debian's compiler where rustup's
//! server is out of reach.
//!
//! `TOOLGATE_WASM_TOOLCHAIN=rustup` or `=debian` forces one of the two.

use std::process::Command;

use super::debian::Debian;
use crate::layout::WASM_TARGET;
use crate::process::{self, Failure, Result};
use crate::progress::step;

const FORCE: &str = "TOOLGATE_WASM_TOOLCHAIN";

/// What builds the guests.
pub(crate) enum Toolchain {
    /// The running toolchain, which has the target.
    Installed,
    /// Debian's compiler, which builds the standard library along.
    Debian(Debian),
}

impl Toolchain {
    /// `cargo build` for the wasm target.
    pub(crate) fn cargo_build(&self) -> Command {
        match self {
            Self::Installed => installed("build"),
            Self::Debian(debian) => debian.cargo_build(),
        }
    }

    /// `cargo clippy` for the wasm target. Each compiler has a clippy of its own: no other can read
    /// the standard library that it made.
    pub(crate) fn cargo_clippy(&self) -> Result<Command> {
        match self {
            Self::Installed => Ok(installed("clippy")),
            Self::Debian(debian) => debian.cargo_clippy(),
        }
    }
}

fn installed(subcommand: &str) -> Command {
    let mut cargo = super::cargo();
    cargo.args([subcommand, "--target", WASM_TARGET]);
    cargo
}

/// Finds or installs a toolchain for the guests.
pub(crate) fn ensure() -> Result<Toolchain> {
    match std::env::var(FORCE).as_deref() {
        Ok("debian") => Debian::ensure().map(Toolchain::Debian),
        Ok("rustup") => installed_or_added(),
        Ok(other) => Err(Failure::new(format!("{FORCE}={other} is unknown"))
            .hint(format!("{FORCE} is `rustup`, `debian` or unset"))),
        Err(_) => installed_or_added().or_else(|rustup| {
            eprintln!("{rustup}\nFalling back to Debian's compiler for {WASM_TARGET}.");
            Debian::ensure().map(Toolchain::Debian).map_err(|debian| {
                Failure::new(format!("no toolchain for {WASM_TARGET}: {rustup}\n{debian}"))
                    .hint(format!("`rustup target add {WASM_TARGET}` must succeed once"))
            })
        }),
    }
}

fn installed_or_added() -> Result<Toolchain> {
    if has_target()? {
        return Ok(Toolchain::Installed);
    }
    step(&format!("adding the target {WASM_TARGET}"), || {
        // Called explicitly: rust-toolchain.toml adds nothing under RUSTUP_AUTO_INSTALL=0.
        process::run(Command::new("rustup").args(["target", "add", WASM_TARGET]))
    })?;
    Ok(Toolchain::Installed)
}

/// Looks at the sysroot instead of asking rustup, so that a toolchain without rustup works too.
fn has_target() -> Result<bool> {
    let libraries = super::sysroot()?.join("lib/rustlib").join(WASM_TARGET);
    Ok(libraries.join("lib").is_dir())
}
