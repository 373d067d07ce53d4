//! How much host memory values take, beside the JSON that they are in.
//!
//! A component value takes 40 bytes, so the densest JSON sets the ratio: one byte of a `list<u8>`
//! is four thirds of a character of base64. Types without lists hold no more values than they have
//! fields, and their strings are as long here as there.

use super::tree::Type;

/// Bytes of values per byte of JSON where there are lists.
const WITH_LISTS: u64 = 32;

/// The same where there are none; a string may be held twice while it is copied.
const WITHOUT_LISTS: u64 = 3;

/// Bytes that values of these types may take for each byte of JSON.
pub fn density<'a>(types: impl IntoIterator<Item = &'a Type>) -> u64 {
    if types.into_iter().any(has_list) { WITH_LISTS } else { WITHOUT_LISTS }
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

    use super::{WITH_LISTS, WITHOUT_LISTS, density};
    use crate::wit::Type;

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
