//! How much host memory values take, beside the JSON that they are in.
//!
//! A component value takes 40 bytes, so the densest JSON sets the ratio: one byte of a `list<u8>`
//! is four thirds of a character of base64. Types without lists hold no more values than they have
//! fields, and their strings are as long here as there.

use super::tree::Type;
use super::value::absent_cost;

/// Bytes of values per byte of JSON where there are lists.
const WITH_LISTS: u64 = 32;

/// The same where there are none; a string may be held twice while it is copied.
const WITHOUT_LISTS: u64 = 3;

/// Bytes that values of these types may take for each byte of JSON.
pub fn density<'a>(types: impl IntoIterator<Item = &'a Type>) -> u64 {
    if types.into_iter().any(has_list) { WITH_LISTS } else { WITHOUT_LISTS }
}

/// The same for arguments, where a field that may be absent takes memory and no JSON at all: `{}` is
/// as large as its record is wide.
pub fn argument_density<'a>(types: impl IntoIterator<Item = &'a Type>) -> u64 {
    let dense = |ty| if has_list(ty) { WITH_LISTS.max(widest(ty)) } else { WITHOUT_LISTS };
    types.into_iter().map(dense).max().unwrap_or(WITHOUT_LISTS)
}

/// Bytes of values per byte of JSON for the record within `ty` that has most fields to leave out.
fn widest(ty: &Type) -> u64 {
    /// Of an item without fields, `{},`.
    const EMPTY: u64 = 3;
    let within = |types: &mut dyn Iterator<Item = &Type>| types.map(widest).max().unwrap_or(0);
    match ty {
        Type::Record(fields) => {
            let own = (absent_cost(fields) as u64).div_ceil(EMPTY);
            own.max(within(&mut fields.types()))
        }
        Type::List(item) | Type::FixedList(item, _) | Type::Option(item) => widest(item),
        Type::Map(pair) => widest(&pair.0).max(widest(&pair.1)),
        Type::Tuple(items) => within(&mut items.iter()),
        Type::Variant(cases) => within(&mut cases.types()),
        Type::Result(both) => within(&mut [&both.0, &both.1].into_iter().flatten()),
        _ => 0,
    }
}

/// The depth of types is bounded where they are converted.
fn has_list(ty: &Type) -> bool {
    match ty {
        Type::Bytes | Type::List(_) | Type::FixedList(..) | Type::Map(_) => true,
        Type::Tuple(items) => items.iter().any(has_list),
        Type::Record(fields) => fields.types().any(has_list),
        Type::Variant(cases) => cases.types().any(has_list),
        Type::Option(some) => has_list(some),
        Type::Result(both) => [&both.0, &both.1].into_iter().flatten().any(has_list),
        Type::Bool
        | Type::S8
        | Type::U8
        | Type::S16
        | Type::U16
        | Type::S32
        | Type::U32
        | Type::S64
        | Type::U64
        | Type::F32
        | Type::F64
        | Type::Char
        | Type::String
        | Type::Enum(_)
        | Type::Flags(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::value::RawValue;

    use super::{WITH_LISTS, WITHOUT_LISTS, argument_density, density};
    use crate::wit::tree::{Field, Fields, Returns};
    use crate::wit::value::{MAX_ARGUMENT_MEMORY, parse_arguments};
    use crate::wit::{Function, Type};

    /// `list<record>` with so many fields that may be absent.
    fn wide(fields: usize) -> Type {
        let field =
            |n| Field { name: format!("field-{n}").into(), ty: Type::Option(Arc::new(Type::U8)), docs: None };
        let fields = Fields::new(None, (0..fields).map(field).collect());
        Type::List(Arc::new(Type::Record(Arc::new(fields))))
    }

    #[test]
    fn arguments_take_no_more_than_their_density_says() {
        let list = |ty| Type::List(Arc::new(ty));
        for (ty, item) in [
            (wide(1), "{}"),
            (wide(1000), "{}"),
            (Type::Option(Arc::new(wide(100))), "{}"),
            (list(list(Type::Bool)), "[]"),
            (list(Type::String), "\"a\""),
            (list(Type::Bytes), "\"AAAA\""),
        ] {
            let field = Field { name: "v".into(), ty: ty.clone(), docs: None };
            let function = Function {
                name: "f".into(),
                interface: None,
                export: "f".into(),
                docs: None,
                params: Arc::new(Fields::new(None, vec![field])),
                returns: Returns::Nothing,
            };
            // As much JSON as would fill what the parser allows; if it took more, it were refused.
            let length = MAX_ARGUMENT_MEMORY / usize::try_from(argument_density([&ty])).unwrap();
            let more = format!(",{item}").repeat(length / (item.len() + 1) - 20);
            let arguments = RawValue::from_string(format!("{{\"v\":[{item}{more}]}}")).expect("JSON");
            assert!(parse_arguments(&function, &arguments).is_ok(), "{item} of {ty:?}");
        }
    }

    #[test]
    fn a_list_counts_wherever_it_is() {
        let list = || Type::List(Arc::new(Type::Bool));
        let nested = Type::Option(Arc::new(Type::Tuple([Type::String, list()].into())));
        for ty in [Type::Bytes, list(), nested, Type::Result(Arc::new((None, Some(list()))))] {
            assert_eq!(density([&Type::String, &ty]), WITH_LISTS, "{ty:?}");
        }
    }

    #[test]
    fn strings_and_numbers_take_about_what_their_text_does() {
        let pair = Type::Tuple([Type::U64, Type::String].into());
        assert_eq!(density([&pair, &Type::Char]), WITHOUT_LISTS);
        assert_eq!(density([]), WITHOUT_LISTS);
    }
}
