//! What a step stands on, named before the step runs. With `--only` nothing may have made it, and
//! what cargo or the system say of it (`no such command`, `No such file`) leads nowhere.

use std::path::{Path, PathBuf};

use super::Step;
use crate::process::{self, Failure, Result};
use crate::{demo, layout, setup};

/// A part that a step needs.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// A program of the toolchain.
    Component(&'static str),
    /// A program of the machine.
    Program(&'static str),
    /// The gateway.
    Gateway(PathBuf),
    /// A built guest.
    Guest(PathBuf),
}

impl Part {
    fn is_there(&self) -> Result<bool> {
        Ok(match self {
            Self::Component(program) => setup::sysroot()?.join("bin").join(program).is_file(),
            Self::Program(program) => process::found(program),
            Self::Gateway(path) | Self::Guest(path) => path.is_file(),
        })
    }

    /// What is missing, and the step that makes it.
    fn missing(&self) -> Failure {
        let (what, step) = match self {
            Self::Component(program) => (format!("the toolchain has no {program}"), Step::Prepare),
            Self::Program(program) => (format!("{program} is not in PATH"), Step::Prepare),
            Self::Gateway(path) => (format!("the gateway is not built: no {}", shown(path)), Step::Build),
            Self::Guest(path) => (format!("a guest is not built: no {}", shown(path)), Step::Guests),
        };
        Failure::new(what).hint(format!("run `cargo xtask test --only {}` first", step.name()))
    }
}

/// Fails with the first part of a step that is not there.
pub(super) fn check(step: Step) -> Result<()> {
    for part in needed(step)? {
        if !part.is_there()? {
            return Err(part.missing());
        }
    }
    Ok(())
}

fn needed(step: Step) -> Result<Vec<Part>> {
    Ok(match step {
        Step::Fmt => vec![Part::Component("rustfmt")],
        Step::Clippy => vec![Part::Component("cargo-clippy")],
        Step::Fuzz => vec![Part::Program("g++")],
        Step::Demo => {
            let gateway = Part::Gateway(layout::toolgate()?);
            std::iter::once(gateway).chain(demo::components().map(Part::Guest)).collect()
        }
        // They make or install what they need, or name it themselves.
        Step::Prepare
        | Step::Templates
        | Step::Guests
        | Step::GuestTests
        | Step::Images
        | Step::Build
        | Step::Suites
        | Step::Doc => Vec::new(),
    })
}

/// A path as a person of this repository would write it.
fn shown(path: &Path) -> String {
    path.strip_prefix(layout::root()).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::{Part, Step, needed};
    use crate::layout;

    fn told(part: &Part) -> String {
        assert!(matches!(part.is_there(), Ok(false)), "{part:?}");
        part.missing().to_string()
    }

    #[test]
    fn a_missing_part_is_told_with_the_step_that_makes_it() {
        let root = layout::root();
        let parts = [
            Part::Component("cargo-crystal"),
            Part::Program("crystal++"),
            Part::Gateway(root.join("target/none/toolgate")),
            Part::Guest(root.join("tools-wasm/target/none.wasm")),
        ];
        let expected = [
            "error: the toolchain has no cargo-crystal\nhint: run `cargo xtask test --only prepare` first",
            "error: crystal++ is not in PATH\nhint: run `cargo xtask test --only prepare` first",
            "error: the gateway is not built: no target/none/toolgate\nhint: run `cargo xtask test --only build` first",
            "error: a guest is not built: no tools-wasm/target/none.wasm\nhint: run `cargo xtask test --only guests` first",
        ];
        assert_eq!(parts.each_ref().map(told), expected);
    }

    #[test]
    fn the_demo_needs_the_gateway_and_each_tool() {
        let parts = needed(Step::Demo).unwrap();
        let guests = parts.iter().filter(|part| matches!(part, Part::Guest(_))).count();
        assert_eq!((parts.len(), guests), (4, 3));
    }
}
