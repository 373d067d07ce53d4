//! What a caller or a guest sends to exhaust the host.

use super::*;
use crate::wit::MAX_TYPE_DEPTH;
use crate::wit::value::{MAX_ARGUMENT_MEMORY, RenderError, render};

#[test]
fn empty_lists_can_not_take_more_memory_than_allowed() {
    let function = echo(list(list(Type::Bool)));
    let fit = MAX_ARGUMENT_MEMORY / size_of::<Val>() - 1000;
    let lists = |count: usize| format!("[{}[]]", "[],".repeat(count - 1));
    assert!(parse(&function, &lists(fit)).is_ok());
    let error = parse(&function, &lists(fit + 2000)).unwrap_err();
    assert!(error.to_string().contains("too many values"), "{error}");
}

#[test]
fn absent_fields_of_a_wide_record_are_paid_for() {
    let fields: Vec<_> = (0..1000).map(|i| (format!("field-{i}"), option(Type::U8))).collect();
    let fields: Vec<_> = fields.iter().map(|(name, ty)| (name.as_str(), ty.clone())).collect();
    let function = echo(list(record(&fields)));
    let error = parse(&function, &format!("[{}{{}}]", "{},".repeat(2000))).unwrap_err();
    assert!(error.to_string().contains("too many values"), "{error}");
}

#[test]
fn short_texts_are_paid_for_with_what_the_allocator_adds() {
    let texts = |count: usize| format!("[{}\"a\"]", "\"a\",".repeat(count - 1));
    let function = echo(list(Type::String));
    assert!(parse(&function, &texts(MAX_ARGUMENT_MEMORY / 72)).is_ok());
    let error = parse(&function, &texts(MAX_ARGUMENT_MEMORY / 48)).unwrap_err();
    assert!(error.to_string().contains("too many values"), "{error}");
}

#[test]
fn lists_keep_no_room_to_grow() {
    let Val::List(lists) = parse(&echo(list(list(Type::Bool))), "[[true],[true],[true]]").unwrap() else {
        panic!("not a list")
    };
    assert_eq!(lists.capacity(), 3);
    for list in lists {
        let Val::List(items) = list else { panic!("not a list") };
        assert_eq!(items.capacity(), 1);
    }
}

#[test]
fn bytes_are_refused_before_they_are_decoded() {
    let text = "AAAA".repeat(MAX_ARGUMENT_MEMORY / size_of::<Val>() / 3 + 1);
    let error = parse(&echo(Type::Bytes), &format!("\"{text}\"")).unwrap_err();
    assert!(error.to_string().contains("too many values"), "{error}");
}

#[test]
fn a_huge_list_within_the_bound_survives_the_round_trip() {
    let function = echo(Type::Bytes);
    let value = Val::List((0..1_000_000u32).map(|i| Val::U8(i as u8)).collect());
    let rendered = render(&function, std::slice::from_ref(&value), 2_000_000).unwrap();
    assert_eq!(parse(&function, &format!("\"{}\"", rendered.text)).unwrap(), value);
}

#[test]
fn the_deepest_allowed_type_is_within_the_json_parsers_recursion_limit() {
    // The variant costs a level of JSON as every other; pairs of a map cost two.
    let mut ty = Type::Map((Type::U8, Type::Bool).into());
    let mut json = "[[1,true]]".to_owned();
    for _ in 0..MAX_TYPE_DEPTH - 2 {
        ty = Type::Map((Type::U8, ty).into());
        json = format!("[[1,{json}]]");
    }
    let function = echo(ty);
    let value = parse(&function, &json).unwrap();
    assert_eq!(render(&function, &[value], 10_000).unwrap().text, json);
}

#[test]
fn a_result_beyond_the_limit_is_refused_wherever_it_ends() {
    let function = echo(list(Type::String));
    let value = Val::List(vec![Val::String("a\u{0}b".into()), Val::String(String::new())]);
    let whole = render(&function, std::slice::from_ref(&value), 1000).unwrap().structured.unwrap();
    let len = whole.get().len() as u64;
    assert!(render(&function, std::slice::from_ref(&value), len).is_ok());
    for limit in 0..len {
        let error = render(&function, std::slice::from_ref(&value), limit).unwrap_err();
        assert_eq!(error, RenderError::TooLarge { limit });
    }
}

#[test]
fn a_value_of_another_type_is_a_fault_and_no_panic() {
    let function = echo(record(&[("a", Type::U8)]));
    for value in [Val::U8(1), Val::Record(Vec::new()), Val::Record(vec![("b".into(), Val::U8(1))])] {
        assert_eq!(render(&function, &[value], 1000).unwrap_err(), RenderError::Mismatch);
    }
    assert_eq!(render(&function, &[], 1000).unwrap_err(), RenderError::Mismatch);
}
