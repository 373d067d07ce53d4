//! Builds the guest workspaces as WASI components, and runs their unit tests on the host.

use std::path::Path;
use std::process::Command;

use crate::layout;
use crate::process::{self, Result};
use crate::progress::step;
use crate::setup::wasm::Toolchain;

/// Builds the tools and the test guests.
pub(crate) fn build_all(toolchain: &Toolchain) -> Result<()> {
    build(toolchain, &layout::tools())?;
    build(toolchain, &layout::test_guests())
}

/// Builds one guest workspace; the components land in [`layout::components`].
pub(crate) fn build(toolchain: &Toolchain, workspace: &Path) -> Result<()> {
    let title = format!("building the components of {}", shown(workspace));
    step(&title, || {
        let mut cargo = toolchain.cargo_build();
        cargo.args(["--release", "--workspace"]);
        process::run(in_workspace(&mut cargo, workspace))
    })
}

/// `cargo test` of one guest workspace on the host, where its pure parts can be tested.
pub(crate) fn host_tests(workspace: &Path) -> Command {
    let mut cargo = crate::setup::cargo();
    cargo.args(["test", "--workspace"]);
    in_workspace(&mut cargo, workspace);
    cargo
}

/// In that workspace, with outputs where [`layout::components`] looks.
pub(crate) fn in_workspace<'a>(cargo: &'a mut Command, workspace: &Path) -> &'a mut Command {
    cargo.arg("--target-dir").arg(workspace.join("target")).current_dir(workspace)
}

/// The workspace's path as a person of this repository would write it.
pub(crate) fn shown(workspace: &Path) -> String {
    let relative = workspace.strip_prefix(layout::root()).unwrap_or(workspace);
    relative.display().to_string()
}
