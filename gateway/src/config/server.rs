//! `[servers.NAME]`: one artifact, what it is called, and the policy that it runs under.

use std::collections::BTreeMap;
use std::path::Path;

use toml::Spanned;
use toolgate_runtime::artifact::Reference;
use toolgate_runtime::docker::DockerOptions;
use toolgate_runtime::policy::Policy;
use toolgate_runtime::remote::RemoteOptions;
use toolgate_runtime::sandbox::Naming;

use super::error::Invalid;
use super::grants::Kind;
use super::overrides::{self, Overrides};
use super::profiles::surface;
use super::raw::Section;
use super::{container, grants, limits, remote};
use crate::catalog::Surface;

/// Longest server name: with `__` it must leave room for a tool's in 64 characters.
const MAX_NAME: usize = 32;
/// Longest tool name that the strictest client takes.
const MAX_TOOL_NAME: usize = 64;

/// The one server that the gateway has in itself.
const BUILT_IN: &str = "docker";

/// One server.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// `[a-z0-9][a-z0-9-]{0,31}`.
    pub name: String,
    /// The WASI component.
    pub component: Option<Reference>,
    /// The container image, used where the component can't be, and how it is run.
    pub container: Option<DockerOptions>,
    /// Where it is and how it is spoken to, of a server elsewhere, which has neither of the two.
    pub remote: Option<RemoteOptions>,
    /// Whether it is the gateway's own server that looks at the engine, and has neither of the two.
    pub is_built_in: bool,
    /// What is to run it.
    pub backend: BackendChoice,
    /// Which of its tools are offered, and as what.
    pub naming: Naming,
    /// What else is to be different of them.
    pub overrides: Overrides,
    /// What its own endpoint lists as its tools.
    pub surface: Surface,
    /// What it may do and use up.
    pub policy: Policy,
}

impl ServerConfig {
    /// Where it comes from, as written.
    pub fn source(&self) -> String {
        if let Some(remote) = &self.remote {
            return remote.place.to_string();
        }
        match (&self.component, &self.container) {
            (Some(component), _) => component.to_string(),
            (None, Some(container)) => container.image.clone(),
            (None, None) if self.is_built_in => BUILT_IN.to_owned(),
            (None, None) => String::new(),
        }
    }
}

impl BackendChoice {
    fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Wasm => "wasm",
            Self::Docker => "docker",
            Self::Remote => "remote",
        }
    }
}

/// What is to run a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BackendChoice {
    /// The component if there is one, else the image.
    #[default]
    Auto,
    /// The component or nothing.
    Wasm,
    /// The image or nothing.
    Docker,
    /// A server elsewhere.
    Remote,
}

pub(super) fn read(name: &Spanned<String>, section: Section<'_, '_>, base: &Path) -> ServerConfig {
    if let Err(why) = check_name(name.get_ref()) {
        section.reader.invalid(name.span(), name.get_ref(), why);
    }
    let component = section.parsed("component", "oci://ghcr.io/acme/fetch:1.2", |text| reference(text, base));
    let image = section.parsed("image", "mcp/fetch:1.2", image);
    let (has_component, has_image) = (section.place("component").is_some(), section.place("image").is_some());
    let read = limits::read(section.section("limits"), has_component, has_image);
    let container = section.section("container");
    let only_of_images = match (has_image, container.is_some(), read.cpus.is_some()) {
        (false, true, _) => Some("[container] says how an image is run"),
        (false, false, true) => Some("`cpus` holds for containers"),
        _ => None,
    };
    if let Some(why) = only_of_images {
        section.missing("image", format!("{why}: add image = \"REPOSITORY:TAG\""));
    }
    let options = container::read(image.clone().unwrap_or_default(), container);
    let container = image.map(|_| DockerOptions {
        memory: read.memory.unwrap_or(options.memory),
        cpus: read.cpus.unwrap_or(options.cpus),
        ..options
    });
    let backend = section.parsed("backend", "auto", backend);
    if let (Some(choice @ (BackendChoice::Wasm | BackendChoice::Docker)), Some(at)) =
        (backend, section.place("url"))
    {
        let why = Invalid::new(format!("a server with a `url` is not run by {}", choice.as_str()));
        section.reader.invalid(at, "url", why.hint("remove `backend`, or `url`"));
    }
    let is_built_in = section.parsed("builtin", BUILT_IN, built_in).is_some();
    check_built_in(&section, is_built_in);
    let remote = remote::read(&section);
    let kind = match &remote {
        _ if is_built_in => Kind::BuiltIn,
        Some(remote) => Kind::Remote(&remote.place),
        None => Kind::Artifact,
    };
    let server = ServerConfig {
        name: name.get_ref().clone(),
        is_built_in,
        backend: backend.unwrap_or_default(),
        naming: naming(&section),
        overrides: overrides::read(section.section("override")),
        surface: surface(&section),
        policy: Policy { grants: grants::read(section.section("grants"), base, kind), limits: read.limits },
        component,
        container,
        remote,
    };
    if !is_built_in && section.place("url").is_none() {
        check_source(&section, server.backend);
    }
    section.finish();
    server
}

fn built_in(text: &str) -> Result<(), Invalid> {
    if text == BUILT_IN {
        return Ok(());
    }
    Err(Invalid::new(format!("no server `{text}` is built in"))
        .hint(format!("write builtin = \"{BUILT_IN}\"")))
}

/// It is what it is: nothing else can run in its place.
fn check_built_in(section: &Section<'_, '_>, is_built_in: bool) {
    let others = ["component", "image", "backend"].into_iter().filter(|_| is_built_in);
    for (key, place) in others.filter_map(|key| Some((key, section.place(key)?))) {
        let why = Invalid::new("a server that is built in runs in the gateway itself");
        section.reader.invalid(place, key, why.hint(format!("remove `{key}`, or `builtin`")));
    }
}

fn check_source(section: &Section<'_, '_>, backend: BackendChoice) {
    let component = "component = \"oci://REGISTRY/REPOSITORY:TAG\"";
    let image = "image = \"REPOSITORY:TAG\"";
    let has = |key| section.place(key).is_some();
    match backend {
        BackendChoice::Wasm if !has("component") => {
            section.missing("component", format!("add {component}"));
        }
        BackendChoice::Docker if !has("image") => section.missing("image", format!("add {image}")),
        BackendChoice::Remote => section.missing("url", "add url = \"https://mcp.example.com/mcp\""),
        BackendChoice::Auto if !has("component") && !has("image") => {
            section.missing("component", format!("add {component}"));
        }
        _ => {}
    }
}

fn check_name(name: &str) -> Result<(), Invalid> {
    if is_server_name(name) {
        return Ok(());
    }
    let cause = format!("a server name has 1 to {MAX_NAME} of a-z, 0-9 and `-`, and no `-` in front");
    Err(Invalid::new(cause).hint("rename the table: [servers.my-tool]"))
}

/// `[a-z0-9][a-z0-9-]{0,31}`.
pub fn is_server_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=MAX_NAME).contains(&name.len()) && name.chars().all(allowed) && !name.starts_with('-')
}

fn reference(text: &str, base: &Path) -> Result<Reference, Invalid> {
    let reference: Reference = text.parse()?;
    Ok(reference.relative_to(base))
}

fn image(text: &str) -> Result<String, Invalid> {
    if text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Invalid::new("not the reference of an image").hint("write mcp/fetch:1.2"));
    }
    Ok(text.to_owned())
}

fn backend(text: &str) -> Result<BackendChoice, Invalid> {
    match text {
        "auto" => Ok(BackendChoice::Auto),
        "wasm" => Ok(BackendChoice::Wasm),
        "docker" => Ok(BackendChoice::Docker),
        "remote" => Ok(BackendChoice::Remote),
        _ => {
            Err(Invalid::new(format!("`{text}` is not a backend")).hint("write auto, wasm, docker or remote"))
        }
    }
}

fn naming(section: &Section<'_, '_>) -> Naming {
    let only = section.list("tools", "get-page", |text| check_tool_name(text).map(|()| text.to_owned()));
    let only = section.place("tools").map(|_| only.into_iter().collect());
    Naming { rename: section.section("rename").map(rename).unwrap_or_default(), only }
}

fn rename(section: Section<'_, '_>) -> BTreeMap<String, String> {
    let mut tools = BTreeMap::new();
    let mut taken = BTreeMap::new();
    for (function, tool) in section.names() {
        let (key, name) = (function.get_ref(), tool.get_ref());
        if let Err(why) = check_tool_name(name) {
            section.reader.invalid(tool.span(), key, why);
        } else if let Some(other) = taken.insert(name.clone(), key.clone()) {
            let why = Invalid::new(format!("`{other}` is already renamed to `{name}`"));
            section.reader.invalid(tool.span(), key, why);
        }
        tools.insert(function.into_inner(), tool.into_inner());
    }
    tools
}

pub(super) fn check_tool_name(name: &str) -> Result<(), Invalid> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if (1..=MAX_TOOL_NAME).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(());
    }
    Err(Invalid::new(format!("`{name}` is not a tool name")).hint("use A-Z, a-z, 0-9, `_` and `-`"))
}
