//! One entry of a catalog to a section of our config, and notes on all of it that can't be in one.

use serde_json::{Map, Value};

use super::catalog::Entry;
use super::section::{Mount, Section};
use super::template::{Filled, fill};
use super::values::Values;
use crate::config::is_server_name;

/// Longest name of a server.
const MAX_NAME: usize = 32;

/// Characters of a description that go into a comment.
const MAX_ABOUT: usize = 200;

/// Members that say what it is, and nothing of how it runs.
const SILENT: [&str; 15] = [
    "name",
    "title",
    "description",
    "type",
    "kind",
    "dateAdded",
    "ref",
    "readme",
    "toolsUrl",
    "source",
    "upstream",
    "icon",
    "prompts",
    "resources",
    "metadata",
];

/// Members that are read.
const READ: [&str; 12] = [
    "image",
    "command",
    "env",
    "secrets",
    "volumes",
    "user",
    "allowHosts",
    "disableNetwork",
    "longLived",
    "remote",
    "tools",
    "config",
];

/// What became of an entry, not yet checked.
pub(super) struct Drafted {
    pub(super) entry: String,
    /// Of the section.
    pub(super) name: Option<String>,
    pub(super) section: Option<String>,
    pub(super) notes: Vec<String>,
}

/// Reads one entry, whose name is to differ from those that are taken.
pub(super) fn import(entry: &Entry, values: &Values, taken: &[String]) -> Drafted {
    let config = array(&entry.members, "config").cloned().unwrap_or_default();
    let values = values.or_defaults(&config);
    let mut reading = Reading { entry, values, section: Section::default(), notes: Vec::new() };
    let can_be = reading.all(taken);
    let Reading { section, notes, .. } = reading;
    let (name, text) = if can_be { (Some(section.name.clone()), Some(section.text())) } else { (None, None) };
    Drafted { entry: entry.name.clone(), name, section: text, notes }
}

struct Reading<'a> {
    entry: &'a Entry,
    values: Values,
    section: Section,
    notes: Vec<String>,
}

impl Reading<'_> {
    /// Whether there can be a section.
    fn all(&mut self, taken: &[String]) -> bool {
        if self.remote() || self.per_call() || !self.name(taken) || !self.image() {
            return false;
        }
        self.section.about = self.about();
        self.section.tools.clone_from(&self.entry.tools);
        self.section.command = self.texts("command", array(&self.entry.members, "command"));
        self.user();
        self.environment();
        self.secrets();
        for volume in self.texts("volumes", array(&self.entry.members, "volumes")) {
            self.volume(&volume);
        }
        self.network();
        if self.flag("longLived") {
            self.section.lifetime = Some("session");
        }
        self.rest();
        true
    }

    fn note(&mut self, note: impl Into<String>) {
        // One line, whatever a publisher wrote.
        let one_line = |c: char| if c.is_control() { ' ' } else { c };
        self.notes.push(note.into().chars().map(one_line).collect());
    }

    fn text(&self, member: &str) -> Option<&str> {
        self.entry.members.get(member)?.as_str().filter(|text| !text.is_empty())
    }

    fn flag(&self, member: &str) -> bool {
        self.entry.members.get(member) == Some(&Value::Bool(true))
    }

    fn remote(&mut self) -> bool {
        let remote = self.entry.members.get("remote").and_then(Value::as_object);
        let url = remote.and_then(|remote| remote.get("url")).and_then(Value::as_str);
        let Some(url) = url.or_else(|| self.text("sseEndpoint")).map(str::to_owned) else { return false };
        let headers = remote.and_then(|remote| remote.get("headers")).and_then(Value::as_object);
        let headers: Vec<&str> = headers.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        let headers = if headers.is_empty() {
            String::new()
        } else {
            format!(", with the headers {}", headers.join(", "))
        };
        let oauth = if self.entry.members.contains_key("oauth") { ", by OAuth" } else { "" };
        self.note(format!(
            "it is a server elsewhere, at {url}{headers}{oauth}: this gateway serves none yet"
        ));
        true
    }

    fn per_call(&mut self) -> bool {
        let is_poci = ["type", "kind"].iter().any(|member| self.text(member) == Some("poci"));
        if is_poci {
            self.note("each of its tools is a command in a container (poci), and no server of MCP");
        }
        is_poci
    }

    fn name(&mut self, taken: &[String]) -> bool {
        let allowed = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' };
        let name: String = self.entry.name.to_ascii_lowercase().chars().map(allowed).collect();
        let name: String = name.trim_matches('-').chars().take(MAX_NAME).collect();
        if !is_server_name(&name) {
            self.note("no name of a server can be made of its own");
            return false;
        }
        if taken.contains(&name) {
            self.note(format!("it would be named {name}, as another is: import it by itself, and rename it"));
            return false;
        }
        if name != self.entry.name {
            self.note(format!("it is named {name} here"));
        }
        self.section.name = name;
        true
    }

    fn image(&mut self) -> bool {
        let Some(image) = self.text("image").map(str::to_owned) else {
            let source = self.text("source").map(|source| format!("; it is listed at {source}"));
            self.note(format!("it names no image{}", source.unwrap_or_default()));
            return false;
        };
        if !image.contains("@sha256:") {
            self.note(format!("{image} has no digest: whoever can push the tag chooses what runs"));
        }
        self.section.image = image;
        true
    }

    fn about(&self) -> Option<String> {
        let words = self.text("description").or_else(|| self.text("title"))?;
        let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
        Some(line.chars().filter(|c| !c.is_control()).take(MAX_ABOUT).collect())
    }

    /// The texts of a list; those that stand for nothing are noted, and left out.
    fn texts(&mut self, member: &str, items: Option<&Vec<Value>>) -> Vec<String> {
        let mut texts = Vec::new();
        for item in items.into_iter().flatten() {
            let Some(item) = item.as_str() else {
                self.note(format!("`{member}` holds {item}, which is no text"));
                continue;
            };
            match fill(item, &self.values) {
                Ok(filled) => texts.extend(filled.into_texts()),
                Err(why) => self.note(format!("`{member}` is without {item}: {why}")),
            }
        }
        texts
    }

    fn user(&mut self) {
        let Some(user) = self.text("user").map(str::to_owned) else { return };
        match fill(&user, &self.values) {
            Ok(Filled::One(user)) => self.section.user = Some(user),
            Ok(Filled::Many(_)) => self.note(format!("`user` is {user}, a list")),
            Err(why) => self.note(format!("it runs as nobody, not as {user}: {why}")),
        }
    }

    fn environment(&mut self) {
        for (name, value) in self.pairs("env", "value") {
            if let Some(secret) = self.secret_in(&value) {
                self.note(format!(
                    "{name} holds the secret {secret} within a longer text: set {name} of the gateway to the whole"
                ));
                self.section.secrets.push(name);
                continue;
            }
            match fill(&value, &self.values) {
                Ok(Filled::One(value)) => self.section.env.push((name, value)),
                Ok(Filled::Many(_)) => self.note(format!("`env` is without {name}: {value} is a list")),
                Err(why) => self.note(format!("`env` is without {name}: {why}")),
            }
        }
    }

    /// A secret's variable that a text names with `$`.
    fn secret_in(&self, text: &str) -> Option<String> {
        let variables = self.pairs("secrets", "env").into_iter().map(|(_, variable)| variable);
        variables.into_iter().find(|variable| {
            text.contains(&format!("${variable}")) || text.contains(&format!("${{{variable}}}"))
        })
    }

    fn secrets(&mut self) {
        for (name, variable) in self.pairs("secrets", "env") {
            if self.section.secrets.contains(&variable) {
                continue;
            }
            self.note(format!("set {variable} of the gateway's environment to the secret {name}"));
            self.section.secrets.push(variable);
        }
    }

    /// The objects of a list, as their names and another member.
    fn pairs(&self, list: &str, member: &str) -> Vec<(String, String)> {
        let text = |object: &Value, member: &str| match object.get(member)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            _ => None,
        };
        let pair = |object: &Value| Some((text(object, "name")?, text(object, member)?));
        array(&self.entry.members, list).into_iter().flatten().filter_map(pair).collect()
    }

    fn volume(&mut self, volume: &str) {
        let mut parts = volume.split(':');
        let (Some(host), Some(guest), mode, None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return self.note(format!("the volume {volume} is no HOST:CONTAINER:MODE"));
        };
        if host.ends_with("docker.sock") {
            return self.note(format!("the volume {volume} is left out: who has the engine has the machine"));
        }
        if !host.contains('/') {
            return self.note(format!(
                "the volume {host} at {guest} is one that the engine keeps: grant a folder in its place, \
                 files = [{{ host = \"./{host}\", guest = \"{guest}\", mode = \"rw\" }}]"
            ));
        }
        let mode = match mode {
            Some("rw") => "rw",
            Some("ro") => "ro",
            _ => {
                self.note(format!(
                    "{host} can only be read: write mode = \"rw\" where it is to be written to"
                ));
                "ro"
            }
        };
        self.section.files.push(Mount { host: host.to_owned(), guest: guest.to_owned(), mode });
    }

    fn network(&mut self) {
        let hosts = self.texts("allowHosts", array(&self.entry.members, "allowHosts"));
        if self.flag("disableNetwork") {
            return;
        }
        if hosts.is_empty() {
            self.note("its catalog leaves it the whole network, and here it has none: name its hosts, http = [\"* https://HOST/*\"]");
        }
        for host in hosts {
            self.host(&host);
        }
    }

    fn host(&mut self, host: &str) {
        let (name, port) = host.rsplit_once(':').unwrap_or((host, "443"));
        match (name, port) {
            ("*" | "", _) => self.note(format!("`allowHosts` is without {host}: name the hosts")),
            (_, "443") => self.section.http.push(format!("* https://{name}/*")),
            (_, "80") => self.section.http.push(format!("* http://{name}/*")),
            _ => self.section.tcp.push(format!("{name}:{port}")),
        }
    }

    /// Whatever else is there.
    fn rest(&mut self) {
        let known = |name: &str| SILENT.contains(&name) || READ.contains(&name);
        let empty = |value: &Value| match value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(members) => members.is_empty(),
            Value::Bool(flag) => !flag,
            Value::Number(_) => false,
        };
        let members = &self.entry.members;
        let rest = members.iter().filter(|(name, value)| !known(name) && !empty(value));
        let rest: Vec<String> = rest.map(|(name, _)| name.clone()).collect();
        for name in rest {
            self.note(format!("`{name}` has no meaning here, and is left out"));
        }
    }
}

fn array<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Vec<Value>> {
    members.get(name)?.as_array()
}
