//! `[servers.NAME.grants]`: what a server may touch. What is not here is refused.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use toolgate_runtime::policy::{EngineView, FilesGrant, Grants, HttpGrant, SecretGrant, SecretUse, TcpGrant};
use toolgate_runtime::remote::Place;

use super::error::Invalid;
use super::quantity::size_up_to;
use super::raw::{Reader, Section};
use super::secrets;

/// Bytes that a folder may hold: what one disk holds.
const MAX_FOLDER: u64 = 1 << 50;

const FILES_EXAMPLE: &str = "{ host = \"./data\", guest = \"/data\", mode = \"ro\" }";

/// What kind of server grants are for.
#[derive(Clone, Copy)]
pub(super) enum Kind<'a> {
    /// A component or an image.
    Artifact,
    /// The one that is built in: it alone may look at the engine, and has no use for all else.
    BuiltIn,
    /// One elsewhere: requests go there, with secrets, and nothing else of this machine is its.
    Remote(&'a Place),
}

/// What the section grants, and what goes without saying.
pub(super) fn read(section: Option<Section<'_, '_>>, base: &Path, kind: Kind<'_>) -> Grants {
    let Some(section) = section else {
        return own(kind);
    };
    check_kinds(&section, kind);
    let engine = section.list("docker", "containers", EngineView::parse);
    let before = section.reader.faults();
    let http = section.list("http", "GET https://api.example.com/v1/*", HttpGrant::parse);
    let whole = section.reader.faults() == before;
    let tcp = section.list("tcp", "db.internal:5432", TcpGrant::parse);
    let files = section.tables("files", FILES_EXAMPLE);
    let files = files.into_iter().filter_map(|directory| self::directory(directory, base)).collect();
    let env = section.section("env").map(environment).unwrap_or_default();
    let secrets = secrets::read(&section, base);
    let grants = match kind {
        Kind::Remote(_) => Ok(own(kind)),
        Kind::Artifact | Kind::BuiltIn => Grants::new(http, tcp, files, env),
    };
    let grants = match grants {
        // With http grants missing for a fault, every secret would seem to go nowhere.
        Ok(grants) if whole => with_secrets(grants, secrets, kind, section.reader),
        Ok(grants) => grants,
        Err(error) => {
            section.reader.invalid(section.span(), error.capability, error.clone());
            Grants::default()
        }
    };
    section.finish();
    grants.with_engine(engine)
}

/// What a server may without a grant.
fn own(kind: Kind<'_>) -> Grants {
    match kind {
        Kind::Remote(place) => place.grants().unwrap_or_default(),
        Kind::Artifact | Kind::BuiltIn => Grants::default(),
    }
}

fn check_kinds(section: &Section<'_, '_>, kind: Kind<'_>) {
    let (useless, why): (&[&str], _) = match kind {
        Kind::BuiltIn => {
            (&["http", "tcp", "files", "env", "secrets"], "the built-in server uses the engine alone")
        }
        Kind::Artifact => (&["docker"], "only the server with builtin = \"docker\" looks at an engine"),
        Kind::Remote(_) => {
            (&["http", "tcp", "files", "env", "docker"], "a server elsewhere uses nothing of this machine")
        }
    };
    for (key, place) in useless.iter().filter_map(|key| Some((*key, section.place(key)?))) {
        section.reader.invalid(place, key, Invalid::new(why).hint(format!("remove `{key}`")));
    }
}

fn with_secrets(
    mut grants: Grants,
    secrets: Vec<(Range<usize>, SecretGrant)>,
    kind: Kind<'_>,
    reader: &Reader<'_>,
) -> Grants {
    for (span, secret) in secrets {
        if let (Kind::Remote(_), SecretUse::Env(_)) = (kind, secret.usage()) {
            let why = Invalid::new("a server elsewhere has no variable of ours");
            reader.invalid(
                span,
                "secrets",
                why.hint("write header = \"authorization\" and `to`, in place of `env`"),
            );
            continue;
        }
        if let Err(error) = grants.add_secret(secret) {
            reader.invalid(span, "secrets", Invalid::from(error));
        }
    }
    grants
}

fn environment(section: Section<'_, '_>) -> BTreeMap<String, String> {
    let pairs = section.names().into_iter();
    pairs.map(|(name, value)| (name.into_inner(), value.into_inner())).collect()
}

fn directory(section: Section<'_, '_>, base: &Path) -> Option<FilesGrant> {
    let host = section.text("host", "./data");
    let guest = section.text("guest", "/data");
    let mode = section.text("mode", "ro");
    let max = section.parsed("max", "1GiB", size_up_to(MAX_FOLDER));
    for key in ["host", "guest", "mode"] {
        if section.place(key).is_none() {
            section.missing(key, format!("write {FILES_EXAMPLE}"));
        }
    }
    let span = section.span();
    let reader = section.reader;
    section.finish();
    let (host, guest, mode) = (host?, guest?, mode?);
    let grant = FilesGrant::parse(host.get_ref(), guest.get_ref(), mode.get_ref());
    let bounded = |grant: FilesGrant| match max {
        Some(max) => grant.with_max(max),
        None => Ok(grant),
    };
    match grant.and_then(bounded) {
        Ok(grant) => Some(grant.under(base)),
        Err(error) => {
            reader.invalid(span, "files", Invalid::from(error));
            None
        }
    }
}
