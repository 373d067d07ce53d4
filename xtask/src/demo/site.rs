//! The demo's folder: an OCI layout with the published tools, a folder for `files`, and the config.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::page::Page;
use crate::layout;
use crate::process::{self, Failure, Result};

/// The tools, as they are named in `tools-wasm/`, in the config and in tool names.
const TOOLS: [&str; 3] = ["clock", "fetch", "files"];

/// The built tools that it publishes.
pub(crate) fn components() -> impl Iterator<Item = PathBuf> {
    TOOLS.into_iter().map(component)
}

fn component(tool: &str) -> PathBuf {
    layout::components(&layout::tools()).join(format!("{tool}.wasm"))
}

/// `target/demo/`.
pub(super) struct Site {
    folder: PathBuf,
    toolgate: PathBuf,
}

impl Site {
    /// Starts from an empty folder, except for the gateway's state: the cache of compiled code may
    /// be warm, as it is after any restart.
    pub(super) fn new(folder: PathBuf, toolgate: &Path) -> Result<Self> {
        let site = Self { folder, toolgate: toolgate.to_owned() };
        for part in ["registry", "notes"] {
            let path = site.path(part);
            if path.exists() {
                fs::remove_dir_all(&path).map_err(|e| at(&path, &e))?;
            }
        }
        site.write("notes/tomatoes.md", "# Tomatoes\n\nSow in March, plant out in May.\n")?;
        site.write("notes/basil.md", "# Basil\n\nLikes the company of tomatoes.\n")?;
        Ok(site)
    }

    /// Pushes each built component with the docs of its WIT, as an author does.
    pub(super) fn publish(&self) -> Result<()> {
        for tool in TOOLS {
            let component = component(tool);
            let wit = layout::tools().join(tool).join("wit");
            let mut push = self.command();
            push.arg("push").arg(component).arg(self.reference(tool)).arg("--wit").arg(wit);
            // What it prints, digests and the pinned reference, is for authors to keep.
            process::capture(&mut push)?;
        }
        Ok(())
    }

    /// Writes the config. It shows what granting looks like: a tool without a line has nothing.
    pub(super) fn configure(&self, port: u16, page: &Page) -> Result<()> {
        let [clock, fetch, files] = TOOLS.map(|tool| self.reference(tool));
        let origin = page.origin();
        self.write(
            "toolgate.toml",
            &format!(
                r#"[gateway]
listen = "127.0.0.1:{port}"
state-dir = "state"
log = "text"

[servers.clock]
component = "{clock}"

[servers.fetch]
component = "{fetch}"

[servers.fetch.grants]
http = ["GET {origin}/*"]

[servers.files]
component = "{files}"

[servers.files.grants]
files = [{{ host = "notes", guest = "/notes", mode = "rw" }}]
"#
            ),
        )
    }

    /// `toolgate` in this folder.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.toolgate);
        command.current_dir(&self.folder).env("TOOLGATE_CONFIG", self.path("toolgate.toml"));
        command
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn reference(&self, tool: &str) -> String {
        format!("oci-layout:{}:{tool}", self.path("registry").display())
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.path(name);
        let parent = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(parent).and_then(|()| fs::write(&path, text)).map_err(|e| at(&path, &e))
    }
}

fn at(path: &Path, cause: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {cause}", path.display()))
}
