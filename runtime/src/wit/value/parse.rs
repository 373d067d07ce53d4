//! JSON arguments into component values.
//!
//! One pass over the text, guided by the type, straight into `Val`s: no JSON tree in between, and
//! numbers from their digits. Errors are the caller's to mend, so each says where, what was
//! expected and what was got.

use std::fmt;

use serde::Deserialize as _;
use serde::de::{self, DeserializeSeed, Deserializer};
use serde_json::value::RawValue;
use wasmtime::component::Val;

use super::expect::{expected, shorten};
use super::number::{self, Integer};
use super::path::Path;
use super::visit::{FieldsVisitor, OptionVisitor, ValueVisitor};
use crate::wit::tree::{Function, Type};

/// Bytes of host memory that the values of one call's arguments may take. A `Val` takes 40 bytes,
/// so `[[],[],…]` or base64 of a `list<u8>` would make a body of a few megabytes take hundreds.
///
/// A `list<u8>` has no other form here, neither in arguments nor in results: wasmtime's calls take
/// either `Val`s, of which a list is a `Vec`, or Rust types that are known when this is compiled,
/// for all parameters and the result at once. Types of our own that are as wide as a signature turns
/// out to be at run time can't be made of it: width and layout are constants of traits that are
/// unsafe to implement, hidden, and outside of wasmtime's promise of stability. Where wasmtime gets
/// a `Val` of bytes, only `bytes` in `visit` and in `render` change.
pub const MAX_ARGUMENT_MEMORY: usize = 64 * 1024 * 1024;

/// What the allocator takes besides the bytes of a short text. Against `["a","b",…]`, of which
/// each takes many times its length.
pub(super) const ALLOCATION: usize = 24;

/// Arguments that do not satisfy the input schema; the text is for the model.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ArgumentError(String);

/// Parses the arguments of a call: one value per parameter, in order.
///
/// # Errors
/// The first violation of the input schema, and where it is.
pub fn parse_arguments(function: &Function, arguments: &RawValue) -> Result<Vec<Val>, ArgumentError> {
    let text = arguments.get();
    if !text.trim_start().starts_with('{') {
        let got = shorten(text);
        return Err(ArgumentError(format!("the arguments must be an object, got {got}")));
    }
    let mut cx = Context { memory: MAX_ARGUMENT_MEMORY, error: None };
    let mut json = serde_json::Deserializer::from_str(text);
    let visitor = FieldsVisitor { fields: &function.params, path: &Path::ROOT, cx: &mut cx };
    let parsed = json.deserialize_map(visitor).and_then(|values| json.end().map(|()| values));
    parsed.map_err(|e| ArgumentError(cx.error.take().unwrap_or_else(|| e.to_string())))
}

/// What is shared by the whole parse of one call.
pub(super) struct Context {
    /// Bytes left of [`MAX_ARGUMENT_MEMORY`].
    memory: usize,
    /// The first error; those of serde have no path.
    error: Option<String>,
}

impl Context {
    pub(super) fn fail<E: de::Error>(&mut self, path: &Path<'_>, message: impl fmt::Display) -> E {
        self.error.get_or_insert_with(|| format!("{}{message}", path.prefix()));
        E::custom("")
    }

    pub(super) fn mismatch<E: de::Error>(&mut self, path: &Path<'_>, ty: &Type, got: &str) -> E {
        self.fail(path, format_args!("expected {}, got {got}", expected(ty)))
    }

    /// Charges a text of `len` bytes, besides its `Val`.
    pub(super) fn charge_text<E: de::Error>(&mut self, path: &Path<'_>, len: usize) -> Result<(), E> {
        self.charge(path, if len == 0 { 0 } else { len + ALLOCATION })
    }

    pub(super) fn charge<E: de::Error>(&mut self, path: &Path<'_>, bytes: usize) -> Result<(), E> {
        match self.memory.checked_sub(bytes) {
            Some(left) => {
                self.memory = left;
                Ok(())
            }
            None => Err(self.fail(path, "the arguments have too many values; send fewer at a time")),
        }
    }
}

/// A value of one type at one place.
pub(super) struct Value<'a, 'c> {
    pub ty: &'a Type,
    pub path: &'a Path<'a>,
    pub cx: &'c mut Context,
}

impl<'de> DeserializeSeed<'de> for Value<'_, '_> {
    type Value = Val;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Val, D::Error> {
        let Value { ty, path, cx } = self;
        cx.charge(path, size_of::<Val>())?;
        let parsed = match ty {
            Type::S8 | Type::U8 | Type::S16 | Type::U16 => integer(ty, path, cx, json),
            Type::S32 | Type::U32 | Type::S64 | Type::U64 => integer(ty, path, cx, json),
            Type::F32 | Type::F64 => float(ty, path, cx, json),
            Type::Option(inner) => json.deserialize_option(OptionVisitor { inner, path, cx }),
            _ => json.deserialize_any(ValueVisitor { ty, path, cx }),
        };
        // What serde found by itself, such as half of a surrogate pair, still lacks its place.
        parsed.map_err(|e| cx.fail(path, e))
    }
}

fn integer<'de, D: Deserializer<'de>>(
    ty: &Type,
    path: &Path<'_>,
    cx: &mut Context,
    json: D,
) -> Result<Val, D::Error> {
    let token = <&RawValue>::deserialize(json)?.get();
    let value = match number::integer(token) {
        Some(Integer::Exact(value)) => in_range(ty, value),
        Some(Integer::Huge | Integer::Fraction) | None => None,
    };
    value.ok_or_else(|| cx.mismatch(path, ty, &shorten(token)))
}

fn in_range(ty: &Type, value: i128) -> Option<Val> {
    match ty {
        Type::S8 => value.try_into().ok().map(Val::S8),
        Type::U8 => value.try_into().ok().map(Val::U8),
        Type::S16 => value.try_into().ok().map(Val::S16),
        Type::U16 => value.try_into().ok().map(Val::U16),
        Type::S32 => value.try_into().ok().map(Val::S32),
        Type::U32 => value.try_into().ok().map(Val::U32),
        Type::S64 => value.try_into().ok().map(Val::S64),
        Type::U64 => value.try_into().ok().map(Val::U64),
        _ => None,
    }
}

fn float<'de, D: Deserializer<'de>>(
    ty: &Type,
    path: &Path<'_>,
    cx: &mut Context,
    json: D,
) -> Result<Val, D::Error> {
    let token = <&RawValue>::deserialize(json)?.get();
    let name = if token.starts_with('"') { serde_json::from_str::<String>(token).ok() } else { None };
    let special = match name.as_deref() {
        Some("NaN") => Some(f32::NAN),
        Some("Infinity") => Some(f32::INFINITY),
        Some("-Infinity") => Some(f32::NEG_INFINITY),
        _ => None,
    };
    let is_number = token.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    let value = match ty {
        Type::F32 if is_number => number::f32(token).map(Val::Float32),
        Type::F32 => special.map(Val::Float32),
        _ if is_number => number::f64(token).map(Val::Float64),
        _ => special.map(|value| Val::Float64(value.into())),
    };
    value.ok_or_else(|| cx.mismatch(path, ty, &shorten(token)))
}
