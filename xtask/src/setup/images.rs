//! The images that the suites run: made here, as there may be no registry to pull them from.
//!
//! `odd` is one static program of this repository, which misbehaves; `servers` holds servers that others
//! wrote, in a Debian made by debootstrap.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::apt::{self, Need};
use super::debian;
use crate::files::{fresh_folder, refused};
use crate::layout;
use crate::process::{self, Failure, Result};
use crate::progress::step;

/// What makes `servers`.
const NEEDS: [Need; 3] = [
    Need { program: "debootstrap", package: "debootstrap" },
    Need { program: "npm", package: "npm" },
    Need { program: "pip3", package: "python3-pip" },
];

/// Debian's packages in `servers`, besides the smallest system.
const PACKAGES: &str = "ca-certificates,git,nodejs,python3";

/// The label that says what an image was made of.
const MADE_OF: &str = "toolgate-test.made-of";

/// One program, as it begins by itself.
const ODD: &str = "toolgate-test:odd";
/// The same without a word on what to run.
const BARE: &str = "toolgate-test:bare";
/// The same, said to be for another machine.
const FOREIGN: &str = "toolgate-test:foreign";
/// Servers that others wrote.
const SERVERS: &str = "toolgate-test:servers";

/// Makes `odd` if it is not there, or not of today's program.
pub(crate) fn ensure_odd() -> Result<()> {
    let program = build_odd()?;
    let content = fs::read(&program).map_err(|e| refused(&program, &e))?;
    let made_of = hash(&[&content]);
    if is_made_of(FOREIGN, &made_of) { Ok(()) } else { odd(&program, &made_of) }
}

/// Makes what is not there, or not of today's parts.
pub(crate) fn ensure() -> Result<()> {
    step("making the images that the suites run", || {
        ensure_odd()?;
        let sources = sources();
        let parts = ["package.json", "requirements.txt"].map(|name| fs::read(sources.join(name)));
        let [npm, pypi] = parts.map(|part| part.map_err(|e| refused(&sources, &e)));
        let made_of = hash(&[&npm?, &pypi?, PACKAGES.as_bytes()]);
        if !is_made_of(SERVERS, &made_of) {
            apt::ensure(&NEEDS)?;
            servers(&made_of)?;
        }
        Ok(())
    })
}

/// Removes the containers of these images that gateways left which a test had killed.
pub(crate) fn forget_containers() -> Result<()> {
    let mut list = docker(&["ps", "--all", "--quiet"]);
    for image in [ODD, BARE, SERVERS] {
        list.args(["--filter", &format!("ancestor={image}")]);
    }
    let left = process::capture(&mut list)?;
    let left: Vec<&str> = left.lines().collect();
    if left.is_empty() {
        return Ok(());
    }
    process::run(docker(&["rm", "--force", "--volumes"]).args(left).stdout(Stdio::null()))
}

fn sources() -> PathBuf {
    layout::test_images().join("servers")
}

/// The program `odd`, linked with nothing of the system's.
fn build_odd() -> Result<PathBuf> {
    let (workspace, host) = (layout::test_images(), super::host()?);
    let mut cargo = super::cargo();
    cargo.args(["build", "--release", "--locked", "--target", &host, "--target-dir"]);
    // For the target alone: the host's build scripts are linked as always.
    cargo
        .arg(workspace.join("target"))
        .env("RUSTFLAGS", "-Ctarget-feature=+crt-static")
        .current_dir(&workspace);
    process::run(&mut cargo)?;
    Ok(workspace.join("target").join(host).join("release/odd"))
}

/// The images of that one program.
fn odd(program: &Path, made_of: &str) -> Result<()> {
    let folder = folder("odd")?;
    fs::copy(program, folder.join("odd")).map_err(|e| refused(program, &e))?;
    import(&folder, BARE, &[format!("LABEL {MADE_OF}={made_of}")])?;
    import(&folder, ODD, &[format!("LABEL {MADE_OF}={made_of}"), r#"ENTRYPOINT ["/odd"]"#.to_owned()])?;
    foreign()
}

/// An engine only makes images for its own machine, so one is given another name for its machine.
fn foreign() -> Result<()> {
    let folder = folder("foreign")?;
    let archive = folder.with_extension("tar");
    process::run(docker(&["save", "--output"]).arg(&archive).arg(ODD))?;
    process::run(Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(&folder))?;
    let own = format!("\"architecture\":\"{}\"", debian_architecture()?);
    for file in files(&folder)? {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let text = text.replace(&own, r#""architecture":"s390x""#).replace(ODD, FOREIGN);
        let text = text.replace(r#""RepoTags":null"#, &format!(r#""RepoTags":["{FOREIGN}"]"#));
        fs::write(&file, text).map_err(|e| refused(&file, &e))?;
    }
    process::run(Command::new("tar").arg("-cf").arg(&archive).arg("-C").arg(&folder).arg("."))?;
    process::run(docker(&["load", "--quiet", "--input"]).arg(&archive))
}

/// As an engine names it: `amd64`.
fn debian_architecture() -> Result<String> {
    let name = process::capture(&mut docker(&["version", "--format", "{{.Server.Arch}}"]))?;
    Ok(name.trim().to_owned())
}

/// The config of the image, and what names it.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let found = process::capture(Command::new("find").arg(folder).args(["-type", "f", "-name", "*.json"]))?;
    Ok(found.lines().map(PathBuf::from).collect())
}

/// Debian with the servers in it.
fn servers(made_of: &str) -> Result<()> {
    let root = folder("servers")?;
    let release = debian::release()?;
    let mut debootstrap = Command::new("debootstrap");
    debootstrap.args(["--variant=minbase", &format!("--include={PACKAGES}"), &release.codename]).arg(&root);
    process::run(debootstrap.arg(&release.mirror).stdout(Stdio::null()))?;
    for cache in ["var/cache/apt", "var/lib/apt/lists"] {
        fs::remove_dir_all(root.join(cache)).map_err(|e| refused(&root.join(cache), &e))?;
    }
    let (npm, python) = (root.join("opt/npm"), root.join("opt/python"));
    fs::create_dir_all(&npm).map_err(|e| refused(&npm, &e))?;
    fs::copy(sources().join("package.json"), npm.join("package.json")).map_err(|e| refused(&npm, &e))?;
    let mut install = Command::new("npm");
    install.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
    process::run(install.current_dir(&npm))?;
    let mut pip = Command::new("pip3");
    pip.args(["install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"]);
    // For the Python of the image, whatever this machine has.
    pip.args(["--only-binary=:all:", "--implementation=cp", "--python-version"]).arg(python_version(&root)?);
    process::run(
        pip.arg("--target").arg(&python).arg("--requirement").arg(sources().join("requirements.txt")),
    )?;
    let changes = [format!("LABEL {MADE_OF}={made_of}"), "ENV PYTHONPATH=/opt/python".to_owned()];
    import(&root, SERVERS, &changes)?;
    fs::remove_dir_all(&root).map_err(|e| refused(&root, &e))
}

/// `3.11`, of Debian's Python in that folder.
fn python_version(root: &Path) -> Result<String> {
    let link = fs::read_link(root.join("usr/bin/python3")).map_err(|e| refused(root, &e))?;
    let version = link.to_str().and_then(|name| name.strip_prefix("python")).map(str::to_owned);
    version.ok_or_else(|| Failure::new(format!("python3 is {}, which names no version", link.display())))
}

/// Makes an image of a folder.
fn import(folder: &Path, image: &str, changes: &[String]) -> Result<()> {
    let archive = folder.with_extension("tar");
    process::run(Command::new("tar").arg("-cf").arg(&archive).arg("-C").arg(folder).arg("."))?;
    let mut import = docker(&["import"]);
    for change in changes {
        import.arg("--change").arg(change);
    }
    process::run(import.arg(&archive).arg(image).stdout(Stdio::null()))?;
    fs::remove_file(&archive).map_err(|e| refused(&archive, &e))
}

fn is_made_of(image: &str, made_of: &str) -> bool {
    let format = format!("{{{{index .Config.Labels \"{MADE_OF}\"}}}}");
    let mut inspect = docker(&["image", "inspect", image, "--format", &format]);
    inspect.stderr(Stdio::null());
    inspect.output().is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim() == made_of)
}

fn hash(parts: &[&[u8]]) -> String {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn docker(args: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command.args(args);
    command
}

/// An empty folder below `target/images`.
fn folder(name: &str) -> Result<PathBuf> {
    fresh_folder(&layout::root().join("target/images"), name)
}
