//! What a container starts with, in words: read from what the engine is asked for, so that nothing is said
//! that is not asked.

use bollard::models::{ContainerCreateBody, HostConfig, Mount};

/// One thing that a container starts with, or without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What of it: `user`.
    pub what: &'static str,
    /// How it is: `65534:65534`.
    pub value: String,
}

/// All of them, in the order in which they are read. Of the environment only names are told.
pub(super) fn facts(body: &ContainerCreateBody) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut tell = |what, value: String| facts.push(Fact { what, value });
    tell("user", body.user.clone().unwrap_or_else(|| "as the image says".to_owned()));
    if let Some(command) = &body.cmd {
        tell("command", command.join(" "));
    }
    let names: Vec<&str> =
        body.env.iter().flatten().filter_map(|variable| variable.split('=').next()).collect();
    tell("environment", if names.is_empty() { "the image's own".to_owned() } else { names.join(", ") });
    if let Some(host) = &body.host_config {
        of_host(host, &mut tell);
    }
    facts
}

fn of_host(host: &HostConfig, tell: &mut impl FnMut(&'static str, String)) {
    let is = |flag: Option<bool>| flag == Some(true);
    tell("root", if is(host.readonly_rootfs) { "read-only" } else { "writable" }.to_owned());
    let mut rooms: Vec<&str> = host.tmpfs.iter().flatten().map(|(path, _)| path.as_str()).collect();
    rooms.sort_unstable();
    tell("tmpfs", rooms.join(", "));
    for mount in host.mounts.iter().flatten() {
        tell("mount", mounted(mount));
    }
    tell("network", host.network_mode.clone().unwrap_or_else(|| "the engine's default".to_owned()));
    if let Some(hosts) = host.extra_hosts.as_ref().filter(|hosts| !hosts.is_empty()) {
        tell("hosts", hosts.join(", "));
    }
    let dropped = host.cap_drop.clone().unwrap_or_default();
    let added = host.cap_add.clone().unwrap_or_default();
    let kept = if dropped == ["ALL"] && added.is_empty() {
        "none".to_owned()
    } else {
        format!("all but {dropped:?}, and {added:?}")
    };
    tell("capabilities", if is(host.privileged) { "all: it is privileged".to_owned() } else { kept });
    let options = host.security_opt.clone().unwrap_or_default();
    let seccomp = if options.iter().any(|option| option.starts_with("seccomp")) {
        ""
    } else {
        ", the engine's seccomp profile"
    };
    tell("privileges", format!("{}{seccomp}", options.join(", ")));
    tell("init", if is(host.init) { "yes" } else { "no" }.to_owned());
    tell("processes", host.pids_limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string()));
    tell("memory", memory(host));
    tell(
        "cpus",
        host.nano_cpus
            .map_or_else(|| "unlimited".to_owned(), |nanos| format!("{}", nanos as f64 / super::spec::NANOS)),
    );
    tell("runtime", host.runtime.clone().unwrap_or_else(|| "the engine's default".to_owned()));
}

fn memory(host: &HostConfig) -> String {
    match (host.memory, host.memory_swap) {
        (Some(memory), swap) if swap == Some(memory) => format!("{memory} bytes, no swap"),
        (Some(memory), _) => format!("{memory} bytes, and swap"),
        (None, _) => "unlimited".to_owned(),
    }
}

fn mounted(mount: &Mount) -> String {
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    let mode = if mount.read_only == Some(true) { "ro" } else { "rw" };
    format!("{} as {} ({mode})", part(&mount.source), part(&mount.target))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::Owner;
    use crate::docker::spec::{self, USER, Wanted};
    use crate::policy::Policy;

    #[test]
    fn a_container_without_grants_is_told_as_what_it_is() {
        let wanted = Wanted {
            image: "sha256:1".to_owned(),
            volumes: Vec::new(),
            command: Vec::new(),
            user: USER.to_owned(),
            cpus: 1.5,
            memory: 1 << 20,
            runtime: None,
        };
        let owner = Owner { gateway: "g".to_owned(), process: "p".to_owned(), server: "s".to_owned() };
        let body = spec::container(&wanted, &Policy::default(), &owner, &[], None);
        let told: Vec<String> =
            facts(&body).iter().map(|fact| format!("{}: {}", fact.what, fact.value)).collect();
        let expected = [
            "user: 65534:65534",
            "environment: the image's own",
            "root: read-only",
            "tmpfs: /tmp",
            "network: none",
            "capabilities: none",
            "privileges: no-new-privileges, the engine's seccomp profile",
            "init: yes",
            "processes: 256",
            "memory: 1048576 bytes, no swap",
            "cpus: 1.5",
            "runtime: the engine's default",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_open_is_told_as_open() {
        let host = HostConfig { privileged: Some(true), ..HostConfig::default() };
        let body = ContainerCreateBody {
            env: Some(vec!["A=secret".to_owned()]),
            host_config: Some(host),
            ..ContainerCreateBody::default()
        };
        let told: Vec<String> =
            facts(&body).iter().map(|fact| format!("{}: {}", fact.what, fact.value)).collect();
        for expected in
            ["root: writable", "capabilities: all: it is privileged", "memory: unlimited", "environment: A"]
        {
            assert!(told.iter().any(|line| line == expected), "{expected}: {told:?}");
        }
    }
}
