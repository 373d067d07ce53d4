//! What was expected and what was got, in words that a model can act on.

use wasmtime::component::Val;

use super::parse::ALLOCATION;
use crate::wit::tree::{Field, Fields, Type};

/// Characters of the caller's own text in a message. Against echoing a whole body.
const MAX_ECHO_CHARS: usize = 40;

/// Names listed in a message. Against messages as long as the component's longest enum.
const MAX_LISTED: usize = 24;

/// Names and their length up to which the nearest one is looked for: the search is quadratic.
const MAX_COMPARED: usize = 256;

/// A type as the object of "expected".
pub(super) fn expected(ty: &Type) -> String {
    match ty {
        Type::Bool => "true or false".to_owned(),
        Type::S8 => range(i8::MIN, i8::MAX),
        Type::U8 => range(u8::MIN, u8::MAX),
        Type::S16 => range(i16::MIN, i16::MAX),
        Type::U16 => range(u16::MIN, u16::MAX),
        Type::S32 => range(i32::MIN, i32::MAX),
        Type::U32 => range(u32::MIN, u32::MAX),
        Type::S64 => range(i64::MIN, i64::MAX),
        Type::U64 => range(u64::MIN, u64::MAX),
        Type::F32 => float("a 32-bit"),
        Type::F64 => float("a 64-bit"),
        Type::Char => "a string of one character".to_owned(),
        Type::String => "a string".to_owned(),
        Type::Bytes => "a base64 string (standard alphabet, with padding)".to_owned(),
        Type::List(_) => "an array".to_owned(),
        Type::FixedList(_, len) => array(u64::from(*len)),
        Type::Tuple(types) => array(types.len() as u64),
        Type::Map(types) if types.0 == Type::String => "an object".to_owned(),
        Type::Map(_) => "an array of [key, value] pairs".to_owned(),
        Type::Record(fields) => object(fields),
        Type::Variant(cases) => {
            let forms = cases.iter().map(|case| match case.ty {
                Some(_) => format!("{{\"{}\": …}}", case.name),
                None => format!("\"{}\"", case.name),
            });
            format!("one of {}", list(forms))
        }
        Type::Enum(labels) => format!("one of {}", list(labels.names().map(quoted))),
        Type::Flags(labels) => {
            format!("an array of different ones of {}", list(labels.names().map(quoted)))
        }
        Type::Option(inner) if inner.is_nullable() => "null or {\"some\": …}".to_owned(),
        Type::Option(inner) => format!("null or {}", expected(inner)),
        Type::Result(_) => "{\"ok\": …} or {\"err\": …}".to_owned(),
    }
}

fn range(min: impl Into<i128>, max: impl Into<i128>) -> String {
    format!("an integer from {} to {}", min.into(), max.into())
}

fn float(what: &str) -> String {
    format!("a number in the range of {what} float, or one of \"NaN\", \"Infinity\", \"-Infinity\"")
}

fn array(len: u64) -> String {
    match len {
        0 => "an empty array".to_owned(),
        1 => "an array of 1 item".to_owned(),
        _ => format!("an array of {len} items"),
    }
}

fn object(fields: &Fields) -> String {
    if fields.is_empty() {
        return "an empty object".to_owned();
    }
    format!("an object with {}", list(fields.iter().map(|field| quoted(&field.name))))
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

/// Items with commas, the many cut off.
pub(super) fn list(items: impl Iterator<Item = String>) -> String {
    let mut items = items.peekable();
    let mut text = items.by_ref().take(MAX_LISTED).collect::<Vec<_>>().join(", ");
    if items.peek().is_some() {
        text.push_str(", …");
    }
    text
}

/// The caller's own text, cut off where it is long.
pub(super) fn shorten(text: &str) -> String {
    match text.char_indices().nth(MAX_ECHO_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A string as got.
pub(super) fn got_string(text: &str) -> String {
    serde_json::Value::from(shorten(text)).to_string()
}

/// "; did you mean `x`?" if a name is near, otherwise what there is.
pub(super) fn hint<'a>(wanted: &str, names: impl Iterator<Item = &'a str> + Clone) -> String {
    let near = (wanted.len() <= MAX_COMPARED).then(|| {
        let scored = names.clone().filter(|name| name.len() <= MAX_COMPARED).take(MAX_COMPARED);
        scored
            .map(|name| (strsim::damerau_levenshtein(&normal(wanted), &normal(name)), name))
            .min_by_key(|&(distance, _)| distance)
            .filter(|&(distance, name)| distance <= 1 + name.len() / 4)
    });
    match near.flatten() {
        Some((_, name)) => format!("; did you mean \"{name}\"?"),
        None if names.clone().next().is_none() => "; there are none".to_owned(),
        None => format!("; known are {}", list(names.map(quoted))),
    }
}

/// Names as models write them: `maxItems` and `max_items` are near `max-items`.
fn normal(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_')).flat_map(char::to_lowercase).collect()
}

/// Host memory of a record of which every field is absent that may be.
pub(in crate::wit) fn absent_cost(fields: &Fields) -> usize {
    let absent = |field: &&Field| field.is_optional();
    let names = fields.iter().filter(absent).map(|field| field.name.len() + FIELD).sum::<usize>();
    size_of::<Val>() + names
}

/// What a field of a record takes besides its name.
const FIELD: usize = size_of::<(String, Val)>() + ALLOCATION;

/// Host memory of a value by itself, with the names that it holds.
pub(super) fn cost(fields: &Fields) -> usize {
    let names: usize = fields.iter().map(|field| field.name.len()).sum();
    names + fields.len() * FIELD
}
