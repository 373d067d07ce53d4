//! `[auth]`: who may call over HTTP.

use std::collections::BTreeMap;

use toml::Spanned;
use toolgate_runtime::artifact::Digest;

use super::error::Invalid;
use super::raw::{Section, nearest};
use super::server::is_server_name;
use crate::auth::{Key, KeyHash, Servers, is_reserved};

/// Keys of a config. Against a generated file that would exhaust the host at start.
const MAX_KEYS: usize = 4096;
/// Longest name of a key.
const MAX_NAME: usize = 64;
/// Longest name of an owner, in characters: it is in each record.
const MAX_OWNER: usize = 128;
/// In place of names: all servers, also those that are added later.
const ALL: &str = "*";

/// Why a text can't stand in the config.
pub(super) type Reason = Box<dyn std::error::Error + Send + Sync>;

/// `[auth.keys.*]`, by the keys' names. `servers` are the names that the config has.
pub(super) fn read(section: Option<Section<'_, '_>>, servers: &[&str]) -> Vec<Key> {
    let Some(section) = section else {
        return Vec::new();
    };
    let mut keys = Vec::new();
    let mut taken = BTreeMap::new();
    if let Some(table) = section.section("keys") {
        for (i, (name, key)) in table.sections().into_iter().enumerate() {
            if i == MAX_KEYS {
                let why = Invalid::new(format!("more than {MAX_KEYS} keys"));
                table.reader.invalid(table.span(), "keys", why);
                break;
            }
            keys.extend(self::key(&name, key, servers, &mut taken));
        }
    }
    section.finish();
    keys
}

fn key(
    name: &Spanned<String>,
    section: Section<'_, '_>,
    servers: &[&str],
    taken: &mut BTreeMap<String, String>,
) -> Option<Key> {
    if let Err(why) = check_name(name.get_ref()) {
        section.reader.invalid(name.span(), name.get_ref(), why);
    }
    let hash = hash(name.get_ref(), &section, taken);
    let owner = match section.place("owner") {
        None => Some(name.get_ref().clone()),
        Some(_) => section.parsed("owner", "ann@example.com", owner),
    };
    let missing = "write the servers that it opens, servers = [\"fetch\"], or [\"*\"] for all";
    let open = self::servers(&section, servers, missing);
    section.finish();
    Some(Key { name: name.get_ref().clone(), hash: hash?, owner: owner?, servers: open? })
}

fn hash(name: &str, section: &Section<'_, '_>, taken: &mut BTreeMap<String, String>) -> Option<KeyHash> {
    let make = format!("make a key by `toolgate key new {name}`, which prints the line");
    if section.place("hash").is_none() {
        section.missing("hash", make);
        return None;
    }
    let text = section.text("hash", "sha256:…")?;
    let invalid = |why: Invalid| section.reader.invalid(text.span(), "hash", why);
    match text.get_ref().parse::<Digest>() {
        Err(error) => invalid(Invalid::new(error).hint(make)),
        Ok(digest) => match taken.insert(digest.to_string(), name.to_owned()) {
            Some(other) => invalid(Invalid::new(format!("[auth.keys.{other}] is the same key")).hint(make)),
            None => return Some(KeyHash::new(digest)),
        },
    }
    None
}

/// The servers that a key opens, or that a profile shows. They have to be said: one of nothing is of no use, and one of
/// everything is no default.
pub(super) fn servers(section: &Section<'_, '_>, known: &[&str], missing: &str) -> Option<Servers> {
    let Some(place) = section.place("servers") else {
        section.missing("servers", missing);
        return None;
    };
    let names = section.list("servers", "fetch", |name| server(name, known));
    if names.iter().any(|name| name == ALL) {
        if names.len() > 1 {
            let why = Invalid::new("`*` is all servers").hint("leave out the others, or leave out `*`");
            section.reader.invalid(place, "servers", why);
        }
        return Some(Servers::All);
    }
    Some(Servers::only(names))
}

fn server(name: &str, known: &[&str]) -> Result<String, Invalid> {
    if name == ALL || known.contains(&name) {
        return Ok(name.to_owned());
    }
    let invalid = Invalid::new(format!("there is no [servers.{name}]"));
    Err(match known {
        [] => invalid,
        known => invalid.hint(nearest(name, known, "the servers are")),
    })
}

fn owner(text: &str) -> Result<String, Invalid> {
    if is_reserved(text) {
        let invalid = Invalid::new(format!("`{text}` is how records name a caller without a key"));
        return Err(invalid.hint("choose another name"));
    }
    let is_name = (1..=MAX_OWNER).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    match is_name {
        true => Ok(text.to_owned()),
        false => Err(Invalid::new(format!("an owner has 1 to {MAX_OWNER} printable characters"))),
    }
}

fn check_name(name: &str) -> Result<(), Invalid> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if is_reserved(name) {
        return Err(Invalid::new(format!("`{name}` is how records name a caller without a key")));
    }
    if (1..=MAX_NAME).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(());
    }
    let cause = format!("the name of a key has 1 to {MAX_NAME} of A-Z, a-z, 0-9, `-` and `_`");
    Err(Invalid::new(cause).hint("rename the table: [auth.keys.ann], and say more in owner = \"…\""))
}

/// Keys of which some would be in vain.
pub(super) fn anonymous_beside_keys() -> Invalid {
    Invalid::new("there are [auth.keys], which nobody would need then")
        .hint("leave out allow-anonymous, or the keys")
}

/// The lines of a config that admit whoever has the key of that hash.
///
/// # Errors
/// What makes them no valid lines.
pub fn key_section(name: &str, hash: &str, by: &str, servers: &[String]) -> Result<String, Reason> {
    check_name(name).map_err(|invalid| invalid.cause)?;
    owner(by).map_err(|invalid| invalid.cause)?;
    if let Some(none) = servers.iter().find(|server| *server != ALL && !is_server_name(server)) {
        return Err(format!("`{none}` is not the name of a server").into());
    }
    // Without control characters, a string of JSON is one of TOML.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let servers: Vec<_> = servers.iter().map(|server| quoted(server)).collect();
    let servers = servers.join(", ");
    Ok(format!(
        "\n[auth.keys.{name}]\nhash = {}\nowner = {}\nservers = [{servers}]\n",
        quoted(hash),
        quoted(by)
    ))
}
