//! A request: its headers, which say again what its body says, and its body.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::value::RawValue;

use super::REVISION;
use crate::json::Members;
use crate::notice::Level;
use crate::peer::client::List;
use crate::peer::header;
use crate::peer::mirrored::Mirrored;
use crate::peer::request::{Reference, completion};

/// Bytes of the headers of a request that repeat its body. Against names and arguments that no server would take as
/// headers.
const MAX_HEADERS: usize = 32 * 1024;

/// What is in the metadata of each request by our own word, whatever its client sent.
const OWN: [&str; 5] = [
    "io.modelcontextprotocol/protocolVersion",
    "io.modelcontextprotocol/clientInfo",
    "io.modelcontextprotocol/clientCapabilities",
    "io.modelcontextprotocol/logLevel",
    TOKEN,
];

const TOKEN: &str = "progressToken";

/// What is asked of a server. Arguments are JSON objects.
#[derive(Clone, Copy, Debug)]
pub enum Ask<'a> {
    /// What it speaks, and what it has.
    Discover,
    /// A page of a list: the first, or that of a cursor.
    List(List, Option<&'a str>),
    /// To run a tool, some of whose parameters are mirrored.
    Tool(&'a str, &'a RawValue, &'a [Mirrored]),
    /// A prompt.
    Prompt(&'a str, &'a RawValue),
    /// The resource of a URI.
    Resource(&'a str),
    /// Values that an argument may have; arguments are the further members of the request.
    Completion(Reference<&'a str>, &'a RawValue),
}

/// What goes along with it. JSON is that of an object.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms<'a> {
    /// The metadata that is passed on, without what is ours to say.
    pub meta: Option<&'a RawValue>,
    /// What the client can do.
    pub capabilities: Option<&'a RawValue>,
    /// What it answered to the questions of the last round.
    pub responses: Option<&'a RawValue>,
    /// What the server kept for this round.
    pub state: Option<&'a str>,
    /// Whether progress is to be told.
    pub progress: bool,
    /// From which level on it is to tell what it logs.
    pub level: Option<Level>,
}

/// A request, to be sent by POST.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its id.
    pub id: u64,
    /// Its method in MCP.
    pub method: &'static str,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// What is to be said again in headers is too long for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server wants what is asked in headers, too, and these would have more than {MAX_HEADERS} bytes")]
pub struct TooLarge;

impl Ask<'_> {
    /// Its method.
    #[must_use]
    pub fn method(&self) -> &'static str {
        match self {
            Self::Discover => "server/discover",
            Self::List(list, _) => list.method(),
            Self::Tool(..) => "tools/call",
            Self::Prompt(..) => "prompts/get",
            Self::Resource(_) => "resources/read",
            Self::Completion(..) => "completion/complete",
        }
    }

    /// Its parameters without metadata: members of a JSON object, without the braces.
    fn members(&self) -> String {
        match self {
            Self::Discover | Self::List(_, None) => String::new(),
            Self::List(_, Some(cursor)) => format!("\"cursor\":{}", quoted(cursor)),
            Self::Tool(name, arguments, _) | Self::Prompt(name, arguments) => {
                format!("\"name\":{},\"arguments\":{}", quoted(name), arguments.get())
            }
            Self::Resource(uri) => format!("\"uri\":{}", quoted(uri)),
            Self::Completion(reference, arguments) => {
                let whole = completion(*reference, arguments);
                let inside = whole.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
                inside.unwrap_or_default().to_owned()
            }
        }
    }

    /// What is said again in headers.
    ///
    /// # Errors
    /// [`TooLarge`].
    pub(crate) fn repeated(&self) -> Result<Vec<(HeaderName, HeaderValue)>, TooLarge> {
        let (name, mirrored) = match self {
            Self::Discover | Self::List(..) | Self::Completion(..) => return Ok(Vec::new()),
            Self::Tool(name, arguments, mirrored) => (name, Some((arguments, mirrored))),
            Self::Prompt(name, _) | Self::Resource(name) => (name, None),
        };
        let mut headers = vec![(HeaderName::from_static(header::NAME), value(name)?)];
        if let Some((arguments, mirrored)) = mirrored {
            for one in *mirrored {
                let text = one.value(arguments).and_then(plain);
                let said = text.map(|text| value(&text)).transpose()?;
                headers.extend(said.map(|said| (one.header.clone(), said)));
            }
        }
        let bytes = |(name, value): &(HeaderName, HeaderValue)| name.as_str().len() + value.len();
        let sum: usize = headers.iter().map(bytes).sum();
        if sum > MAX_HEADERS { Err(TooLarge) } else { Ok(headers) }
    }
}

impl Request {
    /// What is asked by a request of that id.
    ///
    /// # Errors
    /// [`TooLarge`] for a name, or arguments that are mirrored, which no header could hold.
    pub fn of(id: u64, ask: &Ask<'_>, terms: &Terms<'_>) -> Result<Self, TooLarge> {
        let method = ask.method();
        let mut members = ask.members();
        if let Some(responses) = terms.responses {
            add(&mut members, &format!("\"inputResponses\":{}", responses.get()));
        }
        if let Some(state) = terms.state {
            add(&mut members, &format!("\"requestState\":{}", quoted(state)));
        }
        let mut meta = meta(terms);
        if terms.progress {
            add(&mut meta, &format!("\"{TOKEN}\":{id}"));
        }
        add(&mut members, &format!("\"_meta\":{{{meta}}}"));
        let body =
            format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"{method}\",\"params\":{{{members}}}}}");
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (CONTENT_TYPE, "application/json"),
            (ACCEPT, "application/json, text/event-stream"),
            (HeaderName::from_static(header::PROTOCOL_VERSION), REVISION),
            (HeaderName::from_static(header::METHOD), method),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert(CONTENT_LENGTH, body.len().into());
        headers.extend(ask.repeated()?);
        Ok(Self { id, method, headers, body: body.into() })
    }
}

/// The metadata of a request, members of a JSON object; without the token of its progress.
pub(crate) fn meta(terms: &Terms<'_>) -> String {
    let mut members = String::new();
    let Members(passed_on) =
        terms.meta.and_then(|meta| serde_json::from_str(meta.get()).ok()).unwrap_or_default();
    for (name, value) in passed_on.iter().filter(|(name, _)| !OWN.contains(&&**name)) {
        add(&mut members, &format!("{}:{}", quoted(name), value.get()));
    }
    let version = env!("CARGO_PKG_VERSION");
    let capabilities = terms.capabilities.map_or("{}", RawValue::get);
    let [revision, client, can, log_level, _] = OWN;
    add(&mut members, &format!("\"{revision}\":\"{REVISION}\""));
    add(&mut members, &format!("\"{client}\":{{\"name\":\"toolgate\",\"version\":\"{version}\"}}"));
    add(&mut members, &format!("\"{can}\":{capabilities}"));
    if let Some(level) = terms.level {
        add(&mut members, &format!("\"{log_level}\":\"{}\"", level.as_str()));
    }
    members
}

/// Adds a member to members.
fn add(members: &mut String, member: &str) {
    if !members.trim_ascii().is_empty() {
        members.push(',');
    }
    members.push_str(member);
}

fn value(text: &str) -> Result<HeaderValue, TooLarge> {
    // Not even encoded, where it is too long as it is.
    let encoded = (text.len() <= MAX_HEADERS).then(|| header::encode(text)).ok_or(TooLarge)?;
    HeaderValue::from_str(&encoded).map_err(|_| TooLarge)
}

/// A string, number or boolean as a header says it; `None` for what has no such form.
fn plain(value: &RawValue) -> Option<String> {
    let json = value.get();
    let is_integer = json.bytes().all(|byte| matches!(byte, b'-' | b'0'..=b'9'));
    match json.as_bytes().first()? {
        b'"' => serde_json::from_str(json).ok(),
        b't' | b'f' => Some(json.to_owned()),
        b'-' | b'0'..=b'9' if is_integer => Some(json.to_owned()),
        // In decimal digits, however it is written: 1e2 is 100.
        b'-' | b'0'..=b'9' => {
            json.parse().ok().filter(|number: &f64| number.is_finite()).map(|number| number.to_string())
        }
        _ => None,
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use serde_json::{Value, json};

    use super::*;
    use crate::peer::mirrored;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    fn body(request: &Request) -> Value {
        serde_json::from_slice(&request.body).unwrap()
    }

    fn headers(request: &Request) -> Vec<(&str, &str)> {
        request.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect()
    }

    #[test]
    fn a_request_says_what_it_is_in_headers_and_again_in_its_body() {
        let arguments = raw(r#"{ "a" : 1.50 }"#);
        let ask = Ask::Tool("say\u{e4}", &arguments, &[]);
        let request = Request::of(7, &ask, &Terms::default()).unwrap();
        let length = request.body.len().to_string();
        assert_eq!(
            headers(&request),
            [
                ("content-type", "application/json"),
                ("accept", "application/json, text/event-stream"),
                ("mcp-protocol-version", "2026-07-28"),
                ("mcp-method", "tools/call"),
                ("content-length", length.as_str()),
                ("mcp-name", "=?base64?c2F5w6Q=?="),
            ]
        );
        assert!(String::from_utf8_lossy(&request.body).contains(r#""arguments":{ "a" : 1.50 }"#));
        let expected = json!({
            "jsonrpc": "2.0",
            "id": 7,
            "method": "tools/call",
            "params": {
                "name": "say\u{e4}",
                "arguments": { "a": 1.5 },
                "_meta": {
                    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                    "io.modelcontextprotocol/clientInfo":
                        { "name": "toolgate", "version": env!("CARGO_PKG_VERSION") },
                    "io.modelcontextprotocol/clientCapabilities": {},
                },
            },
        });
        assert_eq!(body(&request), expected);
    }

    #[test]
    fn each_method_has_its_parameters_and_its_name() {
        let arguments = raw(r#"{"argument":{"name":"a","value":"b"}}"#);
        let none = raw("{}");
        for (ask, method, members, name) in [
            (Ask::Discover, "server/discover", json!({}), None),
            (Ask::List(List::Tools, None), "tools/list", json!({}), None),
            (
                Ask::List(List::Templates, Some("\"")),
                "resources/templates/list",
                json!({ "cursor": "\"" }),
                None,
            ),
            (Ask::Prompt("p", &none), "prompts/get", json!({ "name": "p", "arguments": {} }), Some("p")),
            (Ask::Resource("a://b"), "resources/read", json!({ "uri": "a://b" }), Some("a://b")),
            (
                Ask::Completion(Reference::Template("a://{x}"), &arguments),
                "completion/complete",
                json!({
                    "ref": { "type": "ref/resource", "uri": "a://{x}" },
                    "argument": { "name": "a", "value": "b" },
                }),
                None,
            ),
        ] {
            let request = Request::of(1, &ask, &Terms::default()).unwrap();
            let mut params = body(&request)["params"].take();
            params.as_object_mut().unwrap().remove("_meta").unwrap();
            assert_eq!((request.method, params), (method, members));
            assert_eq!(request.headers["mcp-method"], method);
            assert_eq!(request.headers.get("mcp-name").map(|name| name.to_str().unwrap()), name);
        }
    }

    #[test]
    fn metadata_is_passed_on_but_for_what_is_ours_to_say() {
        let meta = raw(
            r#"{"traceparent":"00-a-b-01","x/y":[1.50],"progressToken":"theirs","io.modelcontextprotocol/clientInfo":{},
                "io.modelcontextprotocol/logLevel":"debug","io.modelcontextprotocol\/protocolVersion":"1"}"#,
        );
        let capabilities = raw(r#"{"sampling":{}}"#);
        let terms = Terms { meta: Some(&meta), capabilities: Some(&capabilities), ..Terms::default() };
        let request = Request::of(3, &Ask::Discover, &terms).unwrap();
        let text = String::from_utf8_lossy(&request.body).into_owned();
        assert!(text.contains(r#""_meta":{"traceparent":"00-a-b-01","x/y":[1.50],"io."#), "{text}");
        assert!(text.contains(r#""io.modelcontextprotocol/clientCapabilities":{"sampling":{}}"#), "{text}");
        assert!(!text.contains("progressToken") && !text.contains("logLevel") && !text.contains(":\"1\""));
        let terms = Terms { progress: true, level: Some(Level::Warning), ..terms };
        let meta = body(&Request::of(3, &Ask::Discover, &terms).unwrap())["params"]["_meta"].take();
        assert_eq!(
            (&meta["progressToken"], &meta["io.modelcontextprotocol/logLevel"]),
            (&json!(3), &json!("warning"))
        );
    }

    #[test]
    fn answers_and_what_the_server_kept_go_back_as_they_were() {
        let (responses, none) = (raw(r#"{"a":{"action":"accept"}}"#), raw("{}"));
        let terms = Terms { responses: Some(&responses), state: Some("\u{0}\"x"), ..Terms::default() };
        let params = body(&Request::of(1, &Ask::Prompt("p", &none), &terms).unwrap())["params"].take();
        assert_eq!(params["inputResponses"], json!({ "a": { "action": "accept" } }));
        assert_eq!(params["requestState"], "\u{0}\"x");
    }

    #[test]
    fn parameters_are_mirrored_in_the_form_of_a_header() {
        let property =
            |name: &str, kind: &str| format!(r#""{name}":{{"type":"{kind}","x-mcp-header":"{name}"}}"#);
        let properties =
            [("s", "string"), ("n", "number"), ("i", "integer"), ("b", "boolean"), ("o", "string")]
                .map(|(name, kind)| property(name, kind));
        let mirrored = mirrored::of(&raw(&format!("{{\"properties\":{{{}}}}}", properties.join(","))));
        assert_eq!(mirrored.len(), 5);
        let said = |arguments: &str| {
            let arguments = raw(arguments);
            let request = Request::of(1, &Ask::Tool("t", &arguments, &mirrored), &Terms::default()).unwrap();
            let said = headers(&request)
                .into_iter()
                .filter_map(|(name, value)| Some(format!("{}={value}", name.strip_prefix("mcp-param-")?)));
            said.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            said(r#"{"s":"a b","n":1.5e2,"i":18446744073709551616,"b":true}"#),
            "b=true i=18446744073709551616 n=150 s=a b"
        );
        assert_eq!(
            said(r#"{"s":"","n":-0.25,"b":false,"o":"\u00e4"}"#),
            "b=false n=-0.25 o==?base64?w6Q=?= s==?base64??="
        );
        assert_eq!(said(r#"{"s":null,"n":1e400,"o":{"x":1}}"#), "");
    }

    #[test]
    fn what_no_header_could_hold_is_refused() {
        let long = "\u{e4}".repeat(MAX_HEADERS / 2);
        assert_eq!(Request::of(1, &Ask::Resource(&long), &Terms::default()).unwrap_err(), TooLarge);
        let longer = "x".repeat(MAX_HEADERS + 1);
        assert_eq!(Request::of(1, &Ask::Resource(&longer), &Terms::default()).unwrap_err(), TooLarge);
        let fits = "x".repeat(MAX_HEADERS - 100);
        assert!(Request::of(1, &Ask::Resource(&fits), &Terms::default()).is_ok());
    }
}
