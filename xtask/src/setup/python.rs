//! Python packages in virtual environments of their own, below `target/`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::files::fresh_folder;
use crate::process::{self, Failure, Result};

/// A fresh virtual environment below `folder` with one package.
pub(crate) fn environment(folder: &Path, name: &str, package: &str) -> Result<PathBuf> {
    if !process::found("python3") {
        return Err(Failure::new("python3 is not installed"));
    }
    let environment = fresh_folder(folder, name)?;
    process::run(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
    let mut pip = Command::new(environment.join("bin/pip"));
    process::run(pip.args(["install", "--quiet", "--disable-pip-version-check", package]))?;
    Ok(environment)
}
