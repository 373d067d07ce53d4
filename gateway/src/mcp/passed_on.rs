//! The result of a server that speaks MCP, passed on with metadata of ours. All else stays the text it is.

use serde_json::value::RawValue;

use super::revision::Revision;
use super::tools_call::RESULT_TYPE;
use crate::json::{Members, raw, string};

/// What begins the names of metadata that is ours: no server may speak in our name.
const OURS: [&str; 2] = ["toolgate/", "io.modelcontextprotocol/serverInfo"];

/// Writes a result with the members `own` in its metadata, for a client of that revision.
pub(super) fn write(out: &mut Vec<u8>, message: &RawValue, revision: Revision, own: &[u8]) {
    // The sandbox has seen that it is an object.
    let Members(members) = serde_json::from_str(message.get()).unwrap_or_default();
    let typed = members.iter().any(|(name, _)| name == "resultType");
    out.push(b'{');
    if revision.is_stateless() && !typed {
        raw(out, RESULT_TYPE);
        out.push(b',');
    }
    let mut meta = Vec::new();
    for (name, value) in &members {
        if name == "_meta" {
            foreign(&mut meta, value);
            continue;
        }
        string(out, name);
        out.push(b':');
        raw(out, value.get());
        out.push(b',');
    }
    meta.extend_from_slice(own);
    raw(out, r#""_meta":{"#);
    out.extend_from_slice(meta.strip_suffix(b",").unwrap_or(&meta));
    raw(out, "}}");
}

/// The server's own metadata, each member with a comma behind it.
fn foreign(out: &mut Vec<u8>, meta: &RawValue) {
    let Members(members) = serde_json::from_str(meta.get()).unwrap_or_default();
    for (name, value) in members {
        if OURS.iter().any(|ours| name.starts_with(ours)) {
            continue;
        }
        string(out, &name);
        out.push(b':');
        raw(out, value.get());
        out.push(b',');
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn passed_on(message: &str, revision: Revision) -> String {
        let message = RawValue::from_string(message.to_owned()).unwrap();
        let mut out = Vec::new();
        write(&mut out, &message, revision, br#""toolgate/usage":{}"#);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_not_known_here_is_passed_on_as_it_is_written() {
        let message =
            r#"{"content":[ {"type":"new","x":1.50} ],"y\u0041":18446744073709551616,"isError":false}"#;
        assert_eq!(
            passed_on(message, Revision::V2025_06_18),
            r#"{"content":[ {"type":"new","x":1.50} ],"yA":18446744073709551616,"isError":false,"_meta":{"toolgate/usage":{}}}"#
        );
        assert_eq!(passed_on("{}", Revision::V2025_06_18), r#"{"_meta":{"toolgate/usage":{}}}"#);
    }

    #[test]
    fn a_stateless_client_is_told_that_it_is_complete_once() {
        let expected = r#"{"resultType":"complete","content":[],"_meta":{"toolgate/usage":{}}}"#;
        assert_eq!(passed_on(r#"{"content":[]}"#, Revision::V2026_07_28), expected);
        assert_eq!(passed_on(r#"{"resultType":"complete","content":[]}"#, Revision::V2026_07_28), expected);
    }

    #[test]
    fn a_server_keeps_its_metadata_and_does_not_speak_in_our_name() {
        let message =
            r#"{"_meta":{"a":1,"toolgate/error":"x","io.modelcontextprotocol/serverInfo":{},"b":[2]}}"#;
        assert_eq!(
            passed_on(message, Revision::V2025_06_18),
            r#"{"_meta":{"a":1,"b":[2],"toolgate/usage":{}}}"#
        );
        assert_eq!(passed_on(r#"{"_meta":7}"#, Revision::V2025_06_18), r#"{"_meta":{"toolgate/usage":{}}}"#);
    }
}
