//! The result of a server that speaks MCP, passed on with metadata of ours and what its client's revision needs. All
//! else stays the text it is.

use serde_json::value::RawValue;

use super::shape::Shape;
use crate::json::{Members, offset, raw, string};

/// What begins the names of metadata that is ours: no server may speak in our name.
const OURS: [&str; 2] = ["toolgate/", "io.modelcontextprotocol/serverInfo"];

/// Writes a result in that shape, with the members `own` in its metadata.
pub(super) fn write(out: &mut Vec<u8>, message: &RawValue, shape: Shape, own: &[u8]) {
    // The sandbox has seen that it is an object.
    let Members(members) = serde_json::from_str(message.get()).unwrap_or_default();
    let has = |wanted: &str| members.iter().any(|(name, _)| name == wanted);
    out.push(b'{');
    let begin = out.len();
    for (_, member) in shape.required().iter().filter(|(name, _)| !has(name)) {
        raw(out, if out.len() > begin { "," } else { "" });
        raw(out, member);
    }
    raw(out, if out.len() > begin && !members.is_empty() { "," } else { "" });
    let last = members.iter().rposition(|(name, _)| name == "_meta");
    let mut rest = inside(message.get());
    for (index, (name, value)) in members.iter().enumerate() {
        let is_meta = name == "_meta";
        let scope = shape.scope().filter(|_| name == "cacheScope");
        if !is_meta && scope.is_none() {
            continue;
        }
        let at = offset(value, rest);
        raw(out, &rest[..at]);
        match scope {
            Some(scope) => raw(out, scope),
            // Of several with one name, readers take the last.
            None => merged(out, value, if last == Some(index) { own } else { b"" }),
        }
        rest = &rest[at + value.get().len()..];
    }
    let is_empty = out.len() == begin && members.is_empty();
    raw(out, rest);
    if last.is_none() {
        raw(out, if is_empty { "" } else { "," });
        raw(out, r#""_meta":{"#);
        out.extend_from_slice(own);
        out.push(b'}');
    }
    out.push(b'}');
}

/// The server's own metadata as it wrote it, without what is ours to say, and our own.
fn merged(out: &mut Vec<u8>, meta: &RawValue, own: &[u8]) {
    let Members(members) = serde_json::from_str(meta.get()).unwrap_or_default();
    let is_ours = |name: &str| OURS.iter().any(|ours| name.starts_with(ours));
    out.push(b'{');
    let theirs = out.len();
    if !members.iter().any(|(name, _)| is_ours(name)) {
        raw(out, if members.is_empty() { "" } else { inside(meta.get()) });
    } else {
        for (name, value) in members.iter().filter(|(name, _)| !is_ours(name)) {
            raw(out, if out.len() > theirs { "," } else { "" });
            string(out, name);
            out.push(b':');
            raw(out, value.get());
        }
    }
    raw(out, if out.len() > theirs && !own.is_empty() { "," } else { "" });
    out.extend_from_slice(own);
    out.push(b'}');
}

/// What is between the braces of an object.
fn inside(object: &str) -> &str {
    object.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::mcp::revision::Revision;

    fn passed_on(message: &str, revision: Revision) -> String {
        shaped(message, Shape::of(revision))
    }

    fn shaped(message: &str, shape: Shape) -> String {
        let message = RawValue::from_string(message.to_owned()).unwrap();
        let mut out = Vec::new();
        write(&mut out, &message, shape, br#""toolgate/usage":{}"#);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_not_known_here_is_passed_on_byte_for_byte() {
        let message = r#"{ "content":[ {"type":"new","x":1.50} ] , "y\u0041" :18446744073709551616}"#;
        let expected = message.replace("616}", r#"616,"_meta":{"toolgate/usage":{}}}"#);
        assert_eq!(passed_on(message, Revision::V2025_06_18), expected);
        let message = r#"{"a":1, "_meta" : { "b\/c" : [1E400] } ,"z":"\u00e9"}"#;
        let expected = message.replace("] }", r#"] ,"toolgate/usage":{}}"#);
        assert_eq!(passed_on(message, Revision::V2025_06_18), expected);
        assert_eq!(passed_on("{ }", Revision::V2025_06_18), r#"{ "_meta":{"toolgate/usage":{}}}"#);
    }

    #[test]
    fn metadata_that_is_there_twice_is_searched_twice() {
        let message = r#"{"_meta":{"toolgate/error":"x"},"_meta":{"toolgate/usage":7,"a":1}}"#;
        let expected = r#"{"_meta":{},"_meta":{"a":1,"toolgate/usage":{}}}"#;
        assert_eq!(passed_on(message, Revision::V2025_06_18), expected);
    }

    #[test]
    fn a_stateless_client_is_told_that_it_is_complete_once() {
        let expected = r#"{"resultType":"complete","content":[],"_meta":{"toolgate/usage":{}}}"#;
        assert_eq!(passed_on(r#"{"content":[]}"#, Revision::V2026_07_28), expected);
        let expected = r#"{"resultType":"complete","_meta":{"toolgate/usage":{}}}"#;
        assert_eq!(passed_on("{}", Revision::V2026_07_28), expected);
        let expected = r#"{"resultType":"complete","content":[],"_meta":{"toolgate/usage":{}}}"#;
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
        // A name in other letters is the same name.
        let message = r#"{"\u005fmeta":{"toolg\u0061te/error":"x"}}"#;
        assert_eq!(passed_on(message, Revision::V2025_06_18), r#"{"\u005fmeta":{"toolgate/usage":{}}}"#);
        assert_eq!(passed_on(r#"{"_meta":7}"#, Revision::V2025_06_18), r#"{"_meta":{"toolgate/usage":{}}}"#);
    }

    #[test]
    fn what_may_be_kept_says_for_how_long_and_by_whom() {
        let shape = |is_local| Shape::of(Revision::V2026_07_28).cacheable(is_local);
        let silent = r#"{"contents":[]}"#;
        let expected = r#"{"resultType":"complete","ttlMs":0,"cacheScope":"private","contents":[],"_meta":{"toolgate/usage":{}}}"#;
        assert_eq!(shaped(silent, shape(true)), expected);
        assert_eq!(shaped(silent, shape(false)), expected);
        let old = shaped(silent, Shape::of(Revision::V2025_06_18).cacheable(false));
        assert_eq!(old, r#"{"contents":[],"_meta":{"toolgate/usage":{}}}"#);
        // A server knows nothing of who is allowed what, so a cache that several callers share is not its to allow.
        let said = r#"{"resultType":"complete","cacheScope" : "public","_meta":{},"ttlMs":70}"#;
        let kept =
            r#"{"resultType":"complete","cacheScope" : "public","_meta":{"toolgate/usage":{}},"ttlMs":70}"#;
        assert_eq!(shaped(said, shape(true)), kept);
        assert_eq!(shaped(said, shape(false)), kept.replace("public", "private"));
    }
}
