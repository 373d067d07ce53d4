//! Debian's compiler and libc for `wasm32-wasip2`, for machines that reach Debian but not rustup.
//!
//! `rustc-web` ships no standard library for the target, so the build makes one from
//! `rust-web-src` (`-Zbuild-std`, unlocked by `RUSTC_BOOTSTRAP`). `wasi-libc` with a preview-2
//! sysroot is only in backports, and the linker that wraps a module as a component comes with every
//! rustup toolchain as part of the host's tools.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::apt;
use crate::layout::WASM_TARGET;
use crate::process::{self, Failure, Result};
use crate::progress::step;

const CARGO: &str = "/usr/bin/cargo";
const RUSTC: &str = "/usr/bin/rustc";
const CLIPPY: &str = "/usr/bin/cargo-clippy";
/// Where `wasi-libc` of backports puts the preview-2 libc.
const LIBC: &str = "/usr/lib/wasm32-wasip2";

/// Debian's toolchain, found complete.
pub(crate) struct Debian {
    /// Of the rustup toolchain: `wasm-component-ld`.
    linker: PathBuf,
    /// Of the rustup toolchain: the folder of `wasm-ld`, which the linker calls.
    lld: PathBuf,
}

impl Debian {
    /// Installs what is missing and checks that all parts are there.
    pub(crate) fn ensure() -> Result<Self> {
        if !Path::new(RUSTC).is_file() || !Path::new(CARGO).is_file() {
            apt::install(&["rustc-web", "cargo-web", "rust-web-src"], &[])?;
        }
        if !Path::new(LIBC).join("libc.a").is_file() {
            install_libc()?;
        }
        let tools = super::sysroot()?.join("lib/rustlib").join(super::host()?).join("bin");
        let debian = Self { linker: tools.join("wasm-component-ld"), lld: tools.join("gcc-ld") };
        debian.check()
    }

    /// `cargo build` for the wasm target, with a standard library built along.
    pub(crate) fn cargo_build(&self) -> Command {
        self.cargo(CARGO, "build")
    }

    /// `cargo clippy` likewise, installed if it is missing: only who lints needs it.
    pub(crate) fn cargo_clippy(&self) -> Result<Command> {
        if !Path::new(CLIPPY).is_file() {
            apt::install(&["rust-web-clippy"], &[])?;
        }
        Ok(self.clippy())
    }

    /// Called by its path, for cargo would find the one of rustup first; it calls cargo in turn.
    fn clippy(&self) -> Command {
        let mut clippy = self.cargo(CLIPPY, "clippy");
        clippy.env("CARGO", CARGO);
        clippy
    }

    fn cargo(&self, program: &str, subcommand: &str) -> Command {
        let mut cargo = Command::new(program);
        cargo.args([subcommand, "--target", WASM_TARGET, "-Zbuild-std=std,panic_abort"]);
        // What rustup's cargo told its children would lead Debian's back to rustup's compiler.
        for inherited in ["CARGO", "RUSTUP_TOOLCHAIN", "RUSTC_WORKSPACE_WRAPPER", "RUSTFLAGS"] {
            cargo.env_remove(inherited);
        }
        cargo
            .env("RUSTC", RUSTC)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_WASM32_WASIP2_LINKER", &self.linker)
            .env("CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS", format!("-Clink-self-contained=no -Lnative={LIBC}"))
            .env("PATH", self.path());
        cargo
    }

    /// `PATH` with rustup's `wasm-ld` in front.
    fn path(&self) -> std::ffi::OsString {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(self.lld.clone()).chain(std::env::split_paths(&path));
        std::env::join_paths(folders).unwrap_or(path)
    }

    fn check(self) -> Result<Self> {
        let libc = Path::new(LIBC).join("libc.a");
        let parts = [Path::new(RUSTC), Path::new(CARGO), &libc, &self.linker];
        if let Some(part) = parts.into_iter().find(|part| !part.is_file()) {
            return Err(Failure::new(format!("{} is missing", part.display())));
        }
        Ok(self)
    }
}

/// Installs `wasi-libc` from backports through a source list of our own, for this one command: the
/// machine's sources stay as they are.
fn install_libc() -> Result<()> {
    let Release { codename, mirror } = release()?;
    let folder = crate::layout::root().join("target/xtask/backports");
    step("adding the backports list for this command only", || {
        write_list(&folder, &format!("deb {mirror} {codename}-backports main\n"))
    })?;
    let options = [
        "-o".to_owned(),
        format!("Dir::Etc::SourceParts={}", folder.display()),
        "--target-release".to_owned(),
        format!("{codename}-backports"),
        // Otherwise the update would drop the lists of all other sources.
        "-o".to_owned(),
        "APT::Get::List-Cleanup=0".to_owned(),
    ];
    apt::install(&["wasi-libc"], &options)
}

/// The Debian release that apt installs from.
pub(crate) struct Release {
    /// Its code name.
    pub(crate) codename: String,
    /// Where its packages are.
    pub(crate) mirror: String,
}

/// Asks apt.
pub(crate) fn release() -> Result<Release> {
    let targets = process::capture(Command::new("apt-get").args([
        "indextargets",
        "--format",
        "$(ORIGIN) $(CODENAME) $(REPO_URI)",
        "Created-By: Packages",
    ]))?;
    let (codename, mirror) =
        base_release(&targets).ok_or_else(|| Failure::new("apt knows no Debian release"))?;
    Ok(Release { codename: codename.to_owned(), mirror: mirror.to_owned() })
}

/// The code name and mirror of the Debian release itself, not of its updates.
fn base_release(targets: &str) -> Option<(&str, &str)> {
    targets.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let (origin, codename, mirror) = (words.next()?, words.next()?, words.next()?);
        (origin == "Debian" && !codename.contains('-')).then_some((codename, mirror))
    })
}

fn write_list(folder: &Path, line: &str) -> Result<()> {
    let written =
        std::fs::create_dir_all(folder).and_then(|()| std::fs::write(folder.join("backports.list"), line));
    written.map_err(|e| Failure::new(format!("{}: {e}", folder.display())))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::process::Command;

    use super::{Debian, base_release};
    use crate::process;

    const ENVIRONMENT: &str = "\
CARGO_TARGET_WASM32_WASIP2_LINKER=/rustup/bin/wasm-component-ld
CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS=-Clink-self-contained=no -Lnative=/usr/lib/wasm32-wasip2
RUSTC=/usr/bin/rustc
RUSTC_BOOTSTRAP=1
without CARGO
without RUSTC_WORKSPACE_WRAPPER
without RUSTFLAGS
without RUSTUP_TOOLCHAIN
";

    fn debian() -> Debian {
        let tools = PathBuf::from("/rustup/bin");
        Debian { linker: tools.join("wasm-component-ld"), lld: tools.join("gcc-ld") }
    }

    /// All that is set for a command but `PATH`, a line each.
    fn environment(command: &Command) -> String {
        let mut lines: Vec<String> = command
            .get_envs()
            .map(|(name, value)| (name.display(), value.map(|value| value.display())))
            .map(|(name, value)| match value {
                Some(value) => format!("{name}={value}\n"),
                None => format!("without {name}\n"),
            })
            .filter(|line| !line.starts_with("PATH="))
            .collect();
        lines.sort_by_key(|line| (line.starts_with("without"), line.clone()));
        lines.concat()
    }

    #[test]
    fn debians_cargo_builds_the_standard_library_along() {
        let build = debian().cargo_build();
        let expected = "/usr/bin/cargo build --target wasm32-wasip2 -Zbuild-std=std,panic_abort";
        assert_eq!(process::display(&build), expected);
        assert_eq!(environment(&build), ENVIRONMENT);
    }

    #[test]
    fn debians_clippy_calls_debians_cargo() {
        let clippy = debian().clippy();
        let expected = "/usr/bin/cargo-clippy clippy --target wasm32-wasip2 -Zbuild-std=std,panic_abort";
        assert_eq!(process::display(&clippy), expected);
        let unset = ENVIRONMENT.replace("without CARGO\n", "");
        assert_eq!(environment(&clippy), format!("CARGO=/usr/bin/cargo\n{unset}"));
    }

    #[test]
    fn the_linker_finds_the_lld_of_rustup_first() {
        let build = debian().cargo_build();
        let path = build.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, value)| value);
        let first = path.and_then(|path| std::env::split_paths(path).next());
        assert_eq!(first, Some(PathBuf::from("/rustup/bin/gcc-ld")));
    }

    #[test]
    fn a_part_that_is_missing_is_named() {
        let failure = debian().check().err().map(|failure| failure.to_string());
        // On a machine with Debian's compiler, the linker of the test is what is missing.
        let expected = [
            "/usr/bin/rustc",
            "/usr/bin/cargo",
            "/usr/lib/wasm32-wasip2/libc.a",
            "/rustup/bin/wasm-component-ld",
        ];
        assert!(
            expected.iter().any(|part| failure == Some(format!("error: {part} is missing"))),
            "{failure:?}"
        );
    }

    #[test]
    fn backports_come_from_the_mirror_of_the_release_itself() {
        let targets = "nodesource nodistro https://node.test/\n\
                       Debian bookworm-updates http://mirror.test/debian/\n\
                       Debian bookworm http://mirror.test/debian/\n";
        assert_eq!(base_release(targets), Some(("bookworm", "http://mirror.test/debian/")));
    }

    #[test]
    fn a_machine_without_a_debian_release_has_no_backports() {
        assert_eq!(base_release("Ubuntu noble http://mirror.test/\n"), None);
    }
}
