//! `[registries]`: how artifacts are pulled.

use std::path::Path;
use std::time::Duration;

use toolgate_runtime::artifact::{ArtifactsOptions, Aws};

use super::error::Invalid;
use super::expand::Env;
use super::quantity::{duration_up_to, size_up_to};
use super::raw::Section;

/// Upper bound of `max-size`: artifacts are held in memory whole.
const MAX_SIZE: u64 = 1 << 30;
/// Upper bound of the timeouts. Nobody waits longer for a start.
const MAX_TIMEOUT: Duration = Duration::from_secs(3600);

pub(super) fn read(section: Option<Section<'_, '_>>, base: &Path, env: Env<'_>) -> ArtifactsOptions {
    let mut options = ArtifactsOptions { aws: Aws::from_environment(env), ..ArtifactsOptions::default() };
    let Some(section) = section else {
        return options;
    };
    options.plain_http = section.list("plain-http", "registry.internal:5000", host);
    options.docker_config = section.path("docker-config", "~/.docker/config.json", base);
    section.set(&mut options.max_bytes, "max-size", "64MiB", size_up_to(MAX_SIZE));
    let timeouts = &mut options.timeouts;
    section.set(&mut timeouts.connect, "connect-timeout", "5s", duration_up_to(MAX_TIMEOUT));
    section.set(&mut timeouts.idle, "idle-timeout", "15s", duration_up_to(MAX_TIMEOUT));
    section.set(&mut timeouts.total, "timeout", "120s", duration_up_to(MAX_TIMEOUT));
    section.finish();
    options
}

fn host(text: &str) -> Result<String, Invalid> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
    if text.is_empty() || !text.chars().all(allowed) {
        let invalid = Invalid::new("not the HOST or HOST:PORT of a registry");
        return Err(invalid.hint("leave out scheme, path and user"));
    }
    Ok(text.to_ascii_lowercase())
}
