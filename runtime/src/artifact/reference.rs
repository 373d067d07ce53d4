//! Where an artifact is: `oci://HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]`,
//! `oci-layout:DIR[:TAG][@DIGEST]` or `file:PATH`.
//!
//! Parsed once, at the edge; everything below takes the parsed form. A reference comes from the
//! operator, so a mistake gets the corrected text as a hint. The grammar of hosts, repositories and
//! tags is that of the OCI distribution specification; nothing is guessed (no default registry).

mod grammar;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::digest::Digest;
use grammar::{check_registry, check_repository, check_tag};

/// Longest reference that is looked at; keeps megabytes of text out of messages and URLs.
pub const MAX_REFERENCE: usize = 4096;
/// The tag of a reference that has neither tag nor digest.
pub const DEFAULT_TAG: &str = "latest";

/// A parsed reference. `Display` prints what [`FromStr`] reads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reference {
    /// In a registry.
    Oci(OciReference),
    /// In an OCI image-layout directory.
    Layout(LayoutReference),
    /// A component file.
    File(PathBuf),
}

/// A place in a registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OciReference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// A place in an image-layout directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LayoutReference {
    directory: PathBuf,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl OciReference {
    /// `host` or `host:port`.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository, without the registry.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag as written.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest of the manifest. Where there is one it decides, and the tag is only a remark.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }
}

impl LayoutReference {
    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The tag as written.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest of the manifest. Where there is one it decides, and the tag is only a remark.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }
}

impl Reference {
    /// The digest that the reference pins, if any.
    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Oci(oci) => oci.digest(),
            Self::Layout(layout) => layout.digest(),
            Self::File(_) => None,
        }
    }

    /// The same reference with relative paths taken from `base`, the directory of the config.
    #[must_use]
    pub fn relative_to(mut self, base: &Path) -> Self {
        match &mut self {
            Self::Oci(_) => {}
            Self::Layout(layout) => layout.directory = base.join(&layout.directory),
            Self::File(path) => *path = base.join(&path),
        }
        self
    }
}

/// Why a text is no reference, and what may have been meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{reference}` is not a reference: {cause}{}", hint_suffix(.hint))]
pub struct ReferenceError {
    /// The text, shortened and without control characters.
    pub reference: String,
    /// What is wrong.
    pub cause: String,
    /// The text that may have been meant.
    pub hint: Option<String>,
}

fn hint_suffix(hint: &Option<String>) -> String {
    hint.as_ref().map(|hint| format!(" (write `{hint}`)")).unwrap_or_default()
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Oci(oci) => oci.fmt(f),
            Self::Layout(layout) => layout.fmt(f),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

impl fmt::Display for OciReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oci://{}/{}", self.registry, self.repository)?;
        write_version(f, self.tag(), self.digest())
    }
}

impl fmt::Display for LayoutReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oci-layout:{}", self.directory.display())?;
        write_version(f, self.tag(), self.digest())
    }
}

fn write_version(f: &mut fmt::Formatter<'_>, tag: Option<&str>, digest: Option<&Digest>) -> fmt::Result {
    if let Some(tag) = tag {
        write!(f, ":{tag}")?;
    }
    if let Some(digest) = digest {
        write!(f, "@{digest}")?;
    }
    Ok(())
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        parse(text).map_err(|Fault { cause, hint }| ReferenceError { reference: excerpt(text), cause, hint })
    }
}

struct Fault {
    cause: String,
    hint: Option<String>,
}

fn fault(cause: impl Into<String>) -> Fault {
    Fault { cause: cause.into(), hint: None }
}

impl Fault {
    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// The start of `text`, safe to print on one line.
fn excerpt(text: &str) -> String {
    const SHOWN: usize = 200;
    let mut shown: String = text.chars().take(SHOWN).map(printable).collect();
    if shown.len() < text.len() && text.chars().count() > SHOWN {
        shown.push('…');
    }
    shown
}

fn printable(character: char) -> char {
    if character.is_control() { '\u{fffd}' } else { character }
}

fn parse(text: &str) -> Result<Reference, Fault> {
    if text.len() > MAX_REFERENCE {
        return Err(fault(format!("it is longer than {MAX_REFERENCE} bytes")));
    }
    if text.chars().any(char::is_control) {
        return Err(fault("it contains a control character"));
    }
    if let Some(rest) = text.strip_prefix("oci://") {
        return parse_oci(rest).map(Reference::Oci);
    }
    if let Some(rest) = text.strip_prefix("oci-layout:") {
        return parse_layout(rest).map(Reference::Layout);
    }
    if let Some(path) = text.strip_prefix("file:") {
        if path.is_empty() {
            return Err(fault("the path is missing").hint("file:PATH"));
        }
        return Ok(Reference::File(path.into()));
    }
    Err(unknown_scheme(text))
}

/// Guesses what someone meant who wrote no scheme, or another tool's.
fn unknown_scheme(text: &str) -> Fault {
    let cause = "it starts with neither `oci://`, `oci-layout:` nor `file:`";
    if text.is_empty() {
        return fault("it is empty");
    }
    for foreign in ["docker://", "https://", "http://", "oci+https://"] {
        if let Some(rest) = text.strip_prefix(foreign) {
            return fault(cause).hint(format!("oci://{}", excerpt(rest)));
        }
    }
    if let Some(rest) = text.strip_prefix("oci:") {
        return fault(cause).hint(format!("oci-layout:{}", excerpt(rest)));
    }
    if text.starts_with(['.', '/', '~']) || text.ends_with(".wasm") {
        return fault(cause).hint(format!("file:{}", excerpt(text)));
    }
    if text.contains('/') {
        return fault(cause).hint(format!("oci://{}", excerpt(text)));
    }
    fault(cause)
}

fn parse_oci(text: &str) -> Result<OciReference, Fault> {
    let (name, digest) = split_digest(text)?;
    let Some((registry, rest)) = name.split_once('/') else {
        return Err(fault("the repository is missing").hint("oci://HOST/REPOSITORY:TAG"));
    };
    let (repository, tag) = match rest.split_once(':') {
        Some((repository, tag)) => (repository, Some(tag)),
        None => (rest, None),
    };
    check_registry(registry)?;
    check_repository(repository).map_err(|fault| {
        let lower = format!(
            "oci://{registry}/{}",
            text[registry.len() + 1..].replacen(repository, &repository.to_ascii_lowercase(), 1,)
        );
        if check_repository(&repository.to_ascii_lowercase()).is_ok() {
            fault.hint(excerpt(&lower))
        } else {
            fault
        }
    })?;
    if let Some(tag) = tag {
        check_tag(tag)?;
    }
    Ok(OciReference {
        registry: registry.to_owned(),
        repository: repository.to_owned(),
        tag: tag.map(str::to_owned),
        digest,
    })
}

fn parse_layout(text: &str) -> Result<LayoutReference, Fault> {
    let (name, digest) = split_digest(text)?;
    // A directory may contain colons; a tag can't contain a slash.
    let (directory, tag) = match name.rsplit_once(':') {
        Some((directory, tag)) if !tag.contains('/') => (directory, Some(tag)),
        _ => (name, None),
    };
    if directory.is_empty() {
        return Err(fault("the directory is missing").hint("oci-layout:DIR:TAG"));
    }
    if let Some(tag) = tag {
        check_tag(tag)?;
    }
    Ok(LayoutReference { directory: directory.into(), tag: tag.map(str::to_owned), digest })
}

/// Splits `@DIGEST` off. An `@` before the last slash belongs to a directory's name.
fn split_digest(text: &str) -> Result<(&str, Option<Digest>), Fault> {
    match text.rsplit_once('@') {
        Some((name, digest)) if !digest.contains('/') => match digest.parse() {
            Ok(digest) => Ok((name, Some(digest))),
            Err(cause) => Err(fault(format!("`@{}`: {cause}", excerpt(digest)))),
        },
        _ => Ok((text, None)),
    }
}

/// Registry and repository of an image as docker reads its name: `mcp/time:1` is `mcp/time` of `docker.io`,
/// and a first part with a dot, a port, or of `localhost` names another registry.
pub(super) fn of_image(image: &str) -> (String, String) {
    let name = image.split('@').next().unwrap_or_default();
    let is_registry = |part: &str| part.contains(['.', ':']) || part == "localhost";
    let (registry, repository) = match name.split_once('/') {
        Some((registry, repository)) if is_registry(registry) => (registry, repository.to_owned()),
        Some(_) => ("docker.io", name.to_owned()),
        None => ("docker.io", format!("library/{name}")),
    };
    let repository = repository.split(':').next().unwrap_or_default();
    (registry.to_owned(), repository.to_owned())
}

#[cfg(test)]
mod tests;
