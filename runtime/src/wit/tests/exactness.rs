//! Single values whose exact treatment is promised.

use super::*;
use crate::wit::schema;
use crate::wit::value::render;

#[test]
fn integers_are_exact_to_the_last_digit() {
    let u64 = echo(Type::U64);
    assert_eq!(parse(&u64, "18446744073709551615").unwrap(), Val::U64(u64::MAX));
    assert_eq!(parse(&u64, "9007199254740993").unwrap(), Val::U64(9_007_199_254_740_993));
    assert_eq!(parse(&u64, "1844674407370955161.5e1").unwrap(), Val::U64(u64::MAX));
    assert!(parse(&u64, "18446744073709551616").is_err());
    let s64 = echo(Type::S64);
    assert_eq!(parse(&s64, "-9223372036854775808").unwrap(), Val::S64(i64::MIN));
    assert_eq!(parse(&s64, "-9223372036854775808.000").unwrap(), Val::S64(i64::MIN));
    assert!(parse(&s64, "-9223372036854775809").is_err());
    assert!(parse(&s64, "9223372036854775808").is_err());
}

#[test]
fn an_integer_is_what_json_schema_calls_one() {
    let u8 = echo(Type::U8);
    for (json, value) in
        [("-0", 0), ("1.0", 1), ("2e1", 20), ("0.5e1", 5), ("1000e-2", 10), ("0e999999999999", 0)]
    {
        assert_eq!(parse(&u8, json).unwrap(), Val::U8(value), "{json}");
    }
    let exponent = format!("1e{}", "9".repeat(400));
    let digits = "0".repeat(4000);
    for json in
        ["0.5", "1e-1", "256", "-1", "25.6e0", &exponent, &format!("0.{digits}1"), "\"1\"", "true", "[1]"]
    {
        assert!(parse(&u8, json).is_err(), "{json}");
    }
    assert_eq!(parse(&u8, &format!("0.{digits}1e4001")).unwrap(), Val::U8(1));
}

#[test]
fn floats_round_to_nearest_and_keep_their_sign_and_their_ends() {
    let f32 = echo(Type::F32);
    // Just below the middle of two f32: by way of f64 it would become the middle and round up.
    let below = "1.00000017881393432617187499";
    assert_eq!(below.parse::<f64>().unwrap() as f32, 1.000_000_2);
    assert_eq!(parse(&f32, below).unwrap(), Val::Float32(1.000_000_1));
    assert_eq!(parse(&f32, "-0").unwrap(), Val::Float32(-0.0));
    assert_eq!(parse(&f32, "3.4028235e38").unwrap(), Val::Float32(f32::MAX));
    assert!(parse(&f32, "3.4028236e38").is_err());
    let f64 = echo(Type::F64);
    assert_eq!(parse(&f64, "1.7976931348623157e308").unwrap(), Val::Float64(f64::MAX));
    assert!(parse(&f64, "1e309").is_err());
    assert!(parse(&f64, "\"nan\"").is_err());
    assert_eq!(parse(&f64, "\"-Infinity\"").unwrap(), Val::Float64(f64::NEG_INFINITY));
    assert_eq!(text(&f32, Val::Float32(0.1)), "0.1");
    assert_eq!(text(&f64, Val::Float64(f64::NAN)), "NaN");
}

#[test]
fn options_within_options_stay_distinguishable() {
    let two = echo(option(option(Type::Bool)));
    let none = Val::Option(None);
    let some = |value| Val::Option(Some(Box::new(value)));
    let cases = [
        ("null", none.clone()),
        ("{\"some\":null}", some(none)),
        ("{\"some\":true}", some(some(Val::Bool(true)))),
    ];
    for (json, value) in cases {
        assert_eq!(parse(&two, json).unwrap(), value, "{json}");
        assert_eq!(text(&two, value), json);
    }
    assert!(parse(&two, "true").is_err());
    assert!(parse(&two, "{\"some\":true,\"more\":1}").is_err());
}

#[test]
fn an_absent_option_is_none_in_arguments_and_in_records() {
    let ty = record(&[("a", option(Type::U8)), ("b", Type::U8)]);
    let value = Val::Record(vec![("a".into(), Val::Option(None)), ("b".into(), Val::U8(1))]);
    let function = echo(ty);
    assert_eq!(parse(&function, "{\"b\":1}").unwrap(), value);
    assert_eq!(parse(&function, "{\"b\":1,\"a\":null}").unwrap(), value);
    assert_eq!(text(&function, value), "{\"b\":1}");
    let optional = echo(option(Type::U8));
    assert_eq!(
        parse_arguments(&optional, &RawValue::from_string("{}".into()).unwrap()).unwrap(),
        [Val::Option(None)]
    );
}

#[test]
fn an_err_is_the_tools_own_verdict_and_has_no_structured_content() {
    let fields = Fields::default();
    let verdict = Returns::Verdict { ok: None, err: Some(Type::String) };
    let function = function(fields, verdict);
    let err = Val::Result(Err(Some(Box::new(Val::String("no \"such\" zone".into())))));
    let rendered = render(&function, &[err], 1000).unwrap();
    assert!(rendered.is_error);
    assert!(rendered.structured.is_none());
    assert_eq!(rendered.text, "no \"such\" zone");
    let rendered = render(&function, &[Val::Result(Ok(None))], 1000).unwrap();
    assert!(!rendered.is_error);
    assert!(rendered.structured.is_none());
    assert_eq!(rendered.text, "ok");
    assert!(schema::output(&function).is_none());
}

#[test]
fn a_key_that_a_guest_repeats_is_sent_once_with_its_last_value() {
    let function = echo(Type::Map((Type::String, Type::U8).into()));
    let entry = |key: &str, value| (Val::String(key.into()), Val::U8(value));
    let map = Val::Map(vec![entry("a", 1), entry("b", 2), entry("a", 3)]);
    assert_eq!(text(&function, map), "{\"b\":2,\"a\":3}");
}

#[test]
fn base64_has_one_text_for_each_value() {
    let bytes = echo(Type::Bytes);
    assert_eq!(parse(&bytes, "\"/+8=\"").unwrap(), Val::List(vec![Val::U8(0xff), Val::U8(0xef)]));
    assert_eq!(parse(&bytes, "\"\"").unwrap(), Val::List(Vec::new()));
    for json in ["\"/+9=\"", "\"/+8\"", "\"_-8=\"", "\"/+8=\\n\"", "\"=\"", "[255]"] {
        assert!(parse(&bytes, json).is_err(), "{json}");
    }
}

#[test]
fn schemas_are_as_published() {
    let shown = |ty: Type| schema::input(&echo(ty)).get().to_owned();
    let of = |v: &str, required: &str| {
        format!(
            "{{\"type\":\"object\",\"properties\":{{\"v\":{v}}}{required},\"additionalProperties\":false}}"
        )
    };
    for (ty, schema) in [
        (Type::S8, r#"{"type":"integer","minimum":-128,"maximum":127}"#),
        (Type::U64, r#"{"type":"integer","minimum":0,"maximum":18446744073709551615}"#),
        (
            Type::Bytes,
            r#"{"type":"string","contentEncoding":"base64","pattern":"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$"}"#,
        ),
        (
            Type::Tuple([Type::Bool, Type::String].into()),
            r#"{"type":"array","prefixItems":[{"type":"boolean"},{"type":"string"}],"minItems":2,"maxItems":2}"#,
        ),
        (
            Type::Map((Type::String, Type::Bool).into()),
            r#"{"type":"object","additionalProperties":{"type":"boolean"}}"#,
        ),
        (
            Type::Map((Type::Char, Type::Bool).into()),
            r#"{"type":"array","items":{"type":"array","prefixItems":[{"type":"string","minLength":1,"maxLength":1},{"type":"boolean"}],"minItems":2,"maxItems":2}}"#,
        ),
        (Type::Enum(labels(&["a", "b"]).into()), r#"{"type":"string","enum":["a","b"]}"#),
        (
            variant(&[("off", None), ("at", Some(Type::Bool))]),
            r#"{"oneOf":[{"type":"string","enum":["off"]},{"type":"object","properties":{"at":{"type":"boolean"}},"required":["at"],"additionalProperties":false}]}"#,
        ),
    ] {
        assert_eq!(shown(ty), of(schema, ",\"required\":[\"v\"]"));
    }
    assert_eq!(
        shown(option(Type::Char)),
        of(r#"{"anyOf":[{"type":"string","minLength":1,"maxLength":1},{"type":"null"}]}"#, "")
    );
    assert_eq!(
        schema::input(&function(Fields::default(), Returns::Nothing)).get(),
        r#"{"type":"object","properties":{},"additionalProperties":false}"#
    );
    assert_eq!(
        schema::output(&echo(Type::String)).unwrap().get(),
        r#"{"type":"object","properties":{"result":{"type":"string"}},"required":["result"],"additionalProperties":false}"#
    );
}

fn text(function: &Function, value: Val) -> String {
    render(function, &[value], 10_000).unwrap().text.to_string()
}
