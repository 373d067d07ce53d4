//! Podman as the engine, answering as Docker's API does.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{Engine, logging};

/// Time for it to come up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Podman asks for more processes of one user than root of a small machine may allow; but for that it is the
/// runtime itself.
const RUNTIME: &str = r#"#!/bin/sh
before=
for argument; do
    if [ "$before" = --bundle ]; then
        sed -i -E 's/("type":"RLIMIT_NPROC","hard":)[0-9]+(,"soft":)[0-9]+/\14096\24096/' "$argument/config.json"
    fi
    before=$argument
done
exec crun "$@"
"#;

/// Podman's service, with images and containers of its own.
pub struct Podman {
    dir: TempDir,
    process: Child,
    /// Docker's client, which podman answers too.
    pub engine: Engine,
}

impl Podman {
    /// Starts one that has an image of the machine's engine.
    ///
    /// # Panics
    /// Where it does not come up: it takes root's rights.
    pub fn with(image: &str) -> Self {
        let dir = TempDir::with_prefix("toolgate-podman-").expect("a temporary folder");
        configure(dir.path());
        let engine = Engine { host: Some(host(dir.path())) };
        let podman = Self { process: launch(dir.path()), dir, engine };
        podman.wait();
        let archive = podman.dir.path().join("image.tar");
        let archive = archive.to_str().expect("UTF-8");
        Engine::of_the_machine().docker(&["save", "--output", archive, image]);
        podman.engine.docker(&["load", "--input", archive]);
        podman
    }

    /// What its own client prints.
    ///
    /// # Panics
    /// If that fails.
    pub fn podman(&self, args: &[&str]) -> String {
        let output = podman(self.dir.path(), args).stdin(Stdio::null()).output().expect("podman runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// `unix:///…`.
    pub fn host(&self) -> String {
        host(self.dir.path())
    }

    /// Ends the service. Its containers run on, as each is a child of nobody.
    pub fn stop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }

    /// Starts it again.
    pub fn restart(&mut self) {
        self.process = launch(self.dir.path());
        self.wait();
    }

    fn wait(&self) {
        let end = Instant::now() + PATIENCE;
        while !self.engine.answers() {
            let log = || fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < end, "podman does not come up:\n{}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let mut remove = podman(self.dir.path(), &["rm", "--all", "--force", "--time", "0"]);
        drop(remove.stdin(Stdio::null()).output());
        self.stop();
    }
}

fn host(dir: &Path) -> String {
    format!("unix://{}", dir.join("sock").display())
}

fn configure(dir: &Path) {
    let runtime = dir.join("runtime");
    fs::write(&runtime, RUNTIME).expect("a script");
    fs::set_permissions(&runtime, fs::Permissions::from_mode(0o755)).expect("a script that can be run");
    // Neither systemd nor its journal is there for it.
    let config = format!(
        "[containers]\nlog_driver = \"none\"\n[engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"none\"\n\
         runtime = \"wrapped\"\n[engine.runtimes]\nwrapped = [\"{}\"]\n[network]\nnetwork_config_dir = \"{}\"\n",
        runtime.display(),
        dir.join("networks").display()
    );
    fs::write(dir.join("containers.conf"), config).expect("a config");
}

fn podman(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("podman");
    command.env("CONTAINERS_CONF", dir.join("containers.conf"));
    command.arg("--root").arg(dir.join("root")).arg("--runroot").arg(dir.join("run"));
    command.args(["--storage-driver", "vfs"]).args(args);
    command
}

fn launch(dir: &Path) -> Child {
    logging(podman(dir, &["system", "service", "--time=0", &host(dir)]), dir)
}
