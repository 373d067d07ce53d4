//! Whose a container is, written on the container itself: labels outlive the gateway that set them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The label that all containers of all gateways have; its value is the version of what the others mean.
pub(super) const MARK: &str = "dev.toolgate";
const VERSION: &str = "1";
/// The label that names the gateway: an id that its state directory keeps.
pub(super) const GATEWAY: &str = "dev.toolgate.gateway";
/// The label of the process: a gateway that comes back knows what its last process left.
pub(super) const PROCESS: &str = "dev.toolgate.process";
/// The label of the server in the config.
pub(super) const SERVER: &str = "dev.toolgate.server";

/// Characters of a process's id in a name.
const SHORT: usize = 8;

/// Tells names of a process apart.
static NUMBERS: AtomicUsize = AtomicUsize::new(0);

/// The gateway, its process and its server that a container belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The same at every start from one state directory.
    pub gateway: String,
    /// Another one at every start.
    pub process: String,
    /// The server's name.
    pub server: String,
}

impl Owner {
    /// A name that nothing else has on the engine.
    pub(super) fn name(&self) -> String {
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let process = self.process.get(..SHORT).unwrap_or(&self.process);
        format!("toolgate-{process}-{number}-{}", self.server)
    }

    /// What is written on a container.
    #[must_use]
    pub fn labels(&self) -> HashMap<String, String> {
        let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        HashMap::from([
            label(MARK, VERSION),
            label(GATEWAY, &self.gateway),
            label(PROCESS, &self.process),
            label(SERVER, &self.server),
        ])
    }
}
