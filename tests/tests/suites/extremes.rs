//! The far ends of every WIT type: what the published schema still admits comes back exactly and
//! satisfies the output schema, what it does not is told; and lists that grow until a limit ends
//! them, each with its own.

use std::collections::{BTreeMap, BTreeSet};

use e2e::client::{Client, REVISION};
use e2e::gateway::Gateway;
use e2e::guests;
use e2e::site::Site;
use jsonschema::Validator;
use serde_json::{Value, json};

/// For each function: values that must come back, and values beside the type.
fn extremes() -> Vec<(&'static str, Vec<Value>, Vec<Value>)> {
    [numbers(), texts(), lists(), compounds(), verdictless_results()].concat()
}

type Rows = Vec<(&'static str, Vec<Value>, Vec<Value>)>;

fn numbers() -> Rows {
    let beyond = |value: &str| value.parse::<Value>().unwrap();
    vec![
        ("echo-bool", vec![json!(false), json!(true)], vec![json!(0), json!("true"), json!(null)]),
        ("echo-u8", vec![json!(0), json!(u8::MAX)], vec![json!(-1), json!(256), json!(0.5)]),
        ("echo-u16", vec![json!(0), json!(u16::MAX)], vec![json!(-1), json!(65_536)]),
        ("echo-u32", vec![json!(0), json!(u32::MAX)], vec![json!(-1), json!(1u64 << 32)]),
        (
            "echo-u64",
            vec![json!(0), json!(u64::MAX), json!(u64::MAX - 1), json!((1u64 << 53) + 1)],
            vec![json!(-1), beyond("18446744073709551616"), json!(1e300), json!("1")],
        ),
        ("echo-s8", vec![json!(i8::MIN), json!(i8::MAX)], vec![json!(-129), json!(128)]),
        ("echo-s16", vec![json!(i16::MIN), json!(i16::MAX)], vec![json!(-32_769), json!(32_768)]),
        (
            "echo-s32",
            vec![json!(i32::MIN), json!(i32::MAX)],
            vec![json!(-2_147_483_649i64), json!(1u64 << 31)],
        ),
        (
            "echo-s64",
            vec![json!(i64::MIN), json!(i64::MAX), json!(-(1i64 << 53) - 1)],
            vec![json!(1u64 << 63), json!(-1e19)],
        ),
        (
            "echo-f32",
            vec![json!(1.0e38), json!(-0.5), json!("NaN"), json!("Infinity"), json!("-Infinity")],
            vec![json!("infinity"), json!("nan"), json!(true)],
        ),
        (
            "echo-f64",
            vec![
                json!(f64::MAX),
                json!(f64::MIN),
                json!(5e-324),
                json!(0.1),
                json!("NaN"),
                json!("Infinity"),
            ],
            vec![json!("1.0"), json!(null)],
        ),
    ]
}

fn texts() -> Rows {
    let long = "\u{10ffff}".repeat(50_000);
    vec![
        (
            "echo-char",
            vec![json!("\0"), json!("\u{d7ff}"), json!("\u{e000}"), json!("\u{10ffff}"), json!("\"")],
            vec![json!(""), json!("ab"), json!("e\u{301}"), json!(65)],
        ),
        ("echo-string", vec![json!(""), json!("\0\u{1f}\u{7f}\u{2028}\"\\/"), json!(long)], vec![json!(1)]),
        ("echo-option", vec![json!(null), json!("")], vec![json!(0), json!({ "some": "x" })]),
    ]
}

fn lists() -> Rows {
    let bytes = |length: usize| json!("AAAA".repeat(length / 3));
    vec![
        (
            "echo-bytes",
            vec![json!(""), json!("/w=="), bytes(300_000)],
            vec![json!("_w=="), json!("/w"), json!([1])],
        ),
        ("echo-bools", vec![json!([]), json!(vec![true; 50_000])], vec![json!([1]), json!({})]),
        ("echo-integers", vec![json!([]), json!(vec![i64::MIN; 50_000])], vec![json!([null])]),
        ("echo-floats", vec![json!(["NaN", f64::MAX, "-Infinity"])], vec![json!([[]])]),
        ("echo-chars", vec![json!(["\u{10ffff}", "\0"])], vec![json!(["ab"]), json!("ab")]),
        ("echo-strings", vec![json!(vec![""; 50_000])], vec![json!("x")]),
        ("echo-byte-strings", vec![json!([]), json!(["", "AA=="])], vec![json!([[0]])]),
        ("echo-matrix", vec![json!([[]]), json!(vec![vec![u64::MAX; 100]; 100])], vec![json!([1])]),
        ("echo-options", vec![json!([null, 0, 255, null])], vec![json!([256])]),
        ("echo-path", vec![json!([]), json!([{ "x": i32::MIN, "y": i32::MAX }])], vec![json!([{ "x": 1 }])]),
        ("echo-single", vec![json!([""])], vec![json!([]), json!(["", ""]), json!("")]),
        ("echo-triple", vec![json!([u64::MAX, "", false])], vec![json!([1, "x"]), json!([1, "x", true, 1])]),
        ("echo-pairs", vec![json!([]), json!([["", ""]])], vec![json!([[""]]), json!({ "k": "" })]),
        ("echo-nine", vec![json!([0, 1, 2, 3, 4, 5, 6, 7, 255])], vec![json!([0, 1, 2, 3, 4, 5, 6, 7])]),
        (
            "echo-deep-list",
            vec![json!([]), json!([[[[[[[]]]]]]]), json!([[[[[[[""]]]]]]])],
            vec![json!([[[[[[[[]]]]]]]])],
        ),
        (
            "echo-deep",
            vec![
                json!(null),
                json!([]),
                json!([["", null], ["", { "ok": [] }], ["", { "ok": [null, [u64::MAX, ""]] }], ["", { "err": null }]]),
            ],
            vec![json!([["", { "ok": null }]])],
        ),
    ]
}

fn compounds() -> Rows {
    let person = |nick: Value| {
        let mut person = json!({
            "name": "", "age": 255, "type": "low", "tags": [], "home": { "x": i32::MAX, "y": i32::MIN },
        });
        if !nick.is_null() {
            person["nick-name"] = nick;
        }
        person
    };
    let mut crowded = person(json!(null));
    crowded["nickname"] = json!("x");
    let flags = |count: usize| json!((0..count).map(|n| format!("f{n}")).collect::<Vec<_>>());
    vec![
        (
            "echo-point",
            vec![json!({ "x": 0, "y": 0 })],
            vec![json!({ "x": 0 }), json!([0, 0]), json!({ "x": 0, "y": 0, "z": 0 })],
        ),
        (
            "echo-person",
            vec![person(json!(null)), person(json!({ "some": null })), person(json!({ "some": "" }))],
            vec![person(json!("Ada")), crowded],
        ),
        (
            "echo-preferences",
            vec![json!({}), json!({ "color": "", "size": u32::MAX })],
            vec![json!({ "colour": "" })],
        ),
        (
            "echo-option-option",
            vec![json!(null), json!({ "some": null }), json!({ "some": "" })],
            vec![json!(""), json!({}), json!({ "some": { "some": "" } })],
        ),
        (
            "echo-option-option-option",
            vec![
                json!(null),
                json!({ "some": null }),
                json!({ "some": { "some": null } }),
                json!({ "some": { "some": 255 } }),
            ],
            vec![json!(1), json!({ "some": 1 })],
        ),
        ("echo-option-list", vec![json!(null), json!([]), json!([null])], vec![json!({ "some": [] })]),
        ("echo-level", vec![json!("low"), json!("high")], vec![json!("LOW"), json!(0)]),
        ("echo-single-case", vec![json!("only")], vec![json!("")]),
        ("echo-one", vec![json!([]), json!(["a"])], vec![json!(["b"]), json!(["a", "a"]), json!("a")]),
        ("echo-eight", vec![json!([]), flags(8)], vec![flags(9)]),
        ("echo-nine-flags", vec![json!([]), flags(9), json!(["f8"])], vec![flags(10)]),
        ("echo-many", vec![json!([]), flags(32), json!(["f31"])], vec![flags(33)]),
        (
            "echo-permissions",
            vec![json!([]), json!(["read", "write"])],
            vec![json!(["execute"]), json!(null)],
        ),
        ("echo-bare", vec![json!("on"), json!("off")], vec![json!({ "on": null }), json!("On")]),
        (
            "echo-shape",
            vec![
                json!("nothing"),
                json!({ "circle": "-Infinity" }),
                json!({ "polygon": [] }),
                json!({ "labelled": ["", { "x": 0, "y": 0 }] }),
                json!({ "maybe": null }),
                json!({ "maybe": 0 }),
                json!({ "unsigned": u64::MAX }),
                json!({ "outcome": { "ok": 255 } }),
            ],
            vec![json!("circle"), json!({ "nothing": null }), json!({}), json!({ "square": 1 })],
        ),
        ("echo-shapes", vec![json!([]), json!(vec![json!("nothing"); 10_000])], vec![json!(["circle"])]),
    ]
}

fn verdictless_results() -> Rows {
    vec![
        (
            "echo-results",
            vec![json!([]), json!([{ "ok": 0 }, { "err": "" }])],
            vec![json!([{ "ok": 256 }]), json!([{}])],
        ),
        (
            "echo-empty-results",
            vec![json!([{ "ok": null }, { "err": null }])],
            vec![json!(["ok"]), json!([{ "ok": 1 }])],
        ),
        ("echo-error-only", vec![json!([{ "ok": null }, { "err": "" }])], vec![json!([{ "err": null }])]),
        ("echo-ok-only", vec![json!([{ "ok": u64::MAX }, { "err": null }])], vec![json!([{ "ok": -1 }])]),
    ]
}

/// What is told of an error without a payload.
const SILENT: &str = "the tool reported an error and gave no details";

/// Functions whose result is the tool's verdict: argument, and what is answered for it.
fn verdicts() -> Vec<(&'static str, Value, Result<Value, &'static str>)> {
    vec![
        ("echo-result", json!({ "ok": 255 }), Ok(json!({ "result": 255 }))),
        ("echo-result", json!({ "err": "no" }), Err("no")),
        ("echo-result", json!({ "err": "" }), Err("")),
        ("echo-result-empty", json!({ "ok": null }), Ok(json!(null))),
        ("echo-result-empty", json!({ "err": null }), Err(SILENT)),
        ("echo-result-error-only", json!({ "ok": null }), Ok(json!(null))),
        ("echo-result-error-only", json!({ "err": "no" }), Err("no")),
        ("echo-result-ok-only", json!({ "ok": u64::MAX }), Ok(json!({ "result": u64::MAX }))),
        ("echo-result-ok-only", json!({ "err": null }), Err(SILENT)),
        ("echo-result-result", json!({ "ok": { "ok": 0 } }), Ok(json!({ "result": { "ok": 0 } }))),
        (
            "echo-result-result",
            json!({ "ok": { "err": "inner" } }),
            Ok(json!({ "result": { "err": "inner" } })),
        ),
        ("echo-result-result", json!({ "err": "outer" }), Err("outer")),
    ]
}

/// The torture guest, under the default limits as `t` and under these as `small`.
async fn torture(limits: &str) -> (Site, Gateway) {
    let path = guests::guest("torture");
    let component = format!("component = \"file:{}\"", path.display());
    let site = Site::new(&format!(
        "[servers.t]\n{component}\n[servers.small]\n{component}\n[servers.small.limits]\n{limits}\n"
    ));
    let gateway = Gateway::start(&site).await;
    (site, gateway)
}

/// The validators of a tool's arguments and of its result, if it has one.
type Schemas = BTreeMap<String, (Validator, Option<Validator>)>;

async fn schemas(client: &Client) -> Schemas {
    let validator = |schema: &Value| jsonschema::validator_for(schema).unwrap();
    let read = |tool: Value| {
        let output = tool.get("outputSchema").map(validator);
        (tool["name"].as_str().unwrap().to_owned(), (validator(&tool["inputSchema"]), output))
    };
    client.list().await.into_iter().map(read).collect()
}

#[tokio::test]
async fn the_far_ends_of_every_type_come_back_and_what_lies_beyond_is_told() {
    let (_site, gateway) = torture("").await;
    let client = gateway.client_of("t");
    let schemas = schemas(&client).await;
    for (tool, values, others) in extremes() {
        let (input, output) = &schemas[tool];
        for value in values {
            let arguments = json!({ "value": value });
            assert!(input.is_valid(&arguments), "{tool} {}", shown(&arguments));
            let result = client.call(tool, arguments).await;
            assert_eq!(result["isError"], false, "{tool} {}: {}", shown(&value), shown(&result));
            let structured = &result["structuredContent"];
            assert!(output.as_ref().unwrap().is_valid(structured), "{tool} {}", shown(structured));
            assert!(is_echo(structured, &value), "{tool} {}: {}", shown(&value), shown(structured));
        }
        for other in others {
            let arguments = json!({ "value": other });
            assert!(!input.is_valid(&arguments), "{tool} {other}");
            let result = client.call(tool, arguments).await;
            assert_eq!(result["_meta"]["toolgate/error"], "arguments", "{tool} {other}: {result}");
            assert!(result["content"][0]["text"].as_str().unwrap().contains("value"), "{result}");
        }
    }
}

#[tokio::test]
async fn a_result_type_is_the_tools_verdict_whatever_it_holds() {
    let (_site, gateway) = torture("").await;
    let client = gateway.client_of("t");
    let schemas = schemas(&client).await;
    for (tool, value, expected) in verdicts() {
        let result = client.call(tool, json!({ "value": value })).await;
        assert_eq!(result["isError"], expected.is_err(), "{tool} {value}: {result}");
        match expected {
            Ok(structured) => {
                assert_eq!(result["structuredContent"], structured, "{tool} {value}: {result}");
                if let Some(output) = &schemas[tool].1 {
                    assert!(output.is_valid(&structured), "{tool} {structured}");
                }
            }
            Err(text) => assert_eq!(result["content"][0]["text"], text, "{tool} {value}: {result}"),
        }
    }
}

#[tokio::test]
async fn every_echo_of_the_guest_is_tried() {
    let (_site, gateway) = torture("").await;
    let listed = gateway.client_of("t").list().await;
    let names = listed.iter().map(|tool| tool["name"].as_str().unwrap().to_owned());
    let echoes: BTreeSet<String> = names.filter(|name| name.starts_with("echo-")).collect();
    let rows = extremes().into_iter().map(|row| row.0);
    let tried = rows.chain(verdicts().into_iter().map(|row| row.0)).map(str::to_owned).collect();
    assert_eq!(echoes, tried);
}

#[tokio::test]
async fn a_list_grows_until_a_limit_ends_it_and_each_limit_says_so() {
    let (_site, gateway) = torture("output = \"64KiB\"\nmemory = \"4MiB\"\nfuel = 500_000").await;
    let (plenty, small) = (gateway.client_of("t"), gateway.client_of("small"));
    let integers = |length: usize| json!({ "value": vec![i64::MAX; length] });
    let result = plenty.call("echo-integers", integers(150_000)).await;
    assert_eq!(result["structuredContent"], json!({ "result": vec![i64::MAX; 150_000] }));
    for (client, tool, arguments, code, told) in [
        (
            &plenty,
            "echo-bytes",
            json!({ "value": "A".repeat(3_000_000) }),
            "arguments",
            "invalid arguments: at /value: the arguments have too many values; send fewer at a time",
        ),
        (
            &small,
            "echo-integers",
            integers(4_000),
            "output",
            "the result is larger than the limit of 65536 bytes",
        ),
        (
            &small,
            "echo-string",
            json!({ "value": "x".repeat(3_500_000) }),
            "memory",
            "the tool reached its limit of 4194304 bytes of memory",
        ),
        (
            &small,
            "echo-strings",
            json!({ "value": vec!["x"; 100_000] }),
            "fuel",
            "out of fuel: the call burned its budget of 500000",
        ),
    ] {
        let result = client.call(tool, arguments).await;
        assert_eq!(result["_meta"]["toolgate/error"], code, "{tool}: {}", shown(&result));
        assert_eq!(result["content"][0]["text"], told, "{tool}");
    }
    let headers =
        [("mcp-protocol-version", REVISION), ("mcp-method", "tools/call"), ("mcp-name", "echo-bools")];
    let reply = plenty.post(&headers, format!("[{}true]", "true,".repeat(1_000_000))).await;
    assert_eq!(reply.status, 413);
    let told = "the request is larger than the limit of 4194304 bytes";
    assert_eq!(reply.json()["error"]["message"], told);
}

/// Results that are no objects come as `result`.
fn is_echo(structured: &Value, value: &Value) -> bool {
    structured == value || structured.get("result").is_some_and(|result| result == value)
}

/// The beginning of a value, for messages.
fn shown(value: &Value) -> String {
    value.to_string().chars().take(300).collect()
}
