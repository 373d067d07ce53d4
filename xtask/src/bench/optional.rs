//! Things that are measured where they can be had. What can't be had leaves its reason in a file,
//! which the table shows in place of figures: nothing is silently absent.

use std::fs;
use std::path::Path;

use crate::files::write;
use crate::layout;
use crate::process::{Failure, Result};
use crate::progress::step;

/// Makes the file `target/FOLDER/NAME` by `make`, or `NAME.missing` with the reason beside it.
///
/// # Errors
/// Only when the reason can't be written.
pub(super) fn optional(
    folder: &str,
    name: &str,
    make: impl FnOnce(&Path, &Path) -> Result<()>,
) -> Result<()> {
    let folder = layout::root().join("target").join(folder);
    let file = folder.join(name);
    let missing = file.with_extension("missing");
    if file.is_file() {
        return Ok(());
    }
    fs::create_dir_all(&folder).map_err(|e| Failure::new(format!("{}: {e}", folder.display())))?;
    match step(&format!("making {name}, to compare with"), || make(&folder, &file)) {
        Ok(()) => forget(&missing),
        Err(failure) => {
            eprintln!("{failure}");
            let first = failure.to_string();
            let reason = first.lines().next().unwrap_or_default().trim_start_matches("error: ");
            write(&missing, reason)
        }
    }
}

fn forget(missing: &Path) -> Result<()> {
    match fs::remove_file(missing) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::new(format!("{}: {e}", missing.display())))
        }
        _ => Ok(()),
    }
}
