//! A section of our config as TOML, which is read as it was meant: a `${` of a catalog stays one, and is no
//! variable of the gateway's environment.

use serde_json::Value;

/// One `[servers.NAME]`, as far as an image needs it.
#[derive(Clone, Debug, Default)]
pub(super) struct Section {
    pub(super) name: String,
    /// What it is, in a comment.
    pub(super) about: Option<String>,
    pub(super) image: String,
    pub(super) tools: Option<Vec<String>>,
    pub(super) command: Vec<String>,
    pub(super) user: Option<String>,
    pub(super) lifetime: Option<&'static str>,
    pub(super) http: Vec<String>,
    pub(super) tcp: Vec<String>,
    pub(super) files: Vec<Mount>,
    pub(super) env: Vec<(String, String)>,
    /// Variables whose values are secrets, taken from those of the gateway with the same names.
    pub(super) secrets: Vec<String>,
}

/// A folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) host: String,
    pub(super) guest: String,
    pub(super) mode: &'static str,
}

impl Section {
    /// As TOML.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        if let Some(about) = &self.about {
            put(&mut text, format_args!("# {about}"));
        }
        let name = &self.name;
        put(&mut text, format_args!("[servers.{name}]"));
        put(&mut text, format_args!("image = {}", quoted(&self.image)));
        if let Some(tools) = &self.tools {
            put(&mut text, format_args!("tools = {}", list(tools)));
        }
        self.container(&mut text);
        self.grants(&mut text);
        text
    }

    fn container(&self, text: &mut String) {
        let mut lines = Vec::new();
        lines.extend((!self.command.is_empty()).then(|| format!("command = {}", list(&self.command))));
        lines.extend(self.user.as_ref().map(|user| format!("user = {}", quoted(user))));
        lines.extend(self.lifetime.map(|lifetime| format!("lifetime = {}", quoted(lifetime))));
        self.part(text, "container", &lines);
    }

    fn grants(&self, text: &mut String) {
        let mut lines = Vec::new();
        lines.extend((!self.http.is_empty()).then(|| format!("http = {}", list(&self.http))));
        lines.extend((!self.tcp.is_empty()).then(|| format!("tcp = {}", list(&self.tcp))));
        let mount = |Mount { host, guest, mode }: &Mount| {
            let (host, guest) = (quoted(host), quoted(guest));
            format!("{{ host = {host}, guest = {guest}, mode = \"{mode}\" }}")
        };
        lines.extend(array("files", self.files.iter().map(mount)));
        let secret = |name: &String| {
            let (from, name) = (quoted(&format!("env:{name}")), quoted(name));
            format!("{{ from = {from}, env = {name} }}")
        };
        lines.extend(array("secrets", self.secrets.iter().map(secret)));
        let pairs = self.env.iter().map(|(name, value)| format!("{} = {}", key(name), quoted(value)));
        let pairs: Vec<String> = pairs.collect();
        lines.extend((!pairs.is_empty()).then(|| format!("env = {{ {} }}", pairs.join(", "))));
        self.part(text, "grants", &lines);
    }

    fn part(&self, text: &mut String, part: &str, lines: &[String]) {
        if !lines.is_empty() {
            put(text, format_args!("[servers.{}.{part}]", self.name));
            lines.iter().for_each(|line| put(text, format_args!("{line}")));
        }
    }
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.push_str(&line.to_string());
    text.push('\n');
}

/// `key = [` and one item a line; nothing where there is none.
fn array(key: &str, items: impl Iterator<Item = String>) -> Option<String> {
    let items: Vec<String> = items.map(|item| format!("  {item},\n")).collect();
    (!items.is_empty()).then(|| format!("{key} = [\n{}]", items.concat()))
}

fn list(items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| quoted(item)).collect();
    format!("[{}]", items.join(", "))
}

/// A key, in quotes where it must be.
fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(is_bare) { name.to_owned() } else { quoted(name) }
}

/// A string of JSON is one of TOML, but for the character DEL.
fn quoted(text: &str) -> String {
    let text = text.replace("${", "$${");
    Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}
