//! The steps of `cargo xtask test`, in order: what makes the rest possible comes first, then what
//! fails fastest.

use std::path::Path;
use std::process::Command;

use clap::ValueEnum;

use super::{Counts, parts, suites};
use crate::process::{self, Result};
use crate::progress::step;
use crate::setup::apt::{self, Need};
use crate::setup::engine::Engine;
use crate::setup::{clients, images, templates, wasm};
use crate::{demo, fuzz, guests, layout, setup};

/// What the suites run besides our own build.
const NEEDS: [Need; 12] = [
    Need { program: "npm", package: "npm" },
    Need { program: "docker-registry", package: "docker-registry" },
    Need { program: "htpasswd", package: "apache2-utils" },
    Need { program: "skopeo", package: "skopeo" },
    Need { program: "g++", package: "g++" },
    Need { program: "strip", package: "binutils" },
    Need { program: "openssl", package: "openssl" },
    Need { program: "podman", package: "podman" },
    Need { program: "crun", package: "crun" },
    Need { program: "catatonit", package: "catatonit" },
    Need { program: "/usr/lib/podman/netavark", package: "netavark" },
    // What must not be asked is there.
    Need { program: "/usr/lib/podman/aardvark-dns", package: "aardvark-dns" },
];

/// Test binaries of the workspace that must have tests, by the names of their crates and of the files
/// in `tests/`. An empty one is reported as `ok` by cargo, and one that is gone not at all.
const REQUIRED: [&str; 13] = [
    "benches",
    "cli",
    "deploy",
    "docker",
    "escape",
    "fuzz",
    "interop",
    "reference",
    "serving",
    "suites",
    "toolgate",
    "toolgate_runtime",
    "xtask",
];

/// How clippy is called everywhere.
const LINT: [&str; 4] = ["--workspace", "--locked", "--", "-Dwarnings"];

/// One part of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// Install what the suites need, and the wasm target.
    Prepare,
    /// rustfmt in all workspaces.
    Fmt,
    /// cfn-lint on the templates of `deploy/`.
    Templates,
    /// Build the guests.
    Guests,
    /// Unit tests of the guest tools, on the host.
    GuestTests,
    /// Make the images that the suites run, in a Docker engine.
    Images,
    /// Build the workspace.
    Build,
    /// All tests of the workspace.
    Suites,
    /// The demo, with its results checked.
    Demo,
    /// Fuzz targets, for a short while on the kept corpus.
    Fuzz,
    /// clippy in all workspaces.
    Clippy,
    /// rustdoc, with its links checked.
    Doc,
}

impl Step {
    /// The chosen steps in their order; all without a choice.
    pub(crate) fn all(only: &[Self]) -> Vec<Self> {
        let steps = Self::value_variants().iter().copied();
        steps.filter(|step| only.is_empty() || only.contains(step)).collect()
    }

    /// As `--only` takes it.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// As people read it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Prepare => "preparing the machine",
            Self::Fmt => "checking the format",
            Self::Templates => "checking the templates",
            Self::Guests => "building the guests",
            Self::GuestTests => "testing the guest tools on the host",
            Self::Images => "making the images",
            Self::Build => "building the workspace",
            Self::Suites => "testing the workspace",
            Self::Demo => "running the demo",
            Self::Fuzz => "fuzzing",
            Self::Clippy => "linting",
            Self::Doc => "building the docs",
        }
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Result<Counts> {
        parts::check(self)?;
        match self {
            Self::Prepare => prepare().map(|()| Counts::PASSED),
            Self::Fmt => each_workspace(|workspace| cargo_in(workspace, &["fmt", "--all", "--check"])),
            Self::Templates => templates::check().map(|()| Counts::PASSED),
            Self::Guests => {
                guests::build_all(&wasm::ensure()?)?;
                Ok(Counts::PASSED)
            }
            Self::GuestTests => suites::run(
                &mut guests::host_tests(&layout::tools()),
                &["clock", "fetch", "files", "toolgate_tool"],
            ),
            Self::Images => {
                let _engine = Engine::ensure()?;
                images::ensure()?;
                Ok(Counts::PASSED)
            }
            // All targets at once: later steps find every dependency built with the features of
            // this one resolution.
            Self::Build => check(setup::cargo().args(["build", "--workspace", "--all-targets", "--locked"])),
            Self::Suites => {
                let _engine = Engine::ensure()?;
                let mut cargo = setup::cargo();
                cargo.args(["test", "--workspace", "--no-fail-fast", "--locked"]);
                let counts = suites::run(&mut cargo, &REQUIRED)?;
                images::forget_containers()?;
                Ok(counts)
            }
            Self::Demo => demo(),
            Self::Fuzz => fuzz::run_all(fuzz::SECONDS),
            Self::Clippy => clippy(),
            Self::Doc => check(
                setup::cargo()
                    .args(["doc", "--workspace", "--no-deps", "--locked"])
                    .env("RUSTDOCFLAGS", "-Dwarnings"),
            ),
        }
    }
}

fn prepare() -> Result<()> {
    apt::ensure(&NEEDS)?;
    setup::components(&["clippy", "rustfmt"])?;
    step("installing the clients of others", clients::ensure)?;
    wasm::ensure().map(drop)
}

/// The demo's calls, the README's config on what the demo has published, and the demo until Ctrl-C.
/// Each stands on what the one before has left.
fn demo() -> Result<Counts> {
    let toolgate = layout::toolgate()?;
    demo::play(&toolgate, &demo::Options { once: true, built: true, port: None })?;
    step("checking the config of the README", || demo::readme::check(&toolgate))?;
    step("running the demo until Ctrl-C", demo::live::check)?;
    Ok(Counts { passed: 3, failed: 0 })
}

/// What runs on the host and the host side of the tools, then all guests as they are built, for wasm.
fn clippy() -> Result<Counts> {
    let mut counts = Counts::default();
    for workspace in [layout::root().to_owned(), layout::tools(), layout::test_images()] {
        let mut cargo = cargo_in(&workspace, &["clippy", "--all-targets"]);
        counts.add(one(cargo.args(LINT)));
    }
    let toolchain = wasm::ensure()?;
    for workspace in [layout::tools(), layout::test_guests()] {
        let mut cargo = toolchain.cargo_clippy()?;
        counts.add(one(guests::in_workspace(&mut cargo, &workspace).args(LINT)));
    }
    Ok(counts)
}

fn each_workspace(command: impl Fn(&Path) -> Command) -> Result<Counts> {
    let mut counts = Counts::default();
    let hosts = [layout::root().to_owned(), layout::test_images()];
    for workspace in hosts.into_iter().chain([layout::tools(), layout::test_guests()]) {
        counts.add(one(&mut command(&workspace)));
    }
    Ok(counts)
}

/// One check among several; the others run even if it fails.
fn one(command: &mut Command) -> Counts {
    match process::run(command) {
        Ok(()) => Counts::PASSED,
        Err(failure) => {
            eprintln!("{failure}");
            Counts::FAILED
        }
    }
}

fn cargo_in(workspace: &Path, args: &[&str]) -> Command {
    let mut cargo = setup::cargo();
    cargo.args(args).current_dir(workspace);
    cargo
}

fn check(command: &mut Command) -> Result<Counts> {
    process::run(command)?;
    Ok(Counts::PASSED)
}
