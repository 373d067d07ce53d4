//! Installs what the suites need from Debian, and names what is missing where that is impossible.

use std::process::Command;

use crate::process::{self, Failure, Result};
use crate::progress::step;

/// A program that must be there, and the Debian package that brings it.
pub(crate) struct Need {
    /// Looked for in `PATH`.
    pub(crate) program: &'static str,
    /// Debian's package.
    pub(crate) package: &'static str,
}

/// Makes every program available, installing only what is missing.
pub(crate) fn ensure(needs: &[Need]) -> Result<()> {
    let missing = missing(needs);
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
    let programs: Vec<&str> = missing.iter().map(|need| need.program).collect();
    install(&packages, &[]).map_err(|failure| {
        Failure::new(format!("missing: {}\n{failure}", programs.join(", ")))
            .hint(format!("install {} and run again", packages.join(", ")))
    })?;
    match self::missing(needs).first() {
        None => Ok(()),
        Some(need) => Err(Failure::new(format!(
            "package {} is installed, but {} is not in PATH",
            need.package, need.program
        ))),
    }
}

/// `apt-get update` and `install`, as root or through sudo; `options` go to both.
pub(crate) fn install(packages: &[&str], options: &[String]) -> Result<()> {
    if !process::found("apt-get") {
        return Err(Failure::new("this machine has no apt-get"));
    }
    step(&format!("installing {}", packages.join(", ")), || {
        process::run(apt_get().args(options).args(["-qq", "update"]))?;
        let mut apt = apt_get();
        apt.args(options);
        apt.args(["-qq", "--yes", "--no-install-recommends", "install"]);
        process::run(apt.args(packages))
    })
}

/// `apt-get` with the rights to install. Without a password at hand sudo fails rather than asks.
fn apt_get() -> Command {
    let mut command = if is_root() {
        Command::new("env")
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["--non-interactive", "env"]);
        sudo
    };
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    command
}

fn is_root() -> bool {
    process::capture(Command::new("id").arg("-u")).is_ok_and(|uid| uid.trim() == "0")
}

fn missing(needs: &[Need]) -> Vec<&Need> {
    needs.iter().filter(|need| !process::found(need.program)).collect()
}
