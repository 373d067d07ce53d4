//! The greeting of `tests/guests/hello` in Python and JavaScript: components of 18 and 11 MB, with an
//! interpreter and its heap. Their tools come from the languages' own registries, at fixed versions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::optional::optional;
use crate::files::{fresh_folder, write};
use crate::layout;
use crate::process::{self, Failure, Result};
use crate::setup::python::environment;

const FOLDER: &str = "bench-guests";

/// From PyPI.
const COMPONENTIZE_PY: &str = "componentize-py==0.25.1";

/// From npm. Newer versions of jco did not find the WIT.
const JS_PACKAGE: &str = r#"{
  "private": true,
  "dependencies": {
    "@bytecodealliance/jco": "1.11.1",
    "@bytecodealliance/componentize-js": "0.18.1"
  },
  "overrides": { "@bytecodealliance/componentize-js": "0.18.1" }
}
"#;

/// Builds both, where their tools can be installed.
pub(super) fn build() -> Result<()> {
    optional(FOLDER, "hello-py.wasm", python)?;
    optional(FOLDER, "hello-js.wasm", javascript)
}

fn python(folder: &Path, component: &Path) -> Result<()> {
    let environment = environment(folder, "python", &[COMPONENTIZE_PY])?;
    // A copy, since the interpreter leaves its caches beside the source.
    let source = fresh_folder(folder, "python-source")?;
    let module = "hello_py.py";
    fs::copy(sources().join(module), source.join(module))
        .map_err(|e| Failure::new(format!("{module} can't be copied: {e}")))?;
    let mut tool = Command::new(environment.join("bin/componentize-py"));
    tool.arg("--wit-path").arg(wit()).args(["--world", "hello", "componentize"]);
    tool.arg("--python-path").arg(source).args(["hello_py", "--output"]).arg(component);
    process::run(&mut tool)
}

fn javascript(folder: &Path, component: &Path) -> Result<()> {
    if !process::found("npm") {
        return Err(Failure::new("npm is not installed"));
    }
    let project = fresh_folder(folder, "javascript")?;
    write(&project.join("package.json"), JS_PACKAGE)?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
    process::run(npm.current_dir(&project))?;
    let mut tool = Command::new(project.join("node_modules/.bin/jco"));
    tool.arg("componentize").arg(sources().join("hello.js")).arg("--wit").arg(wit());
    // A greeting needs no HTTP, and bare wasmtime, which calls it too, has none.
    tool.args(["--world-name", "hello", "--disable", "http", "--out"]).arg(component);
    process::run(&mut tool)
}

fn sources() -> PathBuf {
    layout::root().join("benches/guests")
}

fn wit() -> PathBuf {
    layout::test_guests().join("hello/wit/hello.wit")
}
