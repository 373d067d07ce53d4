//! From a policy to a container, as the engine is asked for it. Pure.
//!
//! What is not set here an engine sets in favour of the container: a user of the image's choice, a
//! writable root, fourteen capabilities, a network, the host's swap. So everything is set here.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, MountBindOptions, MountType,
    ResourcesUlimits,
};

use super::outlet::trust;
use super::owner::Owner;
use crate::policy::{FilesGrant, Host, Mode, Policy};
use crate::secret::Secret;

/// The user and group that a container runs as unless its config names one: nobody, on every system.
pub const USER: &str = "65534:65534";

/// Processes and threads of a container, together. Against a container that forks without end; a server
/// written for Node.js has some twenty.
const PIDS: i64 = 256;

/// Open files of each process.
const OPEN_FILES: i64 = 4096;

/// Bytes of the only place that is writable without a grant: memory, and counted as such.
const TMPFS: &str = "rw,noexec,nosuid,nodev,size=67108864,mode=1777";

/// Time that a container has to end when it is asked to, in seconds.
const STOP_TIMEOUT: i64 = 5;

/// Of a processor, as the engine counts them.
pub(super) const NANOS: f64 = 1e9;

/// What an operator wants to run as a container.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The image, by digest where it was resolved.
    pub image: String,
    /// Folders for which the image asks room on the engine's disk; they get room in memory.
    pub volumes: Vec<String>,
    /// Arguments in place of the image's own; empty for those.
    pub command: Vec<String>,
    /// The user, [`USER`] by default.
    pub user: String,
    /// Processors that it may use: 1.5 is one and a half.
    pub cpus: f64,
    /// Bytes of memory that it may use.
    pub memory: u64,
    /// The engine's runtime: `runsc`, `kata`; `None` for its default.
    pub runtime: Option<String>,
}

/// The way out of a container that has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WayOut {
    /// The network that it is on.
    pub(super) network: String,
    /// Names of hosts, each with the address of the gateway: `db.internal:172.18.0.1`.
    pub(super) hosts: Vec<String>,
    /// The URL of the gateway's proxy.
    pub(super) proxy: String,
    /// The volume that says whom to trust, where TLS ends at the gateway.
    pub(super) trust: Option<String>,
}

/// The variables by which clients find a proxy; curl and others read the second spelling alone.
const PROXY: [&str; 4] = ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"];

/// Those by which they are told which hosts need none.
const NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// Tells Node.js that it is to look for a proxy at all.
const NODE: (&str, &str) = ("NODE_USE_ENV_PROXY", "1");

/// A name server that is not there: on a network that leads nowhere an engine might pass on questions all
/// the same, and an answer is a way in.
const NO_NAMES: &str = "127.0.0.1";

/// The container of a server, hardened.
#[must_use]
pub(super) fn container(
    wanted: &Wanted,
    policy: &Policy,
    owner: &Owner,
    secrets: &[(String, Secret)],
    out: Option<&WayOut>,
) -> ContainerCreateBody {
    let env = policy.grants.env().iter().map(|(name, value)| format!("{name}={value}"));
    let secret = secrets.iter().map(|(name, value)| format!("{name}={}", value.expose()));
    ContainerCreateBody {
        image: Some(wanted.image.clone()),
        cmd: (!wanted.command.is_empty()).then(|| wanted.command.clone()),
        user: Some(wanted.user.clone()),
        env: Some(env.chain(secret).chain(told(out, policy)).collect()),
        labels: Some(owner.labels()),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        open_stdin: Some(true),
        // Its end is what tells a server that its gateway is gone, whatever became of that.
        stdin_once: Some(true),
        tty: Some(false),
        network_disabled: Some(out.is_none()),
        // A check of the image's own would run beside the server, for nobody.
        healthcheck: Some(bollard::models::HealthConfig {
            test: Some(vec!["NONE".to_owned()]),
            ..Default::default()
        }),
        stop_timeout: Some(STOP_TIMEOUT),
        host_config: Some(host(wanted, policy, out)),
        ..ContainerCreateBody::default()
    }
}

/// The variables of a way out, but for those that the operator set.
fn told(out: Option<&WayOut>, policy: &Policy) -> Vec<String> {
    let Some(out) = out else { return Vec::new() };
    let taken = |name: &str| {
        policy.grants.env().contains_key(name) || policy.grants.secret_variables().any(|(_, n)| n == name)
    };
    let own = own_hosts(policy);
    let proxy = PROXY.map(|name| (name, out.proxy.as_str()));
    let without = NO_PROXY.map(|name| (name, own.as_str()));
    let all = proxy.into_iter().chain(without).chain([NODE]).map(|(name, value)| (name, value.to_owned()));
    let trust = out.trust.iter().flat_map(|_| trust::variables());
    let all = all.chain(trust).filter(|(name, _)| !taken(name));
    all.map(|(name, value)| format!("{name}={value}")).collect()
}

/// What a container means itself by, and needs no proxy for; not where a grant means the gateway's machine.
fn own_hosts(policy: &Policy) -> String {
    let addresses = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()].map(Host::Ip);
    let own = std::iter::once(Host::Name("localhost".to_owned())).chain(addresses);
    let own: Vec<String> = own.filter(|host| !policy.grants.names(host)).map(|host| host.bare()).collect();
    own.join(",")
}

fn host(wanted: &Wanted, policy: &Policy, out: Option<&WayOut>) -> HostConfig {
    let memory = i64::try_from(wanted.memory).unwrap_or(i64::MAX);
    let files = i64::from(policy.limits.handles).max(OPEN_FILES);
    HostConfig {
        readonly_rootfs: Some(true),
        tmpfs: Some(rooms(wanted, policy)),
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        privileged: Some(false),
        pids_limit: Some(PIDS),
        memory: Some(memory),
        // The same as memory alone: no swap, or the limit would be twice what it says.
        memory_swap: Some(memory),
        #[allow(clippy::cast_possible_truncation, reason = "a number of processors is small")]
        nano_cpus: Some((wanted.cpus * NANOS) as i64),
        ulimits: Some(vec![ulimit("nofile", files), ulimit("core", 0)]),
        init: Some(true),
        network_mode: Some(out.map_or_else(|| "none".to_owned(), |out| out.network.clone())),
        dns: out.map(|_| vec![NO_NAMES.to_owned()]),
        extra_hosts: out.map(|out| out.hosts.clone()),
        // So there is no `/dev/shm` either, and podman refuses to be told a size of it.
        ipc_mode: Some("none".to_owned()),
        mounts: Some(mounts(policy, out)),
        // The gateway hears what it prints; a copy on the engine's disk would only grow.
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        runtime: wanted.runtime.clone(),
        ..HostConfig::default()
    }
}

/// What is writable: `/tmp`, and what the image calls volumes, unless a grant is mounted there.
fn rooms(wanted: &Wanted, policy: &Policy) -> HashMap<String, String> {
    let granted = |path: &str| policy.grants.files().iter().any(|grant| grant.guest() == path);
    let has_place = |path: &&String| !granted(path) && path.as_str() != trust::FOLDER;
    let volumes = wanted.volumes.iter().filter(has_place).cloned();
    std::iter::once("/tmp".to_owned()).chain(volumes).map(|path| (path, TMPFS.to_owned())).collect()
}

/// The folders that are granted, and whom to trust.
fn mounts(policy: &Policy, out: Option<&WayOut>) -> Vec<Mount> {
    let trust = out.and_then(|out| out.trust.as_deref()).map(|volume| trust::mount(volume, true));
    policy.grants.files().iter().map(mount).chain(trust).collect()
}

/// As a mount and not as a bind: of a folder that is not there the engine would make an empty one.
fn mount(grant: &FilesGrant) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(grant.host().display().to_string()),
        target: Some(grant.guest().to_owned()),
        read_only: Some(grant.mode() == Mode::ReadOnly),
        bind_options: Some(MountBindOptions { non_recursive: Some(true), ..MountBindOptions::default() }),
        ..Mount::default()
    }
}

fn ulimit(name: &str, limit: i64) -> ResourcesUlimits {
    ResourcesUlimits { name: Some(name.to_owned()), soft: Some(limit), hard: Some(limit) }
}

#[cfg(test)]
mod tests;
