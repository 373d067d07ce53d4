//! The visitors of the argument parser: what each kind of JSON value means for each type.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use wasmtime::component::Val;

use super::expect::{cost, expected, got_string, hint, list};
use super::parse::{Context, Value};
use super::path::Path;
use crate::wit::tree::{Cases, Fields, Labels, Type};

/// Everything but numbers and options.
pub(super) struct ValueVisitor<'a, 'c> {
    pub ty: &'a Type,
    pub path: &'a Path<'a>,
    pub cx: &'c mut Context,
}

impl<'de> Visitor<'de> for ValueVisitor<'_, '_> {
    type Value = Val;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&expected(self.ty))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Val, E> {
        match self.ty {
            Type::Bool => Ok(Val::Bool(value)),
            ty => Err(self.cx.mismatch(self.path, ty, &value.to_string())),
        }
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Val, E> {
        Err(self.cx.mismatch(self.path, self.ty, &value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Val, E> {
        Err(self.cx.mismatch(self.path, self.ty, &value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Val, E> {
        Err(self.cx.mismatch(self.path, self.ty, &value.to_string()))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Val, E> {
        Err(self.cx.mismatch(self.path, self.ty, "null"))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Val, E> {
        let Self { ty, path, cx } = self;
        match ty {
            Type::String => {
                cx.charge(path, text.len())?;
                return Ok(Val::String(text.to_owned()));
            }
            Type::Bytes => return bytes(text, path, cx),
            Type::Enum(labels) if labels.contains(text) => {
                cx.charge(path, text.len())?;
                return Ok(Val::Enum(text.to_owned()));
            }
            Type::Variant(cases) => return bare_case(cases, text, ty, path, cx),
            Type::Char => {
                let mut chars = text.chars();
                if let (Some(c), None) = (chars.next(), chars.next()) {
                    return Ok(Val::Char(c));
                }
            }
            _ => {}
        }
        Err(cx.mismatch(path, ty, &got_string(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Val, A::Error> {
        let Self { ty, path, cx } = self;
        match ty {
            Type::List(item) => repeated(item, None, ty, path, cx, items).map(Val::List),
            Type::FixedList(item, len) => {
                repeated(item, Some(*len as usize), ty, path, cx, items).map(Val::FixedLengthList)
            }
            Type::Tuple(types) => sequence(types, ty, path, cx, items).map(Val::Tuple),
            Type::Flags(labels) => flags(labels, ty, path, cx, items),
            Type::Map(types) if types.0 != Type::String => pairs(types, ty, path, cx, items),
            _ => Err(cx.mismatch(path, ty, "an array")),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Val, A::Error> {
        let Self { ty, path, cx } = self;
        match ty {
            Type::Record(fields) => {
                let values = FieldsVisitor { fields, path, cx }.visit_map(map)?;
                let names = fields.iter().map(|field| field.name.as_ref().to_owned());
                Ok(Val::Record(names.zip(values).collect()))
            }
            Type::Map(types) if types.0 == Type::String => string_map(&types.1, path, cx, map),
            Type::Variant(cases) => payload_case(cases, ty, path, cx, map),
            Type::Result(types) => result(types, ty, path, cx, map),
            _ => Err(cx.mismatch(path, ty, "an object")),
        }
    }
}

/// A record's fields, or the arguments.
pub(super) struct FieldsVisitor<'a, 'c> {
    pub fields: &'a Fields,
    pub path: &'a Path<'a>,
    pub cx: &'c mut Context,
}

impl<'de> Visitor<'de> for FieldsVisitor<'_, '_> {
    type Value = Vec<Val>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<Val>, A::Error> {
        let Self { fields, path, cx } = self;
        // Charged whole: absent optional fields take memory too.
        cx.charge(path, cost(fields))?;
        let mut slots: Vec<Option<Val>> = Vec::new();
        slots.resize_with(fields.len(), || None);
        let mut next = 0;
        while let Some(key) = map.next_key_seed(Key)? {
            let Some(at) = fields.position(&key, next) else {
                return Err(unknown_field(fields, &key, path, cx));
            };
            let below = path.key(&fields[at].name);
            if slots[at].is_some() {
                return Err(cx.fail(&below, "given twice"));
            }
            slots[at] = Some(map.next_value_seed(Value { ty: &fields[at].ty, path: &below, cx })?);
            next = at + 1;
        }
        fill(slots, fields, path, cx)
    }
}

fn unknown_field<E: de::Error>(fields: &Fields, key: &str, path: &Path<'_>, cx: &mut Context) -> E {
    let what = if path.is_root() { "argument" } else { "field" };
    let hint = hint(key, fields.iter().map(|field| &*field.name));
    cx.fail(path, format_args!("unknown {what} {}{hint}", got_string(key)))
}

/// Absent options are none; whatever else is absent is missing.
fn fill<E: de::Error>(
    slots: Vec<Option<Val>>,
    fields: &Fields,
    path: &Path<'_>,
    cx: &mut Context,
) -> Result<Vec<Val>, E> {
    let absent = |(slot, field): &(&Option<Val>, &crate::wit::Field)| slot.is_none() && !field.is_optional();
    let mut missing = slots.iter().zip(fields.iter()).filter(absent).peekable();
    if missing.peek().is_some() {
        let what = if path.is_root() { "arguments" } else { "fields" };
        let names = list(missing.map(|(_, field)| format!("\"{}\"", field.name)));
        return Err(cx.fail(path, format_args!("missing required {what}: {names}")));
    }
    Ok(slots.into_iter().map(|slot| slot.unwrap_or(Val::Option(None))).collect())
}

pub(super) struct OptionVisitor<'a, 'c> {
    pub inner: &'a Type,
    pub path: &'a Path<'a>,
    pub cx: &'c mut Context,
}

impl<'de> Visitor<'de> for OptionVisitor<'_, '_> {
    type Value = Val;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or null")
    }

    fn visit_none<E: de::Error>(self) -> Result<Val, E> {
        Ok(Val::Option(None))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Val, E> {
        Ok(Val::Option(None))
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<Val, D::Error> {
        let Self { inner, path, cx } = self;
        let value = if inner.is_nullable() {
            json.deserialize_any(SomeVisitor { inner, path, cx })?
        } else {
            Value { ty: inner, path, cx }.deserialize(json)?
        };
        Ok(Val::Option(Some(Box::new(value))))
    }
}

/// `{"some": inner}`: an option of an option keeps its levels apart.
struct SomeVisitor<'a, 'c> {
    inner: &'a Type,
    path: &'a Path<'a>,
    cx: &'c mut Context,
}

impl<'de> Visitor<'de> for SomeVisitor<'_, '_> {
    type Value = Val;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"null or {"some": …}"#)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Val, A::Error> {
        let Self { inner, path, cx } = self;
        match map.next_key_seed(Key)?.as_deref() {
            Some("some") => {
                let below = path.key("some");
                let value = map.next_value_seed(Value { ty: inner, path: &below, cx })?;
                end_of_single(map, path, cx)?;
                Ok(value)
            }
            _ => Err(cx.fail(path, r#"expected null or an object with the one key "some""#)),
        }
    }
}

/// A key of an object, borrowed from the text where it has no escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Cow<'de, str>, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E: de::Error>(self, key: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

fn bytes<E: de::Error>(text: &str, path: &Path<'_>, cx: &mut Context) -> Result<Val, E> {
    cx.charge(path, (text.len() / 4).saturating_mul(3 * size_of::<Val>()))?;
    match STANDARD.decode(text) {
        Ok(bytes) => Ok(Val::List(bytes.into_iter().map(Val::U8).collect())),
        Err(e) => {
            let got = got_string(text);
            let ty = expected(&Type::Bytes);
            Err(cx.fail(path, format_args!("expected {ty}, got {got}: {e}")))
        }
    }
}

fn bare_case<E: de::Error>(
    cases: &Cases,
    name: &str,
    ty: &Type,
    path: &Path<'_>,
    cx: &mut Context,
) -> Result<Val, E> {
    cx.charge(path, name.len())?;
    match cases.find(name) {
        Some(case) if case.ty.is_none() => Ok(Val::Variant(name.to_owned(), None)),
        Some(_) => Err(cx.fail(
            path,
            format_args!("\"{name}\" takes a value: expected {{\"{name}\": …}}, got \"{name}\""),
        )),
        None => Err(cx.mismatch(path, ty, &got_string(name))),
    }
}

fn payload_case<'de, A: MapAccess<'de>>(
    cases: &Cases,
    ty: &Type,
    path: &Path<'_>,
    cx: &mut Context,
    mut map: A,
) -> Result<Val, A::Error> {
    let Some(name) = map.next_key_seed(Key)? else {
        return Err(cx.mismatch(path, ty, "an empty object"));
    };
    let Some(case) = cases.find(&name) else {
        return Err(cx.mismatch(path, ty, &format!("an object with {}", got_string(&name))));
    };
    let Some(payload) = &case.ty else {
        let message = format!("\"{name}\" takes no value: expected \"{name}\", got an object");
        return Err(cx.fail(path, message));
    };
    cx.charge(path, name.len())?;
    let below = path.key(&case.name);
    let value = map.next_value_seed(Value { ty: payload, path: &below, cx })?;
    end_of_single(map, path, cx)?;
    Ok(Val::Variant(name.into_owned(), Some(Box::new(value))))
}

fn result<'de, A: MapAccess<'de>>(
    types: &(Option<Type>, Option<Type>),
    ty: &Type,
    path: &Path<'_>,
    cx: &mut Context,
    mut map: A,
) -> Result<Val, A::Error> {
    let key = map.next_key_seed(Key)?;
    let (is_ok, payload) = match key.as_deref() {
        Some("ok") => (true, types.0.as_ref()),
        Some("err") => (false, types.1.as_ref()),
        Some(other) => {
            return Err(cx.mismatch(path, ty, &format!("an object with {}", got_string(other))));
        }
        None => return Err(cx.mismatch(path, ty, "an empty object")),
    };
    let below = path.key(if is_ok { "ok" } else { "err" });
    let value = match payload {
        Some(ty) => Some(Box::new(map.next_value_seed(Value { ty, path: &below, cx })?)),
        None => {
            map.next_value::<()>().map_err(|_| cx.fail::<A::Error>(&below, "expected null"))?;
            None
        }
    };
    end_of_single(map, path, cx)?;
    Ok(Val::Result(if is_ok { Ok(value) } else { Err(value) }))
}

fn end_of_single<'de, A: MapAccess<'de>>(
    mut map: A,
    path: &Path<'_>,
    cx: &mut Context,
) -> Result<(), A::Error> {
    match map.next_key_seed(Key)? {
        None => Ok(()),
        Some(key) => {
            let key = got_string(&key);
            Err(cx.fail(path, format_args!("expected an object with one key, got also {key}")))
        }
    }
}

fn repeated<'de, A: SeqAccess<'de>>(
    item: &Type,
    len: Option<usize>,
    ty: &Type,
    path: &Path<'_>,
    cx: &mut Context,
    mut items: A,
) -> Result<Vec<Val>, A::Error> {
    let mut values = Vec::new();
    loop {
        let below = path.index(values.len());
        if len == Some(values.len()) {
            return end_of_items(values, ty, path, cx, items);
        }
        match items.next_element_seed(Value { ty: item, path: &below, cx })? {
            Some(value) => values.push(value),
            None if len.is_none() => return Ok(values),
            None => return Err(cx.mismatch(path, ty, &count(values.len()))),
        }
    }
}

fn sequence<'de, A: SeqAccess<'de>>(
    types: &[Type],
    ty: &Type,
    path: &Path<'_>,
    cx: &mut Context,
    mut items: A,
) -> Result<Vec<Val>, A::Error> {
    let mut values = Vec::with_capacity(types.len());
    for item in types {
        let below = path.index(values.len());
        match items.next_element_seed(Value { ty: item, path: &below, cx })? {
            Some(value) => values.push(value),
            None => return Err(cx.mismatch(path, ty, &count(values.len()))),
        }
    }
    end_of_items(values, ty, path, cx, items)
}

fn end_of_items<'de, A: SeqAccess<'de>>(
    values: Vec<Val>,
    ty: &Type,
    path: &Path<'_>,
    cx: &mut Context,
    mut items: A,
) -> Result<Vec<Val>, A::Error> {
    match items.next_element::<de::IgnoredAny>()? {
        None => Ok(values),
        Some(_) => Err(cx.mismatch(path, ty, "more")),
    }
}

fn count(items: usize) -> String {
    format!("an array of {items}")
}

fn flags<'de, A: SeqAccess<'de>>(
    labels: &Labels,
    ty: &Type,
    path: &Path<'_>,
    cx: &mut Context,
    mut items: A,
) -> Result<Val, A::Error> {
    let mut set: Vec<String> = Vec::new();
    loop {
        let below = path.index(set.len());
        let Some(name) = items.next_element_seed(Flag { labels, ty, path: &below, cx })? else {
            return Ok(Val::Flags(set));
        };
        // No more than 32 flags can be declared, so looking through them is quick.
        if set.contains(&name) {
            return Err(cx.fail(&below, format_args!("the flag \"{name}\" is given twice")));
        }
        cx.charge(&below, size_of::<String>() + name.len())?;
        set.push(name);
    }
}

struct Flag<'a, 'c> {
    labels: &'a Labels,
    ty: &'a Type,
    path: &'a Path<'a>,
    cx: &'c mut Context,
}

impl<'de> DeserializeSeed<'de> for Flag<'_, '_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<String, D::Error> {
        let Self { labels, ty, path, cx } = self;
        match json.deserialize_str(Key) {
            Ok(name) if labels.contains(&name) => Ok(name.into_owned()),
            Ok(name) => Err(cx.mismatch(path, ty, &got_string(&name))),
            Err(_) => Err(cx.mismatch(path, ty, "something else")),
        }
    }
}

fn pairs<'de, A: SeqAccess<'de>>(
    types: &(Type, Type),
    ty: &Type,
    path: &Path<'_>,
    cx: &mut Context,
    mut items: A,
) -> Result<Val, A::Error> {
    let mut entries = Vec::new();
    loop {
        let below = path.index(entries.len());
        match items.next_element_seed(Pair { types, ty, path: &below, cx })? {
            Some(entry) => entries.push(entry),
            None => return Ok(Val::Map(entries)),
        }
    }
}

struct Pair<'a, 'c> {
    types: &'a (Type, Type),
    ty: &'a Type,
    path: &'a Path<'a>,
    cx: &'c mut Context,
}

impl<'de> DeserializeSeed<'de> for Pair<'_, '_> {
    type Value = (Val, Val);

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(Val, Val), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Pair<'_, '_> {
    type Value = (Val, Val);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a [key, value] pair")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(Val, Val), A::Error> {
        let Self { types, ty, path, cx } = self;
        let (at_key, at_value) = (path.index(0), path.index(1));
        let key = items.next_element_seed(Value { ty: &types.0, path: &at_key, cx })?;
        let value = items.next_element_seed(Value { ty: &types.1, path: &at_value, cx })?;
        let (Some(key), Some(value)) = (key, value) else {
            return Err(cx.mismatch(path, ty, "a pair that lacks its value"));
        };
        end_of_items(Vec::new(), ty, path, cx, items)?;
        Ok((key, value))
    }
}

fn string_map<'de, A: MapAccess<'de>>(
    ty: &Type,
    path: &Path<'_>,
    cx: &mut Context,
    mut map: A,
) -> Result<Val, A::Error> {
    let mut entries: Vec<(Val, Val)> = Vec::new();
    while let Some(key) = map.next_key_seed(Key)? {
        cx.charge(path, size_of::<Val>() + key.len())?;
        let below = path.key(&key);
        let value = map.next_value_seed(Value { ty, path: &below, cx })?;
        entries.push((Val::String(key.into_owned()), value));
    }
    let mut keys: Vec<&str> = entries.iter().filter_map(|(key, _)| as_str(key)).collect();
    keys.sort_unstable();
    match keys.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(Val::Map(entries)),
        Some(pair) => Err(cx.fail(&path.key(pair[0]), "given twice")),
    }
}

fn as_str(value: &Val) -> Option<&str> {
    match value {
        Val::String(text) => Some(text),
        _ => None,
    }
}
