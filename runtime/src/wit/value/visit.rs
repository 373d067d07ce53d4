//! The visitors of the argument parser: what each kind of JSON value means for each type.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use wasmtime::component::Val;

use super::cases::{bare_case, end_of_single, payload_case, result};
use super::expect::{cost, expected, got_string, hint, list};
use super::items::{flags, pairs, repeated, sequence, string_map};
use super::parse::{Context, Value};
use super::path::Path;
use crate::wit::tree::{Field, Fields, Type};

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
                cx.charge_text(path, text.len())?;
                return Ok(Val::String(text.to_owned()));
            }
            Type::Bytes => return bytes(text, path, cx),
            Type::Enum(labels) if labels.contains(text) => {
                cx.charge_text(path, text.len())?;
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
    let absent = |(slot, field): &(&Option<Val>, &Field)| slot.is_none() && !field.is_optional();
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
pub(super) struct Key;

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
