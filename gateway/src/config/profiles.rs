//! `[profiles.NAME]`: a choice of servers and tools, at an endpoint of its own.

use std::collections::BTreeMap;

use super::auth::servers;
use super::error::Invalid;
use super::raw::{Section, nearest};
use super::server::is_server_name;
use crate::auth::Servers;
use crate::catalog::{Profile, SEPARATOR, Surface, ToolPattern};

/// Profiles of a config. Each has lists of its own in memory.
const MAX_PROFILES: usize = 64;
/// Tools and patterns of a profile. Each is compared with each name that is called.
const MAX_PATTERNS: usize = 1024;

/// `[profiles.*]`, by name. `known` are the names of the config's servers.
pub(super) fn read(section: Option<Section<'_, '_>>, known: &[&str]) -> BTreeMap<String, Profile> {
    let Some(section) = section else { return BTreeMap::new() };
    let mut profiles = BTreeMap::new();
    for (i, (name, profile)) in section.sections().into_iter().enumerate() {
        if i == MAX_PROFILES {
            let why = Invalid::new(format!("more than {MAX_PROFILES} profiles"));
            section.reader.invalid(section.span(), "profiles", why);
            break;
        }
        if !is_server_name(name.get_ref()) {
            let why = "the name of a profile has 1 to 32 of a-z, 0-9 and `-`, and no `-` in front";
            let why = Invalid::new(why).hint("rename the table: [profiles.my-profile]");
            section.reader.invalid(name.span(), name.get_ref(), why);
        }
        profiles.extend(self::profile(profile, known).map(|profile| (name.into_inner(), profile)));
    }
    profiles
}

fn profile(section: Section<'_, '_>, known: &[&str]) -> Option<Profile> {
    let missing = "write the servers whose tools it shows, servers = [\"fetch\"], or [\"*\"] for all";
    let servers = servers(&section, known, missing);
    let own: Vec<&str> = match &servers {
        Some(Servers::Only(names)) => names.iter().map(String::as_str).collect(),
        Some(Servers::All) => known.to_vec(),
        // What is wrong with them is told already.
        None => Vec::new(),
    };
    let patterns = |key| {
        let read = section.list(key, "fetch__*", |text| pattern(text, &own));
        if read.len() > MAX_PATTERNS {
            let why = Invalid::new(format!("more than {MAX_PATTERNS} names"));
            section.reader.invalid(section.place(key).unwrap_or_default(), key, why);
        }
        read
    };
    let (tools, hide) = (patterns("tools"), patterns("hide"));
    let tools = section.place("tools").map(|_| tools);
    let surface = surface(&section);
    section.finish();
    Some(Profile { servers: servers?, tools, hide, surface })
}

/// What an endpoint lists as its tools.
pub(super) fn surface(section: &Section<'_, '_>) -> Surface {
    let surface = section.parsed("surface", "search", |text| match text {
        "all" => Ok(Surface::All),
        "search" => Ok(Surface::Search),
        _ => Err(Invalid::new(format!("`{text}` is not a surface"))
            .hint("write all, or search for two tools that find and call the others")),
    });
    surface.unwrap_or_default()
}

fn pattern(text: &str, servers: &[&str]) -> Result<ToolPattern, Invalid> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '*');
    if text.is_empty() || !text.chars().all(allowed) || !(text.contains(SEPARATOR) || text.contains('*')) {
        let invalid = Invalid::new(format!("`{text}` names no tool as SERVER{SEPARATOR}TOOL"));
        return Err(invalid.hint("write fetch__get, or fetch__* for all tools of a server"));
    }
    let pattern = ToolPattern(text.to_owned());
    if let Some(server) = pattern.server().filter(|server| !servers.is_empty() && !servers.contains(server)) {
        let invalid = Invalid::new(format!("`{server}` is none of the servers of this profile"));
        return Err(invalid.hint(nearest(server, servers, "its servers are")));
    }
    Ok(pattern)
}
