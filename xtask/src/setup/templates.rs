//! The templates of `deploy/`, checked by cfn-lint, which knows what CloudFormation takes.

use std::process::Command;

use super::python;
use crate::layout;
use crate::process::{self, Result};

/// From PyPI. Its rules follow AWS, so another version may find other faults.
const CFN_LINT: &str = "cfn-lint==1.51.0";

/// Below `target/`.
const FOLDER: &str = "cfn-lint-1.51.0";

/// One template for each way.
const TEMPLATES: [&str; 2] = ["fargate", "ec2-docker"];

/// Installs the linter where it is missing, and fails on what it finds.
pub(crate) fn check() -> Result<()> {
    let target = layout::root().join("target");
    let installed = target.join(FOLDER);
    let linter = installed.join("bin/cfn-lint");
    if !linter.is_file() {
        python::environment(&target, FOLDER, &[CFN_LINT])?;
    }
    let template = |name| layout::root().join("deploy").join(name).join("template.yaml");
    process::run(Command::new(linter).arg("--").args(TEMPLATES.map(template)))
}
