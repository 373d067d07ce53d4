#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use serde_json::value::RawValue;
use serde_json::{Value, json};
use toolgate_runtime::sandbox::{Published, Tool};

use super::*;
use crate::auth::{Principal, Servers};
use crate::catalog::{List, View, Wanted};
use crate::config::Config;
use crate::fake::{Does, Fake, catalog, entry, raw};
use crate::gateway::{Gateway, GatewaySettings};
use crate::pipeline::{self, Call};

/// The sections of one server's overrides.
fn overrides(sections: &str) -> Overrides {
    let text = format!("[gateway]\nstate-dir = \"s\"\n[servers.s]\ncomponent = \"file:s.wasm\"\n{sections}");
    let env = |name: &str| (name == "TOKEN").then(|| "hunter2".to_owned());
    let config =
        Config::parse(&text, Path::new("toolgate.toml"), &env).unwrap_or_else(|errors| panic!("{errors}"));
    config.servers["s"].overrides.clone()
}

fn function(name: &str, schema: &str) -> Tool {
    Tool {
        name: name.to_owned(),
        function: name.to_owned(),
        description: Some("as it was".to_owned()),
        input_schema: raw(schema),
        output_schema: None,
        published: None,
    }
}

fn of_mcp(name: &str, json: &str) -> Tool {
    let whole: Value = serde_json::from_str(json).unwrap();
    let at = json.find(&format!("\"{name}\"")).unwrap();
    let schema = json.split_once("\"inputSchema\":").unwrap().1;
    let schema = serde_json::Deserializer::from_str(schema).into_iter::<Box<RawValue>>();
    Tool {
        description: whole["description"].as_str().map(str::to_owned),
        input_schema: { schema }.next().unwrap().unwrap(),
        published: Some(Published { json: raw(json), name: at..at + name.len() + 2 }),
        ..function(name, "{}")
    }
}

fn server(tools: Vec<Tool>, sections: &str) -> Arc<dyn Sandbox> {
    let tools = tools.into_iter().map(|tool| (tool, Does::Echo)).collect();
    overridden("s", &overrides(sections), Fake::of(tools))
}

/// The list of the server's tools.
fn listed(server: &Arc<dyn Sandbox>) -> String {
    let catalog = catalog(vec![entry("s", Arc::clone(server))]);
    let pages = catalog.pages(List::Tools, &View::One("s".into()), &Servers::All).unwrap();
    String::from_utf8(pages.first().to_vec()).unwrap()
}

fn faults(server: &Arc<dyn Sandbox>) -> String {
    let told =
        server.describe().skipped.iter().map(|skipped| format!("{}: {}\n", skipped.function, skipped.reason));
    told.collect()
}

/// What the server gets of these arguments.
async fn called(server: &Arc<dyn Sandbox>, arguments: &str) -> Result<String, CallError> {
    let tool = server.describe().tools[0].name.clone();
    let gateway = Gateway::new(catalog(vec![entry("s", Arc::clone(server))]), GatewaySettings::default());
    let call = Call::new(View::One("s".into()), Wanted::Tool(tool), raw(arguments));
    let completed = pipeline::call(&gateway, &Principal::local(), call).await.unwrap();
    completed.result.map(|outcome| outcome.text().to_owned())
}

const ODD: &str = r##"{ "x":18446744073709551616, "name" :"get", "description":"as\u0020it was","inputSchema":{"type":"object", "x":1.50,
  "properties": {"url" : {"type":"string","description":"\u0041"}, "n":{"$ref":"#/$defs/n"}, "token":true},
  "required":["url","n" , "token"], "$defs":{"n":{"type":"integer"}}}, "annotations":{"b":1E2,"readOnlyHint":false}}"##;

#[test]
fn what_is_not_overridden_stays_the_text_that_it_was() {
    let sections = r#"[servers.s.override.get]
description = "a \"page\""
title = "Page"
annotations = { readOnlyHint = true, title = "P" }
[servers.s.override.get.parameters]
url = { rename = "address", description = "where" }
n = { value = 7 }
"#;
    let server = server(vec![of_mcp("get", ODD)], sections);
    let expected = ODD
        .replace(r#""as\u0020it was""#, r#""a \"page\"""#)
        .replace(r#""url" :"#, r#""address" :"#)
        .replace(r#""\u0041""#, r#""where""#)
        .replace(r##", "n":{"$ref":"#/$defs/n"}"##, "")
        .replace(r#"["url","n" , "token"]"#, r#"["address","token"]"#)
        .replace(r#"{"type":"integer"}}}, "#, r#"{"type":"integer"}},"additionalProperties":false}, "#)
        .replace(r#""readOnlyHint":false}}"#, r#""readOnlyHint":true,"title":"P"},"title":"Page"}"#);
    assert_eq!(listed(&server), format!("\"tools\":[{expected}]"));
    assert_eq!(faults(&server), "");
    assert_eq!(server.describe().tools[0].description.as_deref(), Some("a \"page\""));
}

#[test]
fn a_tool_that_nothing_is_said_of_is_as_the_server_has_it() {
    let tools = || vec![of_mcp("get", ODD), function("b", "{}"), function("c", "{}")];
    let plain: Arc<dyn Sandbox> = Fake::of(tools().into_iter().map(|tool| (tool, Does::Echo)).collect());
    let server =
        server(tools(), "[servers.s.override.b]\nhide = true\n[servers.s.override.c]\nrename = \"d\"\n");
    let b = r#"{"name":"b","description":"as it was","inputSchema":{}},"#;
    assert_eq!(listed(&server), listed(&plain).replace(b, "").replace("\"c\"", "\"d\""));
}

#[test]
fn functions_have_titles_and_annotations_too() {
    let sections = "[servers.s.override.f]\ntitle = \"F\"\nannotations = { openWorldHint = false }\n";
    let server = server(vec![function("f", r#"{"x":1.50}"#)], sections);
    let expected = r#"{"name":"f","description":"as it was","inputSchema":{"x":1.50},"title":"F","annotations":{"openWorldHint":false}}"#;
    assert_eq!(listed(&server), format!("\"tools\":[{expected}]"));
}

const SHOP: &str = r#"{"properties":{"item":{},"count":{},"shop":{},"note":{}},"required":["item","shop"],"additionalProperties":false}"#;

const OURS: &str = r#"[servers.s.override.buy.parameters]
item = { rename = "ware" }
shop = { value = { name = "${TOKEN}", open = [1, 2.5, true] } }
note = { hide = true }
"#;

#[tokio::test]
async fn arguments_are_mapped_back_and_fixed_ones_are_added() {
    let server = server(vec![function("buy", SHOP)], OURS);
    let schema: Value = serde_json::from_str(server.describe().tools[0].input_schema.get()).unwrap();
    let expected = json!({ "properties": { "ware": {}, "count": {} }, "required": ["ware"], "additionalProperties": false });
    assert_eq!(schema, expected);
    let got = called(&server, r#"{ "w\u0061re" : 18446744073709551616, "count":1.50}"#).await.unwrap();
    let expected =
        r#"{ "item" : 18446744073709551616, "count":1.50,"shop":{"name":"hunter2","open":[1,2.5,true]}}"#;
    assert_eq!(got, expected);
    let more = server.footprint(&Target::Tool(0), 10);
    assert!(more >= 10 + (expected.len() - 50) as u64, "{more}");
}

#[tokio::test]
async fn what_is_the_operators_to_give_is_refused_of_callers_under_any_name() {
    let server = server(vec![function("buy", SHOP)], OURS);
    for name in ["shop", "Shop", r"sh\u006fp", "note", "item", "other"] {
        let error = called(&server, &format!(r#"{{"ware":1,"{name}":2}}"#)).await.unwrap_err();
        let CallError::Arguments(text) = error else { panic!("{error}") };
        assert!(text.starts_with("unknown argument \""), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    // Also where the server's own schema lets anything be given.
    let open = SHOP.replace(r#","additionalProperties":false"#, "");
    let server = self::server(vec![function("buy", &open)], OURS);
    assert!(server.describe().tools[0].input_schema.get().ends_with(r#""additionalProperties":false}"#));
    assert!(called(&server, r#"{"ware":1,"SHOP":2}"#).await.is_err());
}

#[tokio::test]
async fn errors_speak_of_arguments_as_callers_know_them() {
    fn fails() -> CallError {
        CallError::Arguments("at /item/0/item: expected a string".to_owned())
    }
    fn fails_of_ours() -> CallError {
        CallError::Arguments("at /shop: expected a string, got \"hunter2\"".to_owned())
    }
    let of = |does| overridden("s", &overrides(OURS), Fake::of(vec![(function("buy", SHOP), does)]));
    let error = async |does, arguments| called(&of(does), arguments).await.unwrap_err();
    let told = error(Does::Fail(fails), r#"{"ware":[]}"#).await;
    assert_eq!(told.public(), "invalid arguments: at /ware/0/item: expected a string");
    let missing = error(Does::Echo, r#"{"count":1}"#).await;
    assert_eq!(missing.public(), "invalid arguments: missing required arguments: \"ware\"");
    let typo = error(Does::Echo, r#"{"wares":1}"#).await;
    assert_eq!(typo.public(), "invalid arguments: unknown argument \"wares\"; did you mean `ware`?");
    let ours = error(Does::Fail(fails_of_ours), r#"{"ware":[]}"#).await;
    assert!(matches!(&ours, CallError::Internal(text) if text.contains("\"shop\"")), "{ours}");
    assert!(!ours.public().contains("hunter2") && !ours.to_string().contains("hunter2"));
}

#[test]
fn what_is_overridden_in_vain_is_told_with_its_line_and_never_left_open() {
    let schema = |more: &str| format!(r##"{{"properties":{{"a":{{}},"b":{{}}}},"required":["a"]{more}}}"##);
    for (more, parameters, why) in [
        ("", "c = { value = 1 }", "the tool has no parameter `c`; its parameters are a, b"),
        ("", "a = { rename = \"b\" }", "two of its parameters would be called `b`"),
        ("", "a = { hide = true }", "the parameter `a` is required: give it a `value`"),
        (
            r#","oneOf":[{"required":["b"]}]"#,
            "b = { value = 1 }",
            "its schema speaks of the parameter `b` in `oneOf`, too",
        ),
        (
            r#","patternProperties":{"^b":{}}"#,
            "b = { value = 1 }",
            "with `patternProperties` in its schema, no parameter",
        ),
        (
            r##","x":{"$ref":"#/properties/b/c"}"##,
            "b = { rename = \"c\" }",
            "refers to that of the parameter `b` by `$ref`",
        ),
    ] {
        let sections = format!("[servers.s.override.f.parameters]\n{parameters}\n");
        let server = server(vec![function("f", &schema(more)), function("g", "{}")], &sections);
        assert_eq!(server.describe().tools.len(), 1, "{parameters}");
        let told = faults(&server);
        assert!(
            told.starts_with("f: it is not offered, since [servers.s.override.f] can't be applied: "),
            "{told}"
        );
        assert!(told.contains(why), "{told}");
    }
    let server = server(vec![function("g", "{}")], "[servers.s.override.f]\nhide = true\n");
    assert_eq!(faults(&server), "f: [servers.s.override.f] names it, and the server offers no such tool\n");
    assert_eq!(server.describe().tools.len(), 1);
}

#[test]
fn headers_mirror_parameters_under_the_names_of_callers() {
    let schema = r#"{"properties":{"zone":{"type":"string","x-mcp-header":"Zone"},"region":{"type":"string","x-mcp-header":"Region"}}}"#;
    let sections =
        "[servers.s.override.f.parameters]\nzone = { rename = \"place\" }\nregion = { value = \"eu\" }\n";
    let server = server(vec![function("f", schema)], sections);
    let catalog = catalog(vec![entry("s", server)]);
    let mirrored = catalog.mirrored(&View::All, "s__f", &Servers::All);
    let mirrored: Vec<_> = mirrored.iter().map(|one| (one.shown.as_str(), one.path.join("."))).collect();
    assert_eq!(mirrored, [("Mcp-Param-Zone", "place".to_owned())]);
}

#[test]
fn a_value_is_never_printed() {
    let overrides = overrides("[servers.s.override.f.parameters]\na = { value = \"${TOKEN}\" }\n");
    assert!(!format!("{overrides:?}").contains("hunter2"));
}

/// A server that offers something else once it is asked whether it does.
struct Changing(Arc<Fake>, Arc<Fake>);

#[async_trait]
impl Sandbox for Changing {
    fn describe(&self) -> &Description {
        self.0.describe()
    }

    fn backend(&self) -> Backend {
        Backend::Docker
    }

    fn footprint(&self, target: &Target, arguments: usize) -> u64 {
        self.0.footprint(target, arguments)
    }

    async fn call(&self, invocation: Invocation) -> Result<Outcome, CallError> {
        self.0.call(invocation).await
    }

    fn is_fixed(&self) -> bool {
        false
    }

    async fn changed(&self) -> Result<Arc<dyn Sandbox>, String> {
        Ok(Arc::clone(&self.1) as Arc<dyn Sandbox>)
    }
}

#[tokio::test]
async fn a_server_that_offers_something_else_is_under_its_overrides_again() {
    let of = |schema: &str| Fake::of(vec![(function("buy", schema), Does::Echo)]);
    let renamed = SHOP.replace("\"shop\"", "\"store\"");
    let changing: Arc<dyn Sandbox> = Arc::new(Changing(of(SHOP), of(&renamed)));
    let server = overridden("s", &overrides(OURS), changing);
    assert!(called(&server, r#"{"ware":1}"#).await.unwrap().contains("hunter2"));
    assert!(!server.is_fixed() && server.backend() == Backend::Docker);
    let next = server.changed().await.unwrap();
    assert!(next.describe().tools.is_empty(), "its value would no longer be fixed");
    assert!(faults(&next).contains("the tool has no parameter `shop`"), "{}", faults(&next));
}
