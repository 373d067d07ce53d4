//! Lists, tuples, flags and maps: many values of declared types.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use wasmtime::component::Val;

use super::expect::got_string;
use super::parse::{Context, Value};
use super::path::Path;
use super::visit::Key;
use crate::wit::tree::{Labels, Type};

pub(super) fn repeated<'de, A: SeqAccess<'de>>(
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
            None if len.is_none() => return Ok(fitted(values)),
            None => return Err(cx.mismatch(path, ty, &count(values.len()))),
        }
    }
}

pub(super) fn sequence<'de, A: SeqAccess<'de>>(
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

/// Without the room that a list grew into. Against lists of one item, each with room for four.
fn fitted<T>(mut items: Vec<T>) -> Vec<T> {
    items.shrink_to_fit();
    items
}

fn count(items: usize) -> String {
    format!("an array of {items}")
}

pub(super) fn flags<'de, A: SeqAccess<'de>>(
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
            return Ok(Val::Flags(fitted(set)));
        };
        // No more than 32 flags can be declared, so looking through them is quick.
        if set.contains(&name) {
            return Err(cx.fail(&below, format_args!("the flag \"{name}\" is given twice")));
        }
        cx.charge(&below, size_of::<String>())?;
        cx.charge_text(&below, name.len())?;
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

pub(super) fn pairs<'de, A: SeqAccess<'de>>(
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
            None => return Ok(Val::Map(fitted(entries))),
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

pub(super) fn string_map<'de, A: MapAccess<'de>>(
    ty: &Type,
    path: &Path<'_>,
    cx: &mut Context,
    mut map: A,
) -> Result<Val, A::Error> {
    let mut entries: Vec<(Val, Val)> = Vec::new();
    while let Some(key) = map.next_key_seed(Key)? {
        cx.charge(path, size_of::<Val>())?;
        cx.charge_text(path, key.len())?;
        let below = path.key(&key);
        let value = map.next_value_seed(Value { ty, path: &below, cx })?;
        entries.push((Val::String(key.into_owned()), value));
    }
    let mut keys: Vec<&str> = entries.iter().filter_map(|(key, _)| as_str(key)).collect();
    keys.sort_unstable();
    match keys.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(Val::Map(fitted(entries))),
        Some(pair) => Err(cx.fail(&path.key(pair[0]), "given twice")),
    }
}

fn as_str(value: &Val) -> Option<&str> {
    match value {
        Val::String(text) => Some(text),
        _ => None,
    }
}
