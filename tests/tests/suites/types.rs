//! Every WIT type through the whole gateway and a real component, both ways.

use e2e::client::Client;
use e2e::gateway::Gateway;
use e2e::guests;
use e2e::site::Site;
use serde_json::{Value, json};

async fn torture() -> (Site, Gateway, Client) {
    let path = guests::guest("torture");
    let site = Site::new(&format!("[servers.t]\ncomponent = \"file:{}\"\n", path.display()));
    let gateway = Gateway::start(&site).await;
    let client = gateway.client_of("t");
    (site, gateway, client)
}

/// Values that each echo must give back exactly.
fn echoes() -> Vec<(&'static str, Vec<Value>)> {
    vec![
        ("echo-bool", vec![json!(true), json!(false)]),
        ("echo-u8", vec![json!(0), json!(255)]),
        ("echo-u64", vec![json!(u64::MAX), json!((1u64 << 53) + 1)]),
        ("echo-s64", vec![json!(i64::MIN), json!(i64::MAX)]),
        ("echo-f64", vec![json!(0.1), json!(-1e300), json!("NaN"), json!("-Infinity")]),
        ("echo-f32", vec![json!(0.5), json!("Infinity")]),
        ("echo-char", vec![json!("ß"), json!("😀"), json!("\u{0}")]),
        ("echo-string", vec![json!(""), json!("a\"b\\c\n😀\u{0}\u{202e}")]),
        ("echo-strings", vec![json!([]), json!(["", "x"])]),
        ("echo-options", vec![json!([1, null, 2])]),
        ("echo-triple", vec![json!([u64::MAX, "x", true])]),
        ("echo-pairs", vec![json!([["k", "AAEC/w=="], ["", ""]])]),
        ("echo-point", vec![json!({ "x": i32::MIN, "y": i32::MAX })]),
        (
            "echo-person",
            vec![json!({
                "name": "Ada", "age": 36, "type": "high", "tags": ["a"], "home": { "x": 1, "y": 2 },
                "nick-name": { "some": null }
            })],
        ),
        ("echo-option-option", vec![json!(null), json!({ "some": null }), json!({ "some": "x" })]),
        (
            "echo-option-option-option",
            vec![json!(null), json!({ "some": null }), json!({ "some": { "some": 7 } })],
        ),
        ("echo-level", vec![json!("low"), json!("high")]),
        ("echo-eight", vec![json!([]), json!(["f0", "f7"])]),
        ("echo-many", vec![json!(["f0", "f31"])]),
        ("echo-bare", vec![json!("on")]),
        (
            "echo-shapes",
            vec![json!([
                "nothing",
                { "circle": 1.5 },
                { "polygon": [{ "x": 1, "y": 2 }] },
                { "labelled": ["l", { "x": 1, "y": 2 }] },
                { "maybe": null },
                { "unsigned": u64::MAX },
                { "outcome": { "err": "e" } }
            ])],
        ),
        ("echo-results", vec![json!([{ "ok": 1 }, { "err": "e" }])]),
        ("echo-empty-results", vec![json!([{ "ok": null }, { "err": null }])]),
        ("echo-deep-list", vec![json!([[[[[[["AQID"]]]]]]])]),
        (
            "echo-deep",
            vec![
                json!([["k", { "ok": [[1, "AA=="], null] }], ["l", { "err": null }], ["m", null]]),
                json!(null),
            ],
        ),
    ]
}

#[tokio::test]
async fn every_type_comes_back_exactly_and_fits_the_published_schemas() {
    let (_site, _gateway, client) = torture().await;
    let tools = client.list().await;
    for (tool, values) in echoes() {
        let listed = tools.iter().find(|t| t["name"] == tool).unwrap_or_else(|| panic!("no {tool}"));
        let input = jsonschema::validator_for(&listed["inputSchema"]).unwrap();
        let output = jsonschema::validator_for(&listed["outputSchema"]).unwrap();
        for value in values {
            let arguments = json!({ "value": value });
            assert!(input.is_valid(&arguments), "{tool} {arguments}: {}", listed["inputSchema"]);
            let result = client.call(tool, arguments).await;
            assert_eq!(result["isError"], false, "{tool} {value}: {result}");
            let structured = &result["structuredContent"];
            assert!(output.is_valid(structured), "{tool} {structured}: {}", listed["outputSchema"]);
            let echoed =
                structured.get("result").filter(|_| !value.is_object() || value.get("some").is_some());
            assert_eq!(echoed.unwrap_or(structured), &value, "{tool}");
        }
    }
}

#[tokio::test]
async fn the_largest_integers_survive_as_text() {
    let (_site, _gateway, client) = torture().await;
    let headers =
        [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "echo-u64")];
    let meta = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}"#;
    for sent in ["18446744073709551615", "18446744073709551615.0", "1844674407370955161.5e1"] {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"echo-u64","arguments":{{"value":{sent}}},"_meta":{meta}}}}}"#
        );
        let reply = client.post(&headers, body).await;
        assert!(reply.text.contains("\"result\":18446744073709551615"), "{sent}: {}", reply.text);
    }
}

#[tokio::test]
async fn the_err_of_a_result_is_the_tools_own_error() {
    let (_site, _gateway, client) = torture().await;
    let good = client.call("divide", json!({ "dividend": 7, "divisor": 2 })).await;
    assert_eq!(good["structuredContent"], json!({ "result": 3 }), "{good}");
    let bad = client.call("divide", json!({ "dividend": 7, "divisor": 0 })).await;
    assert_eq!(bad["isError"], true, "{bad}");
    assert!(bad["_meta"]["toolgate/error"].is_null(), "{bad}");
    let bad = client.call("fail", json!({ "what": "this" })).await;
    assert_eq!(bad["content"][0]["text"], r#"{"denied":"this"}"#, "{bad}");
    let none = client.call("find", json!({ "wanted": "nothing like it" })).await;
    assert!(none["isError"].is_boolean(), "{none}");
}

#[tokio::test]
async fn arguments_that_do_not_fit_are_told_so_that_a_model_can_mend_them() {
    let (_site, _gateway, client) = torture().await;
    for (tool, arguments, told) in [
        ("echo-u8", json!({ "value": 256 }), "/value"),
        ("echo-u8", json!({ "value": "1" }), "integer"),
        ("echo-u8", json!({}), "value"),
        ("echo-u8", json!({ "value": 1, "valve": 2 }), "valve"),
        ("echo-level", json!({ "value": "hihg" }), "high"),
        ("echo-point", json!({ "value": { "x": 1 } }), "y"),
        ("echo-shape", json!({ "value": { "circle": 1.0, "maybe": null } }), "one key"),
        ("echo-char", json!({ "value": "ab" }), "character"),
        ("echo-pairs", json!({ "value": [["k", "not base64!"]] }), "base64"),
        ("echo-eight", json!({ "value": ["f0", "f0"] }), "f0"),
    ] {
        let result = client.call(tool, arguments.clone()).await;
        assert_eq!(result["isError"], true, "{tool} {arguments}: {result}");
        assert_eq!(result["_meta"]["toolgate/error"], "arguments", "{result}");
        let text = result["content"][0]["text"].as_str().unwrap();
        assert!(text.contains(told), "{tool} {arguments}: {text}");
    }
}

#[tokio::test]
async fn wit_docs_describe_tools_and_parameters_and_resources_are_no_tools() {
    let site = Site::new("");
    let guest = guests::guest("torture");
    let wit = guests::root().join("tests/guests/torture/wit");
    let pushed = e2e::gateway::run(
        &site,
        &["push", "--wit", wit.to_str().unwrap(), guest.to_str().unwrap(), "oci-layout:layout:torture"],
    );
    assert!(pushed.status.success(), "{}", String::from_utf8_lossy(&pushed.stderr));
    site.configure("[servers.t]\ncomponent = \"oci-layout:layout:torture\"\n");
    let gateway = Gateway::start(&site).await;
    let tools = gateway.client().list().await;
    let greet = tools.iter().find(|tool| tool["name"] == "t__greet").unwrap();
    assert!(greet["description"].as_str().unwrap().starts_with("Greets someone."), "{greet}");
    assert_eq!(greet["inputSchema"]["properties"]["name"]["description"], "who is greeted.", "{greet}");
    let point = tools.iter().find(|tool| tool["name"] == "t__echo-point").unwrap();
    assert!(point.to_string().contains("Distance to the right."), "{point}");
    let handles = ["t__open", "t__peek", "t__hidden", "t__increment"];
    assert!(tools.iter().all(|tool| !handles.contains(&tool["name"].as_str().unwrap())));
    assert!(tools.iter().any(|tool| tool["name"] == "t__ordinary"));
}
