//! Python packages in virtual environments of their own, below `target/`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::files::fresh_folder;
use crate::process::{self, Failure, Result};

/// A fresh virtual environment below `folder` with these packages.
pub(crate) fn environment(folder: &Path, name: &str, packages: &[&str]) -> Result<PathBuf> {
    if !process::found("python3") {
        return Err(Failure::new("python3 is not installed"));
    }
    let environment = fresh_folder(folder, name)?;
    process::run(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
    let mut pip = Command::new(environment.join("bin/pip"));
    process::run(pip.args(["install", "--quiet", "--disable-pip-version-check"]).args(packages))?;
    Ok(environment)
}
