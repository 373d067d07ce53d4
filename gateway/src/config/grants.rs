//! `[servers.NAME.grants]`: what a server may touch. What is not here is refused.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use toolgate_runtime::policy::{EngineView, FilesGrant, Grants, HttpGrant, SecretGrant, TcpGrant};

use super::error::Invalid;
use super::quantity::size_up_to;
use super::raw::{Reader, Section};
use super::secrets;

/// Bytes that a folder may hold: what one disk holds.
const MAX_FOLDER: u64 = 1 << 50;

const FILES_EXAMPLE: &str = "{ host = \"./data\", guest = \"/data\", mode = \"ro\" }";

/// Of a server that is built in, it alone may look at the engine, and has no use for all else.
pub(super) fn read(section: Option<Section<'_, '_>>, base: &Path, is_built_in: bool) -> Grants {
    let Some(section) = section else {
        return Grants::default();
    };
    check_kinds(&section, is_built_in);
    let engine = section.list("docker", "containers", EngineView::parse);
    let before = section.reader.faults();
    let http = section.list("http", "GET https://api.example.com/v1/*", HttpGrant::parse);
    let whole = section.reader.faults() == before;
    let tcp = section.list("tcp", "db.internal:5432", TcpGrant::parse);
    let files = section.tables("files", FILES_EXAMPLE);
    let files = files.into_iter().filter_map(|directory| self::directory(directory, base)).collect();
    let env = section.section("env").map(environment).unwrap_or_default();
    let secrets = secrets::read(&section, base);
    let grants = match Grants::new(http, tcp, files, env) {
        // With http grants missing for a fault, every secret would seem to go nowhere.
        Ok(grants) if whole => with_secrets(grants, secrets, section.reader),
        Ok(grants) => grants,
        Err(error) => {
            section.reader.invalid(section.span(), error.capability, error.clone());
            Grants::default()
        }
    };
    section.finish();
    grants.with_engine(engine)
}

fn check_kinds(section: &Section<'_, '_>, is_built_in: bool) {
    let (useless, why): (&[&str], _) = if is_built_in {
        (&["http", "tcp", "files", "env", "secrets"], "the built-in server uses the engine alone")
    } else {
        (&["docker"], "only the server with builtin = \"docker\" looks at an engine")
    };
    for (key, place) in useless.iter().filter_map(|key| Some((*key, section.place(key)?))) {
        section.reader.invalid(place, key, Invalid::new(why).hint(format!("remove `{key}`")));
    }
}

fn with_secrets(
    mut grants: Grants,
    secrets: Vec<(Range<usize>, SecretGrant)>,
    reader: &Reader<'_>,
) -> Grants {
    for (span, secret) in secrets {
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
