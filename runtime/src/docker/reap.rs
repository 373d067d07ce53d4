//! No container outlives its gateway: what a process leaves behind, however it ended, the next one removes.
//!
//! A gateway is known by an id in its state directory, and each of its processes by a lock that the kernel
//! lets go of when it ends. So two gateways on one engine, and two processes of one gateway, leave each
//! other's containers alone.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::engine::DockerEngine;
use super::error::DockerError;
use super::leftover::Leftover;
use super::owner::{self, Owner};

/// Characters of an id: 16 random bytes.
const ID: usize = 32;

/// How long removing may take in all. An engine that is stuck must not keep the gateway from ending.
const LIMIT: Duration = Duration::from_secs(30);

/// Between two looks whether all are gone.
const AGAIN: Duration = Duration::from_millis(20);

/// Who this process is to an engine.
#[derive(Debug)]
pub struct Identity {
    gateway: String,
    process: String,
    /// Where the locks are; without a state directory nobody could find them again.
    locks: Option<PathBuf>,
    /// Held until the process ends.
    _lock: Option<File>,
}

impl Identity {
    /// The identity that a state directory keeps; one for this process alone where it can't be used.
    #[must_use]
    pub fn open(state_dir: Option<&Path>) -> Self {
        let process = id();
        let kept = state_dir.and_then(|dir| Self::kept(&dir.join("docker"), &process).ok());
        kept.unwrap_or_else(|| Self { gateway: process.clone(), process, locks: None, _lock: None })
    }

    fn kept(dir: &Path, process: &str) -> io::Result<Self> {
        let locks = dir.join("processes");
        fs::create_dir_all(&locks)?;
        // Nobody must read the id before it is written, nor find the lock before it is held.
        let _alone = alone(&locks)?;
        let gateway = gateway_id(&dir.join("id"))?;
        let lock = OpenOptions::new().create_new(true).write(true).mode(0o600).open(locks.join(process))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self { gateway, process: process.to_owned(), locks: Some(locks), _lock: Some(lock) })
    }

    /// What is written on containers of a server.
    #[must_use]
    pub fn owner(&self, server: &str) -> Owner {
        Owner { gateway: self.gateway.clone(), process: self.process.clone(), server: server.to_owned() }
    }

    /// Whether a process of this gateway has ended; `false` where that can't be told.
    fn has_ended(&self, process: &str) -> bool {
        if process == self.process || !is_id(process) {
            return false;
        }
        let Some(locks) = &self.locks else { return false };
        match File::open(locks.join(process)) {
            Ok(lock) => flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok(),
            // Its lock was taken away after its containers were.
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }

    /// Takes away the locks of processes that have ended.
    fn forget_ended(&self) {
        let Some(locks) = &self.locks else { return };
        let (Ok(_alone), Ok(entries)) = (alone(locks), fs::read_dir(locks)) else { return };
        for entry in entries.flatten() {
            if entry.file_name().to_str().is_some_and(|name| self.has_ended(name)) {
                drop(fs::remove_file(entry.path()));
            }
        }
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        if let Some(locks) = &self.locks {
            drop(fs::remove_file(locks.join(&self.process)));
        }
    }
}

/// Removes the containers of processes of this gateway that have ended, and what was made for them; how many there
/// were.
///
/// # Errors
/// If the engine does not answer.
pub async fn reap(engine: &DockerEngine, identity: &Identity) -> Result<usize, DockerError> {
    let removed = remove_where(engine, (owner::GATEWAY, &identity.gateway), |labels| {
        labels.get(owner::PROCESS).is_some_and(|process| identity.has_ended(process))
    });
    let removed = removed.await?;
    identity.forget_ended();
    Ok(removed)
}

/// Removes all containers of this process and what was made for them; for its end. None is made from then on.
///
/// # Errors
/// If the engine does not answer.
pub async fn clear(engine: &DockerEngine, identity: &Identity) -> Result<(), DockerError> {
    let all = async {
        engine.close().await;
        loop {
            match remove_where(engine, (owner::PROCESS, &identity.process), |_| true).await {
                Ok(0) => return Ok(()),
                // One that is being removed already is there until that is done, and some engines can't list
                // containers meanwhile.
                Ok(_) | Err(DockerError::Refused { .. }) => sleep(AGAIN).await,
                Err(gone @ DockerError::None { .. }) => return Err(gone),
            }
        }
    };
    timeout(LIMIT, all).await.unwrap_or(Ok(()))
}

/// Containers go first, as what they use stays until then.
async fn remove_where(
    engine: &DockerEngine,
    (label, value): (&str, &str),
    chosen: impl Fn(&HashMap<String, String>) -> bool,
) -> Result<usize, DockerError> {
    let label = format!("{label}={value}");
    let listed = engine.containers(Some(&label), true).await;
    let listed = listed.map_err(|error| engine.refused("list containers", &error))?;
    let mut removals = JoinSet::new();
    for container in listed {
        let labels = container.labels.unwrap_or_default();
        if let Some(id) = container.id.filter(|_| chosen(&labels)) {
            let engine = engine.clone();
            removals.spawn(async move { engine.remove(&id).await });
        }
    }
    let mut count = removals.len();
    drop(timeout(LIMIT, removals.join_all()).await);
    for (left, labels) in Leftover::labelled(engine, &label).await? {
        if chosen(&labels) {
            count += 1;
            drop(left.remove(engine).await);
        }
    }
    Ok(count)
}

/// Waits until no other process makes or takes away locks there.
fn alone(locks: &Path) -> io::Result<File> {
    let folder = File::open(locks)?;
    flock(&folder, FlockOperation::LockExclusive)?;
    Ok(folder)
}

/// The id that a file keeps, made if there is none.
fn gateway_id(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    match OpenOptions::new().create_new(true).write(true).mode(0o600).open(path) {
        Ok(mut file) => {
            text = id();
            file.write_all(text.as_bytes())?;
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            File::open(path)?.take(ID as u64 + 1).read_to_string(&mut text)?;
        }
        Err(error) => return Err(error),
    }
    if is_id(&text) { Ok(text) } else { Err(io::ErrorKind::InvalidData.into()) }
}

fn id() -> String {
    let mut bytes = [0; ID / 2];
    if getrandom::fill(&mut bytes).is_err() {
        // Other processes of the machine have another one.
        bytes[..4].copy_from_slice(&std::process::id().to_be_bytes());
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Against labels, which anybody may write, that lead to other files.
fn is_id(text: &str) -> bool {
    text.len() == ID && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_known_again_and_its_processes_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let first = Identity::open(Some(dir.path()));
        let second = Identity::open(Some(dir.path()));
        assert_eq!(first.gateway, second.gateway);
        assert_ne!(first.process, second.process);
        assert!(!second.has_ended(&first.process) && !second.has_ended(&second.process));
        let gone = first.process.clone();
        drop(first);
        assert!(second.has_ended(&gone));
    }

    #[test]
    fn a_lock_that_a_killed_process_left_is_found_free_and_taken_away() {
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity::open(Some(dir.path()));
        let left = dir.path().join("docker/processes").join(id());
        fs::write(&left, "").unwrap();
        assert!(identity.has_ended(left.file_name().unwrap().to_str().unwrap()));
        identity.forget_ended();
        assert!(!left.exists() && dir.path().join("docker/processes").join(&identity.process).exists());
    }

    #[test]
    fn labels_of_others_lead_to_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity::open(Some(dir.path()));
        for label in ["", "../id", "/etc/passwd", "..", &"g".repeat(ID)] {
            assert!(!identity.has_ended(label), "{label}");
        }
    }

    #[test]
    fn without_a_state_directory_there_is_an_identity_all_the_same() {
        let (one, two) = (Identity::open(None), Identity::open(Some(Path::new("/proc/none"))));
        assert_ne!(one.gateway, two.gateway);
        assert!(is_id(&one.gateway) && is_id(&two.process));
    }
}
