//! Variants and results: one case of several, told by a string or by the one key of an object.

use serde::de::{self, MapAccess};
use wasmtime::component::Val;

use super::expect::got_string;
use super::parse::{Context, Value};
use super::path::Path;
use super::visit::Key;
use crate::wit::tree::{Cases, Type};

pub(super) fn bare_case<E: de::Error>(
    cases: &Cases,
    name: &str,
    ty: &Type,
    path: &Path<'_>,
    cx: &mut Context,
) -> Result<Val, E> {
    cx.charge_text(path, name.len())?;
    match cases.find(name) {
        Some(case) if case.ty.is_none() => Ok(Val::Variant(name.to_owned(), None)),
        Some(_) => Err(cx.fail(
            path,
            format_args!("\"{name}\" takes a value: expected {{\"{name}\": …}}, got \"{name}\""),
        )),
        None => Err(cx.mismatch(path, ty, &got_string(name))),
    }
}

pub(super) fn payload_case<'de, A: MapAccess<'de>>(
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
    cx.charge_text(path, name.len())?;
    let below = path.key(&case.name);
    let value = map.next_value_seed(Value { ty: payload, path: &below, cx })?;
    end_of_single(map, path, cx)?;
    Ok(Val::Variant(name.into_owned(), Some(Box::new(value))))
}

pub(super) fn result<'de, A: MapAccess<'de>>(
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

pub(super) fn end_of_single<'de, A: MapAccess<'de>>(
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
