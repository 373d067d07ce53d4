//! `[servers.NAME.grants]`: what a server may touch. What is not here is refused.

use std::collections::BTreeMap;
use std::path::Path;

use toolgate_runtime::policy::{FilesGrant, Grants, HttpGrant, TcpGrant};

use super::error::{Invalid, Problem};
use super::raw::Section;

const FILES_EXAMPLE: &str = "{ host = \"./data\", guest = \"/data\", mode = \"ro\" }";

pub(super) fn read(section: Option<Section<'_, '_>>, base: &Path) -> Grants {
    let Some(section) = section else {
        return Grants::default();
    };
    let http = section.list("http", "GET https://api.example.com/v1/*", HttpGrant::parse);
    let tcp = section.list("tcp", "db.internal:5432", TcpGrant::parse);
    let files = section.tables("files", FILES_EXAMPLE);
    let files = files.into_iter().filter_map(|directory| self::directory(directory, base)).collect();
    let env = section.section("env").map(environment).unwrap_or_default();
    refuse_secrets(&section);
    let grants = Grants::new(http, tcp, files, env).unwrap_or_else(|error| {
        section.reader.invalid(section.span(), error.capability, error.clone());
        Grants::default()
    });
    section.finish();
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
    for key in ["host", "guest", "mode"] {
        if section.place(key).is_none() {
            section.missing(key, format!("write {FILES_EXAMPLE}"));
        }
    }
    let span = section.span();
    let reader = section.reader;
    section.finish();
    let (host, guest, mode) = (host?, guest?, mode?);
    match FilesGrant::parse(host.get_ref(), guest.get_ref(), mode.get_ref()) {
        Ok(grant) => Some(grant.under(base)),
        Err(error) => {
            reader.invalid(span, "files", Invalid::from(error));
            None
        }
    }
}

/// Secrets must never be taken for granted and then left out.
fn refuse_secrets(section: &Section<'_, '_>) {
    if let Some(span) = section.place("secrets") {
        let problem = Problem::Unsupported {
            key: "secrets".to_owned(),
            hint: "remove it; a value in `env` would be readable by the tool".to_owned(),
        };
        section.reader.report(span, problem);
    }
}
