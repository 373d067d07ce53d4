//! Where things are: the only file that knows paths of the repository.

use std::path::{Path, PathBuf};

use crate::process::{Failure, Result};

/// The triple that guests are built for.
pub(crate) const WASM_TARGET: &str = "wasm32-wasip2";

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// The workspace of the guest tools.
pub(crate) fn tools() -> PathBuf {
    root().join("tools-wasm")
}

/// The workspace of the guests that only tests use.
pub(crate) fn test_guests() -> PathBuf {
    root().join("tests/guests")
}

/// The workspace of the programs that only tests run as container images.
pub(crate) fn test_images() -> PathBuf {
    root().join("tests/images")
}

/// Where a guest workspace puts its finished components. Fixed, whatever `CARGO_TARGET_DIR` says,
/// because the suites look here.
pub(crate) fn components(workspace: &Path) -> PathBuf {
    workspace.join("target").join(WASM_TARGET).join("release")
}

/// The folder of the running build's binaries, beside xtask itself.
pub(crate) fn binaries() -> Result<PathBuf> {
    let exe = std::env::current_exe()
        .map_err(|e| Failure::new(format!("the path of this program is unknown: {e}")))?;
    exe.parent()
        .map(Path::to_path_buf)
        .ok_or_else(|| Failure::new(format!("{} has no parent folder", exe.display())))
}

/// The folder of the release build's binaries, wherever `CARGO_TARGET_DIR` puts builds.
pub(crate) fn release_binaries() -> Result<PathBuf> {
    Ok(binaries()?.with_file_name("release"))
}

/// This program. The path of what runs may be that of a file which a build has replaced meanwhile, so it
/// is looked up by its name.
pub(crate) fn xtask() -> Result<PathBuf> {
    Ok(binaries()?.join("xtask"))
}

/// The gateway, as it was built beside xtask itself.
pub(crate) fn toolgate() -> Result<PathBuf> {
    Ok(binaries()?.join("toolgate"))
}

/// All that the demo makes.
pub(crate) fn demo() -> PathBuf {
    root().join("target/demo")
}
