//! What a model reads when its arguments are wrong.

use super::*;

fn error(function: &Function, arguments: &str) -> String {
    let raw = RawValue::from_string(arguments.to_owned()).unwrap();
    parse_arguments(function, &raw).unwrap_err().to_string()
}

fn shop() -> Function {
    let item = record(&[("count", Type::U8), ("note", option(Type::String))]);
    let size = Type::Enum(labels(&["small", "large"]).into());
    let pay = variant(&[("cash", None), ("card", Some(Type::String))]);
    let fields = [
        ("items", list(item)),
        ("max-items", option(Type::U32)),
        ("size", option(size)),
        ("pay", option(pay)),
    ];
    let fields = fields.map(|(name, ty)| Field { name: name.into(), ty, docs: None });
    function(Fields::new(None, fields.into()), Returns::Nothing)
}

#[test]
fn an_error_says_where_what_was_expected_and_what_was_got() {
    let cases = [
        (
            r#"{"items":[{"count":1},{"count":300}]}"#,
            "at /items/1/count: expected an integer from 0 to 255, got 300",
        ),
        (r#"{"items":[{"count":"1"}]}"#, "at /items/0/count: expected an integer from 0 to 255, got \"1\""),
        (r#"{"items":{}}"#, "at /items: expected an array, got an object"),
        (r#"{"items":[7]}"#, "at /items/0: expected an object with \"count\", \"note\", got 7"),
        (r#"{"items":[{}]}"#, "at /items/0: missing required fields: \"count\""),
        (r#"{}"#, "missing required arguments: \"items\""),
        (r#"{"items":[],"maxItems":1}"#, "unknown argument \"maxItems\"; did you mean \"max-items\"?"),
        (
            r#"{"items":[{"count":1,"price":2}]}"#,
            "at /items/0: unknown field \"price\"; known are \"count\", \"note\"",
        ),
        (r#"{"items":[],"size":"medium"}"#, "at /size: expected one of \"small\", \"large\", got \"medium\""),
        (
            r#"{"items":[],"pay":"card"}"#,
            "at /pay: \"card\" takes a value: expected {\"card\": …}, got \"card\"",
        ),
        (
            r#"{"items":[],"pay":{"cash":null}}"#,
            "at /pay: \"cash\" takes no value: expected \"cash\", got an object",
        ),
        (
            r#"{"items":[],"pay":{"coin":1}}"#,
            "at /pay: expected one of \"cash\", {\"card\": …}, got an object with \"coin\"",
        ),
        (r#"{"items":[],"items":[]}"#, "at /items: given twice"),
        (r#"[1,2]"#, "the arguments must be an object, got [1,2]"),
    ];
    for (arguments, message) in cases {
        assert_eq!(error(&shop(), arguments), message, "{arguments}");
    }
}

#[test]
fn half_a_surrogate_pair_is_told_with_its_place() {
    let function = echo(list(Type::String));
    let message = error(&function, r#"{"v":["a","\ud800x"]}"#);
    assert!(message.starts_with("at /v/1: "), "{message}");
    assert!(message.contains("surrogate") || message.contains("hex escape"), "{message}");
}

#[test]
fn keys_in_paths_are_escaped_and_cut_off() {
    let function = echo(Type::Map((Type::String, Type::Bool).into()));
    assert_eq!(error(&function, r#"{"v":{"a/~b":1}}"#), "at /v/a~1~0b: expected true or false, got 1");
    let long = "k".repeat(10_000);
    let message = error(&function, &format!(r#"{{"v":{{"{long}":"{long}"}}}}"#));
    assert!(message.len() < 200, "{message}");
    assert_eq!(error(&function, r#"{"v":{"a":true,"b":true,"a":true}}"#), "at /v/a: given twice");
}

#[test]
fn flags_and_lengths_are_checked() {
    let flags = echo(Type::Flags(labels(&["read", "write"]).into()));
    assert_eq!(error(&flags, r#"{"v":["read","read"]}"#), "at /v/1: the flag \"read\" is given twice");
    assert_eq!(
        error(&flags, r#"{"v":["exec"]}"#),
        "at /v/0: expected an array of different ones of \"read\", \"write\", got \"exec\""
    );
    let pair = echo(Type::Tuple([Type::Bool, Type::Bool].into()));
    assert_eq!(error(&pair, r#"{"v":[true]}"#), "at /v: expected an array of 2 items, got an array of 1");
    assert_eq!(error(&pair, r#"{"v":[true,true,true]}"#), "at /v: expected an array of 2 items, got more");
}
