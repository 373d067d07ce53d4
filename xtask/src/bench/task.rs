//! The gateway's image, of today's release build, for what is measured in a container as small as a task.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::optional::optional;
use super::peers::has_engine;
use crate::files::{fresh_folder, write};
use crate::layout;
use crate::process::{self, Failure, Result};
use crate::setup::images;

/// As the benchmark calls it.
const IMAGE: &str = "toolgate-bench:gateway";

/// What copies the binary and its libraries; of the image that is made nothing comes from it.
const BASE: &str = "toolgate-test:servers";

/// Makes it where there is an engine, anew each time: the build is another.
pub(super) fn image() -> Result<()> {
    drop(fs::remove_file(layout::root().join("target/bench-peers/gateway-image")));
    optional("bench-peers", "gateway-image", make)
}

fn make(folder: &Path, file: &Path) -> Result<()> {
    if !has_engine() {
        return Err(Failure::new("no engine"));
    }
    images::ensure()?;
    let context = fresh_folder(folder, "gateway-image-context")?;
    let binary = layout::release_binaries()?.join("toolgate");
    fs::copy(&binary, context.join("toolgate"))
        .map_err(|e| Failure::new(format!("{}: {e}", binary.display())))?;
    let mut build = Command::new("docker");
    // The builder that every engine and client has; the other needs a plugin.
    build.env("DOCKER_BUILDKIT", "0").args(["build", "--quiet", "--force-rm", "--tag", IMAGE]);
    build.arg("--file").arg(layout::root().join("deploy/Dockerfile"));
    build.args(["--build-arg", &format!("RUST={BASE}"), "--build-arg", "PREBUILT=toolgate"]);
    process::run(build.arg(&context).stdout(Stdio::null()))?;
    write(file, IMAGE)
}
