//! What an operator could still take away from a server: findings, each with the line to change. Pure.
//!
//! It judges what the config says and nothing else. Much that such reports look for can't be said in a config
//! of this gateway: a container has no capability, no writable root, no privilege and no network of its own,
//! and nothing runs without limits. What is left are grants that are wider than they need to be, artifacts
//! that can change by themselves, secrets where they can be read, and who a container runs as.

mod grants;

use serde::Serialize;
use toolgate_runtime::artifact::Reference;
use toolgate_runtime::docker::{DockerOptions, Lifetime};
use toolgate_runtime::remote::RemoteOptions;

use crate::config::{BackendChoice, ServerConfig};

/// Points of a server without findings.
const FULL: u32 = 100;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Defence that has another one behind it.
    Low,
    /// Who is wrong once reaches more than they should.
    Medium,
    /// One step from the host, or from somebody's secret.
    High,
}

impl Severity {
    /// Points that it costs.
    #[must_use]
    pub fn points(self) -> u32 {
        match self {
            Self::Low => 3,
            Self::Medium => 10,
            Self::High => 30,
        }
    }

    /// As printed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// Something to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// What is so, and what it allows.
    pub what: String,
    /// The line of the config to change, or what to write.
    pub change: String,
}

impl Finding {
    fn new(severity: Severity, what: impl Into<String>, change: impl Into<String>) -> Self {
        Self { severity, what: what.into(), change: change.into() }
    }
}

/// All findings of a server, worst first; those of one severity in the order of its config.
#[must_use]
pub fn audit(server: &ServerConfig) -> Vec<Finding> {
    let mut found = Vec::new();
    let runs_component = server.component.is_some() && server.backend != BackendChoice::Docker;
    found.extend(server.component.as_ref().filter(|_| runs_component).and_then(component));
    let image = server.container.as_ref().filter(|_| server.backend != BackendChoice::Wasm);
    if let Some(options) = image {
        container(options, &mut found);
    }
    match &server.remote {
        Some(remote) => found.extend(elsewhere(remote)),
        None => grants::audit(&server.policy.grants, image.is_some(), &mut found),
    }
    found.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    found
}

/// From 100 down to 0.
#[must_use]
pub fn score(findings: &[Finding]) -> u32 {
    let cost: u32 = findings.iter().map(|finding| finding.severity.points()).sum();
    FULL.saturating_sub(cost)
}

fn component(component: &Reference) -> Option<Finding> {
    let is_pinned = match component {
        Reference::Oci(reference) => reference.digest().is_some(),
        Reference::Layout(reference) => reference.digest().is_some(),
        // The operator's own disk.
        Reference::File(_) => true,
    };
    let what = "whoever may push to its tag decides what runs here after the next start";
    let change =
        format!("component = \"{component}@sha256:…\", with the manifest digest that `toolgate pull` shows");
    (!is_pinned).then(|| Finding::new(Severity::Medium, what, change))
}

/// What it does is not ours to look at; how it is reached is.
fn elsewhere(remote: &RemoteOptions) -> Option<Finding> {
    let place = &remote.place;
    let what = "who is between here and there reads and changes what is asked and answered, secrets included";
    let change = format!("url = \"{}\", if it speaks TLS", place.url().replacen("http://", "https://", 1));
    (!place.is_private_way()).then(|| Finding::new(Severity::Medium, what, change))
}

fn container(options: &DockerOptions, found: &mut Vec<Finding>) {
    let image = &options.image;
    if !image.contains("@sha256:") {
        let what = "whoever may push to the image's tag decides what runs here after the next pull";
        found.push(Finding::new(Severity::Medium, what, format!("image = \"{image}@sha256:…\"")));
    }
    let (user, group) = options.user.split_once(':').unwrap_or((&options.user, "0"));
    let is_root = |id: &str| id == "root" || id.parse() == Ok(0_u32);
    if is_root(user) {
        let what = "it runs as root, one fault of the kernel or the engine from being root of the host";
        found.push(Finding::new(Severity::High, what, "user = \"65534:65534\""));
    } else if is_root(group) {
        let what = "it runs in the group of root, to which granted folders may belong";
        found.push(Finding::new(Severity::Low, what, format!("user = \"{user}:65534\"")));
    }
    let sharing = match options.lifetime {
        Lifetime::Call => None,
        Lifetime::Session => Some("calls of a session share a container"),
        Lifetime::Warm => Some("all callers share a container"),
    };
    if let Some(who) = sharing {
        let what = format!("{who}, and what one leaves the next one sees");
        found.push(Finding::new(Severity::Low, what, "lifetime = \"call\", if starts are fast enough"));
    }
    if options.runtime.is_none() {
        let what = "it shares the host's kernel";
        found.push(Finding::new(
            Severity::Low,
            what,
            "runtime = \"runsc\" or \"kata\", where the engine has it",
        ));
    }
}

#[cfg(test)]
mod tests;
