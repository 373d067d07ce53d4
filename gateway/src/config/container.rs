//! `[servers.NAME.container]`: how the image of a server is run, where it is.

use std::time::Duration;

use toolgate_runtime::docker::{DockerOptions, Lifetime};

use super::error::Invalid;
use super::quantity::duration_up_to;
use super::raw::Section;

/// Containers of a server at a time. Each holds memory and processes.
const MAX_CONTAINERS: u64 = 1024;
/// Time without a call until none is kept.
const MAX_IDLE: Duration = Duration::from_secs(24 * 3600);
/// Time for a container to start. Nobody waits longer.
const MAX_START: Duration = Duration::from_secs(600);

/// An image with what the section says of it, and the defaults of the rest.
pub(super) fn read(image: String, section: Option<Section<'_, '_>>) -> DockerOptions {
    let mut options = DockerOptions::of(image);
    let Some(section) = section else {
        return options;
    };
    options.command = section.list("command", "--verbose", word);
    section.set(&mut options.user, "user", "65534:65534", user);
    options.runtime = section.parsed("runtime", "runsc", runtime);
    section.set(&mut options.lifetime, "lifetime", "call", lifetime);
    let count = |key, least| {
        let count = section.integer(key, least, MAX_CONTAINERS)?;
        usize::try_from(count).ok()
    };
    options.containers = count("containers", 1).unwrap_or(options.containers);
    options.warm = count("warm", 0).unwrap_or(options.warm).min(options.containers);
    section.set(&mut options.idle, "idle-timeout", "10m", duration_up_to(MAX_IDLE));
    section.set(&mut options.start, "start-timeout", "30s", duration_up_to(MAX_START));
    section.finish();
    options
}

fn word(text: &str) -> Result<String, Invalid> {
    if text.contains('\0') {
        return Err(Invalid::new("an argument can't hold a NUL"));
    }
    Ok(text.to_owned())
}

fn user(text: &str) -> Result<String, Invalid> {
    let name = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
    };
    let (user, group) = text.split_once(':').unwrap_or((text, "0"));
    if name(user) && name(group) {
        return Ok(text.to_owned());
    }
    Err(Invalid::new(format!("`{text}` is not a user")).hint("write UID:GID, such as 65534:65534"))
}

fn runtime(text: &str) -> Result<String, Invalid> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    if !text.is_empty() && text.bytes().all(allowed) {
        return Ok(text.to_owned());
    }
    Err(Invalid::new(format!("`{text}` is not a runtime"))
        .hint("write a name that the engine's daemon.json has, such as runsc or kata"))
}

fn lifetime(text: &str) -> Result<Lifetime, Invalid> {
    match text {
        "call" => Ok(Lifetime::Call),
        "session" => Ok(Lifetime::Session),
        "warm" => Ok(Lifetime::Warm),
        _ => Err(Invalid::new(format!("`{text}` is not a lifetime"))
            .hint("write call for a fresh container each time, session, or warm to share one")),
    }
}
