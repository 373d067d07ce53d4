//! Which trace a request is a part of (W3C Trace Context): by its `_meta`, else by its HTTP headers.
//!
//! The id of the trace is in the record of the call; servers that speak MCP get all of it in `_meta`, wherever it
//! came from.

use http::HeaderMap;
use serde_json::value::RawValue;

use super::params::{Params, text};
use crate::json::{raw, string};

/// The names of headers, and of members of `_meta`.
const PARENT: &str = "traceparent";
const STATE: &str = "tracestate";
const BAGGAGE: &str = "baggage";

/// Bytes that are passed on of each (W3C Trace Context, section 3.3.1.1; Baggage, section 3.3.2). Against metadata
/// inflated by headers.
const MAX_STATE: usize = 512;
const MAX_BAGGAGE: usize = 8192;

/// The id of a trace: 32 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceId(Box<str>);

/// What HTTP headers say of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trace<'a> {
    parent: Option<&'a str>,
    state: Option<&'a str>,
    baggage: Option<&'a str>,
}

impl TraceId {
    /// That of a `traceparent`; `None` where it is none.
    #[must_use]
    pub fn of(parent: &str) -> Option<Self> {
        let mut parts = parent.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_hex = |part: &str, digits: usize| {
            part.len() == digits && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let is_some = |part: &str| part.bytes().any(|byte| byte != b'0');
        // A later version may have more parts.
        let is_over = version != "00" || parts.next().is_none();
        let is_right = is_hex(version, 2) && version != "ff" && is_hex(flags, 2) && is_over;
        let has_ids = is_hex(trace, 32) && is_some(trace) && is_hex(span, 16) && is_some(span);
        (is_right && has_ids).then(|| Self(trace.into()))
    }

    /// Its digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'a> Trace<'a> {
    /// What the headers of a request say; nothing where they do not say it right.
    #[must_use]
    pub fn of(headers: &'a HeaderMap) -> Self {
        let one = |name: &str, most: usize| {
            let value = headers.get(name)?.to_str().ok()?.trim_ascii();
            (value.len() <= most).then_some(value)
        };
        let Some(parent) = one(PARENT, MAX_STATE).filter(|parent| TraceId::of(parent).is_some()) else {
            return Self::default();
        };
        Self { parent: Some(parent), state: one(STATE, MAX_STATE), baggage: one(BAGGAGE, MAX_BAGGAGE) }
    }

    /// The id of the trace of a request with these parameters.
    #[must_use]
    pub fn id(self, params: &Params<'_>) -> Option<TraceId> {
        let own = params.meta().ok()?.traceparent.and_then(text);
        TraceId::of(own.as_deref().or(self.parent)?)
    }

    /// The metadata of the request, and these headers where it says nothing of a trace itself.
    #[must_use]
    pub fn meta(self, params: &Params<'_>) -> Option<Box<RawValue>> {
        let own = params.raw_meta();
        let says_so = params.meta().is_ok_and(|meta| meta.traceparent.is_some());
        let Some(parent) = self.parent.filter(|_| !says_so) else { return own.map(ToOwned::to_owned) };
        let mut out = b"{".to_vec();
        let members = [(PARENT, Some(parent)), (STATE, self.state), (BAGGAGE, self.baggage)];
        for (name, value) in members.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            if out.len() > 1 {
                out.push(b',');
            }
            string(&mut out, name);
            out.push(b':');
            string(&mut out, value);
        }
        let rest = own.map_or("}", |own| own.get().trim_start_matches('{').trim_start());
        raw(&mut out, if rest.starts_with('}') { "" } else { "," });
        raw(&mut out, rest);
        RawValue::from_string(String::from_utf8(out).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use http::HeaderValue;

    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const OTHER: &str = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn headers(members: &[(&'static str, &str)]) -> HeaderMap {
        members
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    fn found(headers: &HeaderMap, meta: &str) -> (Option<String>, Option<String>) {
        let params = RawValue::from_string(format!("{{{meta}}}")).unwrap();
        let params = Params::parse(Some(&params)).unwrap();
        let trace = Trace::of(headers);
        let id = trace.id(&params).map(|id| id.as_str().to_owned());
        (id, trace.meta(&params).map(|meta| meta.get().to_owned()))
    }

    #[test]
    fn only_what_is_a_traceparent_is_one() {
        assert_eq!(TraceId::of(GOOD).unwrap().as_str(), "0af7651916cd43dd8448eb211c80319c");
        assert!(TraceId::of("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more").is_some());
        for bad in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        ] {
            assert_eq!(TraceId::of(bad), None, "{bad}");
        }
    }

    #[test]
    fn metadata_says_which_trace_it_is_and_else_the_headers_do() {
        let all = headers(&[("traceparent", GOOD), ("tracestate", "a=1"), ("baggage", "b=\"2\"")]);
        let (id, meta) = found(&all, "");
        assert_eq!(id.as_deref(), Some(&GOOD[3..35]));
        let joined = format!(r#"{{"traceparent":"{GOOD}","tracestate":"a=1","baggage":"b=\"2\""}}"#);
        assert_eq!(meta.unwrap(), joined);
        let (_, meta) = found(&all, r#""_meta":{ "x":1.50}"#);
        assert_eq!(meta.unwrap(), joined.replace('}', r#","x":1.50}"#));
        let own = format!(r#""_meta":{{"traceparent":"{OTHER}"}}"#);
        let (id, meta) = found(&all, &own);
        assert_eq!((id.as_deref(), meta), (Some(&OTHER[3..35]), Some(own["\"_meta\":".len()..].to_owned())));
        let (id, meta) =
            found(&headers(&[("traceparent", "x"), ("tracestate", "a=1")]), r#""_meta":{"y":2}"#);
        assert_eq!((id, meta.as_deref()), (None, Some(r#"{"y":2}"#)));
        assert_eq!(found(&headers(&[]), ""), (None, None));
    }
}
