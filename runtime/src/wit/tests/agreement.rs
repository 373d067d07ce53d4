//! Properties over generated types: what the published schema says is what is accepted and sent.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use wasmtime::component::Val;

use super::*;
use crate::wit::fuzz::{Entropy, params, ty};
use crate::wit::schema;
use crate::wit::value::render;

const DEPTH: usize = 4;

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_result_satisfies_the_output_schema_and_parses_back_exactly(
        shape in vec(any::<u8>(), 0..48),
        content in vec(any::<u8>(), 0..96),
    ) {
        let function = echo(ty(&mut Entropy::new(&shape), DEPTH));
        let value = value(&mut Entropy::new(&content), &function.params[0].ty);
        let rendered = render(&function, std::slice::from_ref(&value), u64::MAX).unwrap();
        let structured = rendered.structured.unwrap();
        satisfies(structured.get(), &schema::output(&function).unwrap());
        let content = content_of(&function.params[0].ty, structured.get());
        prop_assert_eq!(parse(&function, content).unwrap(), value, "from {}", content);
    }

    #[test]
    fn a_verdict_has_content_that_satisfies_the_output_schema_or_is_an_error_without_any(
        shape in vec(any::<u8>(), 0..48),
        content in vec(any::<u8>(), 0..96),
    ) {
        let mut entropy = Entropy::new(&shape);
        let sides = [(); 2].map(|()| (entropy.below(4) > 0).then(|| ty(&mut entropy, DEPTH - 1)));
        let [ok, err] = sides.clone();
        let function = function(Fields::default(), Returns::Verdict { ok, err });
        let value = value(&mut Entropy::new(&content), &Type::Result(Arc::new(sides.into())));
        let rendered = render(&function, std::slice::from_ref(&value), u64::MAX).unwrap();
        let Val::Result(verdict) = value else { panic!("{value:?} is no result") };
        prop_assert_eq!(rendered.is_error, verdict.is_err());
        match (verdict, rendered.structured) {
            (Ok(Some(value)), Some(structured)) => {
                satisfies(structured.get(), &schema::output(&function).unwrap());
                let ty = function.returns.content().unwrap().clone();
                let content = content_of(&ty, structured.get()).to_owned();
                prop_assert_eq!(parse(&echo(ty), &content).unwrap(), *value, "from {}", content);
            }
            (Ok(None), None) => prop_assert!(schema::output(&function).is_none()),
            (Err(_), None) => {}
            (verdict, structured) => panic!("{verdict:?} has the content {structured:?}"),
        }
    }

    #[test]
    fn arguments_are_accepted_if_and_only_if_the_input_schema_accepts_them(
        shape in vec(any::<u8>(), 0..64),
        content in vec(any::<u8>(), 0..96),
        changes in vec(vec(any::<u8>(), 12), 0..3),
    ) {
        let function = function(params(&mut Entropy::new(&shape), DEPTH - 1), Returns::Nothing);
        let mut entropy = Entropy::new(&content);
        let fields = function.params.iter();
        let values = fields.map(|field| (field.name.to_string(), value(&mut entropy, &field.ty))).collect();
        let arguments = Type::Record(function.params.clone());
        let rendered = render(&echo(arguments), &[Val::Record(values)], u64::MAX).unwrap();
        let mut arguments: Value = serde_json::from_str(rendered.structured.unwrap().get()).unwrap();
        for change in changes {
            mutate(&mut arguments, &mut Entropy::new(&change));
        }
        let input = read(&schema::input(&function));
        let validator = jsonschema::validator_for(&input).unwrap();
        let raw = RawValue::from_string(arguments.to_string()).unwrap();
        let parsed = parse_arguments(&function, &raw);
        match (validator.validate(&arguments), &parsed) {
            (Ok(()), Ok(_)) | (Err(_), Err(_)) => {}
            (Ok(()), Err(e)) => panic!("{raw} satisfies {input}, but: {e}"),
            (Err(e), Ok(_)) => panic!("{raw} was accepted, but violates {input}: {e}"),
        }
    }

    #[test]
    fn whatever_is_accepted_is_rendered_to_what_is_accepted_as_the_same(
        shape in vec(any::<u8>(), 16),
        content in vec(any::<u8>(), 0..96),
        changes in vec(vec(any::<u8>(), 12), 0..3),
    ) {
        let function = echo(ty(&mut Entropy::new(&shape), DEPTH));
        let value = value(&mut Entropy::new(&content), &function.params[0].ty);
        let structured = render(&function, &[value], u64::MAX).unwrap().structured.unwrap();
        let mut json: Value = serde_json::from_str(content_of(&function.params[0].ty, structured.get())).unwrap();
        for change in &changes {
            mutate(&mut json, &mut Entropy::new(change));
        }
        // A third of all cases, so that there is always something that goes the whole way.
        prop_assert!(!changes.is_empty() || parse(&function, &json.to_string()).is_ok(), "{}", json);
        let mut data = shape;
        data.extend(json!({"result": json}).to_string().into_bytes());
        crate::wit::fuzz::round_trip(&data);
    }

    #[test]
    fn text_that_is_no_json_for_the_type_never_panics(
        shape in vec(any::<u8>(), 0..32),
        text in "[\\[\\]{}\":,a-c0-9eE.+\\- \\\\u\u{7f}-\u{ff}]{0,40}",
    ) {
        let function = function(params(&mut Entropy::new(&shape), DEPTH), Returns::Nothing);
        if let Ok(raw) = serde_json::from_str::<Box<RawValue>>(&text) {
            let _ = parse_arguments(&function, &raw);
        }
    }
}

fn satisfies(structured: &str, schema: &RawValue) {
    let (structured, schema): (Value, _) = (serde_json::from_str(structured).unwrap(), read(schema));
    if let Err(e) = jsonschema::validator_for(&schema).unwrap().validate(&structured) {
        panic!("{structured} does not satisfy {schema}: {e}");
    }
}

/// The value in a structured result.
fn content_of<'a>(ty: &Type, json: &'a str) -> &'a str {
    match ty {
        Type::Record(_) => json,
        _ => json.strip_prefix("{\"result\":").unwrap().strip_suffix('}').unwrap(),
    }
}

fn read(schema: &RawValue) -> Value {
    serde_json::from_str(schema.get()).unwrap()
}

/// Some value of `ty`, often at the edge of it.
fn value(entropy: &mut Entropy<'_>, ty: &Type) -> Val {
    macro_rules! edge {
        ($val:ident, $int:ident) => {{
            let some = [0, 1, $int::MAX, $int::MIN, $int::MAX - 1, $int::MAX / 3];
            Val::$val(some[entropy.below(some.len())])
        }};
    }
    match ty {
        Type::Bool => Val::Bool(entropy.below(2) == 1),
        Type::S8 => edge!(S8, i8),
        Type::U8 => edge!(U8, u8),
        Type::S16 => edge!(S16, i16),
        Type::U16 => edge!(U16, u16),
        Type::S32 => edge!(S32, i32),
        Type::U32 => edge!(U32, u32),
        Type::S64 => edge!(S64, i64),
        Type::U64 => edge!(U64, u64),
        Type::F32 => match entropy.below(9) {
            8 => Val::Float32(f32::from_bits(u32::from_le_bytes(std::array::from_fn(|_| entropy.byte())))),
            i => Val::Float32(
                [0.0, -0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, 0.1][i],
            ),
        },
        Type::F64 => match entropy.below(9) {
            8 => Val::Float64(f64::from_bits(u64::from_le_bytes(std::array::from_fn(|_| entropy.byte())))),
            i => Val::Float64(
                [0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, 5e-324][i],
            ),
        },
        Type::Char => Val::Char(['a', '"', '\\', '\0', '\u{ffff}', '𝄞', '\u{10ffff}'][entropy.below(7)]),
        Type::String => Val::String(string(entropy)),
        Type::Bytes => Val::List((0..entropy.below(9)).map(|_| Val::U8(entropy.byte())).collect()),
        Type::List(item) => Val::List((0..entropy.below(4)).map(|_| value(entropy, item)).collect()),
        Type::FixedList(item, len) => Val::FixedLengthList((0..*len).map(|_| value(entropy, item)).collect()),
        Type::Tuple(types) => Val::Tuple(types.iter().map(|ty| value(entropy, ty)).collect()),
        Type::Map(types) => {
            let mut entries: Vec<(Val, Val)> = Vec::new();
            for _ in 0..entropy.below(4) {
                let key = value(entropy, &types.0);
                if types.0 != Type::String || entries.iter().all(|(k, _)| *k != key) {
                    entries.push((key, value(entropy, &types.1)));
                }
            }
            Val::Map(entries)
        }
        Type::Record(fields) => {
            let values = fields.iter().map(|field| (field.name.to_string(), value(entropy, &field.ty)));
            Val::Record(values.collect())
        }
        Type::Variant(cases) => {
            let case = &cases[entropy.below(cases.len())];
            let payload = case.ty.as_ref().map(|ty| Box::new(value(entropy, ty)));
            Val::Variant(case.name.to_string(), payload)
        }
        Type::Enum(labels) => Val::Enum(labels[entropy.below(labels.len())].name.to_string()),
        Type::Flags(labels) => {
            let set = labels.names().filter(|_| entropy.below(2) == 1);
            Val::Flags(set.map(str::to_owned).collect())
        }
        Type::Option(inner) => Val::Option((entropy.below(3) > 0).then(|| Box::new(value(entropy, inner)))),
        Type::Result(types) => {
            let mut side = |ty: &Option<Type>| ty.as_ref().map(|ty| Box::new(value(entropy, ty)));
            let (ok, err) = (side(&types.0), side(&types.1));
            Val::Result(if entropy.below(2) == 0 { Ok(ok) } else { Err(err) })
        }
    }
}

fn string(entropy: &mut Entropy<'_>) -> String {
    let parts = ["", "a", "\"", "\u{0}", "é", "𝄞", "\n\\/", "NaN", "\u{2028}", "=", "AAA="];
    (0..entropy.below(3)).map(|_| parts[entropy.below(parts.len())]).collect()
}

/// Changes something somewhere.
fn mutate(json: &mut Value, entropy: &mut Entropy<'_>) {
    let descend = entropy.below(4) > 0;
    match json {
        Value::Array(items) if descend && !items.is_empty() => {
            let at = entropy.below(items.len().min(256));
            mutate(&mut items[at], entropy);
        }
        Value::Object(map) if descend && !map.is_empty() => {
            let at = entropy.below(map.len().min(256));
            mutate(map.values_mut().nth(at).unwrap(), entropy);
        }
        _ if entropy.below(3) == 0 => *json = any_json(entropy),
        Value::Array(items) => match (entropy.below(3), items.first().cloned()) {
            (0, Some(first)) => items.push(first),
            (1, _) => drop(items.pop()),
            _ => items.push(any_json(entropy)),
        },
        Value::Object(map) => {
            let key = map.keys().nth(entropy.below(map.len().max(1))).cloned();
            match (entropy.below(3), key) {
                (0, Some(key)) => drop(map.remove(&key)),
                (1, Some(key)) => drop(map.insert(key, Value::Null)),
                _ => drop(map.insert(["a", "some", "ok", "new"][entropy.below(4)].into(), any_json(entropy))),
            }
        }
        Value::String(text) => match entropy.below(4) {
            0 => text.push('='),
            1 => drop(text.pop()),
            2 => text.push('Q'),
            _ => text.insert(0, '\u{1F600}'),
        },
        Value::Number(number) => {
            let text = number.to_string();
            let changed = [format!("{text}0"), format!("-{text}"), format!("{text}e1"), format!("{text}.5")];
            // The validator has fractions as f64, so it can't tell those of large integers.
            let choices = if text.len() < 16 { 4 } else { 3 };
            if let Ok(changed) = serde_json::from_str(&changed[entropy.below(choices)]) {
                *json = changed;
            }
        }
        _ => *json = any_json(entropy),
    }
}

fn any_json(entropy: &mut Entropy<'_>) -> Value {
    let some = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1.0),
        json!(-0.0),
        json!(255),
        json!(256),
        json!(1.5),
        json!(1e3),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(18446744073709551616.0),
        json!(3.4028235e38),
        json!(3.5e38),
        json!(""),
        json!("a"),
        json!("ok"),
        json!("ab"),
        json!("NaN"),
        json!("AA=="),
        json!("AB=="),
        json!("AAA"),
        json!("AAA=\n"),
        json!("𝄞"),
        json!([]),
        json!({}),
        json!([0]),
        json!(["a", "a"]),
        json!(["a", "b"]),
        json!([["a", 1], ["a", 2]]),
        json!({"ok": null}),
        json!({"err": 1}),
        json!({"some": null}),
        json!({"some": {"some": true}}),
        json!({"a": 1}),
        json!({"a": null, "b": "x"}),
    ];
    some[entropy.below(some.len())].clone()
}
