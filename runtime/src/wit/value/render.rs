//! Component values into JSON results.
//!
//! Guided by the type, written straight to bytes under the result's limit: a guest that returns
//! more than it may costs no more than the limit.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wasmtime::component::Val;

use crate::answer::{Json, Text};
use crate::wit::tree::{Fields, Function, Returns, Type};

/// What a function returned. The fields are those of a sandbox's outcome.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// `true` for the `err` of a `result`.
    pub is_error: bool,
    /// A JSON object that satisfies the output schema; `None` without one and on `is_error`.
    pub structured: Option<Json>,
    /// A bare string for string results, otherwise the value as JSON.
    pub text: Text,
}

/// A result that can't be told.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// More bytes of JSON than allowed.
    #[error("the result is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The limit, `limits.output`.
        limit: u64,
    },
    /// The value is not of the function's type: a fault of the host.
    #[error("the result is not of the declared type")]
    Mismatch,
}

/// The text of a result without a value.
const NOTHING: &str = "ok";

/// The text of an `err` without a payload.
const BARE_ERROR: &str = "the tool reported an error and gave no details";

/// Renders what a call of `function` returned, at most `limit` bytes of JSON.
///
/// # Errors
/// See [`RenderError`].
pub fn render(function: &Function, results: &[Val], limit: u64) -> Result<Rendered, RenderError> {
    match (&function.returns, results) {
        (Returns::Nothing, []) => Ok(nothing()),
        (Returns::Value(ty), [value]) => content(ty, value, limit),
        (Returns::Verdict { ok, err }, [Val::Result(result)]) => match (result, ok, err) {
            (Ok(None), None, _) => Ok(nothing()),
            (Ok(Some(value)), Some(ty), _) => content(ty, value, limit),
            (Err(None), _, None) => Ok(error(BARE_ERROR.into())),
            (Err(Some(value)), _, Some(ty)) => {
                let mut writer = Writer::new(limit);
                writer.value(ty, value)?;
                let json = writer.finish()?;
                Ok(error(json.readable(0..json.get().len())))
            }
            _ => Err(RenderError::Mismatch),
        },
        _ => Err(RenderError::Mismatch),
    }
}

fn nothing() -> Rendered {
    Rendered { is_error: false, structured: None, text: NOTHING.into() }
}

fn error(text: Text) -> Rendered {
    Rendered { is_error: true, structured: None, text }
}

fn content(ty: &Type, value: &Val, limit: u64) -> Result<Rendered, RenderError> {
    const OPEN: &str = r#"{"result":"#;
    const CLOSE: &str = "}";
    let mut writer = Writer::new(limit);
    // A record is an object by itself.
    let (open, close) = if let Type::Record(_) = ty { ("", "") } else { (OPEN, CLOSE) };
    writer.raw(open)?;
    writer.value(ty, value)?;
    writer.raw(close)?;
    let json = writer.finish()?;
    let text = json.readable(open.len()..json.get().len() - close.len());
    Ok(Rendered { is_error: false, structured: Some(json), text })
}

/// JSON in the making, never longer than its limit.
struct Writer {
    out: Vec<u8>,
    limit: u64,
}

/// What remains of the limit is found exceeded here, also by serde's string escaping.
impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if (self.out.len() as u64).saturating_add(bytes.len() as u64) > self.limit {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        self.out.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Writer {
    fn new(limit: u64) -> Self {
        Self { out: Vec::with_capacity(limit.min(256) as usize), limit }
    }

    fn finish(self) -> Result<Json, RenderError> {
        String::from_utf8(self.out).map(Json::from_unverified).map_err(|_| RenderError::Mismatch)
    }

    fn raw(&mut self, text: &str) -> Result<(), RenderError> {
        let limit = self.limit;
        self.write_all(text.as_bytes()).map_err(|_| RenderError::TooLarge { limit })
    }

    /// A scalar as serde writes it: strings escaped, floats by their shortest exact text.
    fn scalar<T: serde::Serialize + ?Sized>(&mut self, value: &T) -> Result<(), RenderError> {
        let limit = self.limit;
        serde_json::to_writer(self, value).map_err(|_| RenderError::TooLarge { limit })
    }

    fn value(&mut self, ty: &Type, value: &Val) -> Result<(), RenderError> {
        match (ty, value) {
            (Type::Bool, Val::Bool(value)) => self.scalar(value),
            (Type::S8, Val::S8(value)) => self.scalar(value),
            (Type::U8, Val::U8(value)) => self.scalar(value),
            (Type::S16, Val::S16(value)) => self.scalar(value),
            (Type::U16, Val::U16(value)) => self.scalar(value),
            (Type::S32, Val::S32(value)) => self.scalar(value),
            (Type::U32, Val::U32(value)) => self.scalar(value),
            (Type::S64, Val::S64(value)) => self.scalar(value),
            (Type::U64, Val::U64(value)) => self.scalar(value),
            (Type::F32, Val::Float32(value)) if value.is_finite() => self.scalar(value),
            (Type::F32, Val::Float32(value)) => self.non_finite(f64::from(*value)),
            (Type::F64, Val::Float64(value)) if value.is_finite() => self.scalar(value),
            (Type::F64, Val::Float64(value)) => self.non_finite(*value),
            (Type::Char, Val::Char(value)) => self.scalar(value),
            (Type::String, Val::String(value)) => self.scalar(value),
            (Type::Bytes, Val::List(items)) => self.bytes(items),
            (Type::List(ty), Val::List(items)) => self.items(items.iter().map(|item| (&**ty, item))),
            (Type::FixedList(ty, len), Val::FixedLengthList(items)) if items.len() == *len as usize => {
                self.items(items.iter().map(|item| (&**ty, item)))
            }
            (Type::Tuple(types), Val::Tuple(items)) if types.len() == items.len() => {
                self.items(types.iter().zip(items))
            }
            (Type::Map(types), Val::Map(entries)) => self.map(&types.0, &types.1, entries),
            (Type::Record(fields), Val::Record(values)) => self.record(fields, values),
            (Type::Variant(cases), Val::Variant(name, payload)) => {
                let case = cases.find(name).ok_or(RenderError::Mismatch)?;
                match (&case.ty, payload) {
                    (None, None) => self.scalar(name.as_str()),
                    (Some(ty), Some(payload)) => self.single(name, Some((ty, payload))),
                    _ => Err(RenderError::Mismatch),
                }
            }
            (Type::Enum(labels), Val::Enum(name)) if labels.contains(name) => self.scalar(name.as_str()),
            (Type::Flags(_), Val::Flags(names)) => self.scalar(names),
            (Type::Option(_), Val::Option(None)) => self.raw("null"),
            (Type::Option(ty), Val::Option(Some(value))) if ty.is_nullable() => {
                self.single("some", Some((ty, value)))
            }
            (Type::Option(ty), Val::Option(Some(value))) => self.value(ty, value),
            (Type::Result(types), Val::Result(result)) => {
                let (name, ty, value) = match result {
                    Ok(value) => ("ok", &types.0, value),
                    Err(value) => ("err", &types.1, value),
                };
                match (ty, value) {
                    (None, None) => self.single(name, None),
                    (Some(ty), Some(value)) => self.single(name, Some((ty, value))),
                    _ => Err(RenderError::Mismatch),
                }
            }
            _ => Err(RenderError::Mismatch),
        }
    }

    fn non_finite(&mut self, value: f64) -> Result<(), RenderError> {
        self.raw(match value {
            f64::INFINITY => r#""Infinity""#,
            f64::NEG_INFINITY => r#""-Infinity""#,
            _ => r#""NaN""#,
        })
    }

    fn bytes(&mut self, items: &[Val]) -> Result<(), RenderError> {
        /// A multiple of 3, so that only the last piece is padded.
        const PIECE: usize = 3 * 256;
        let mut piece = Vec::with_capacity(PIECE.min(items.len()));
        let mut text = String::new();
        let len = items.len().div_ceil(3).saturating_mul(4);
        if len as u64 > self.limit {
            return Err(RenderError::TooLarge { limit: self.limit });
        }
        self.out.reserve(len);
        self.raw("\"")?;
        for items in items.chunks(PIECE) {
            piece.clear();
            text.clear();
            for item in items {
                let Val::U8(byte) = item else { return Err(RenderError::Mismatch) };
                piece.push(*byte);
            }
            STANDARD.encode_string(&piece, &mut text);
            self.raw(&text)?;
        }
        self.raw("\"")
    }

    fn items<'a>(&mut self, items: impl Iterator<Item = (&'a Type, &'a Val)>) -> Result<(), RenderError> {
        self.raw("[")?;
        for (i, (ty, item)) in items.enumerate() {
            if i > 0 {
                self.raw(",")?;
            }
            self.value(ty, item)?;
        }
        self.raw("]")
    }

    fn map(&mut self, key: &Type, value: &Type, entries: &[(Val, Val)]) -> Result<(), RenderError> {
        if *key != Type::String {
            self.raw("[")?;
            for (i, (k, v)) in entries.iter().enumerate() {
                if i > 0 {
                    self.raw(",")?;
                }
                self.items([(key, k), (value, v)].into_iter())?;
            }
            return self.raw("]");
        }
        self.raw("{")?;
        for (i, (k, v)) in last_of_each(entries)?.into_iter().enumerate() {
            if i > 0 {
                self.raw(",")?;
            }
            self.scalar(k)?;
            self.raw(":")?;
            self.value(value, v)?;
        }
        self.raw("}")
    }

    fn record(&mut self, fields: &Fields, values: &[(String, Val)]) -> Result<(), RenderError> {
        if fields.len() != values.len() {
            return Err(RenderError::Mismatch);
        }
        self.raw("{")?;
        let mut first = true;
        for (field, (name, value)) in fields.iter().zip(values) {
            if *field.name != **name {
                return Err(RenderError::Mismatch);
            }
            if let Val::Option(None) = value {
                continue;
            }
            if !std::mem::take(&mut first) {
                self.raw(",")?;
            }
            self.scalar(name.as_str())?;
            self.raw(":")?;
            self.value(&field.ty, value)?;
        }
        self.raw("}")
    }

    fn single(&mut self, name: &str, value: Option<(&Type, &Val)>) -> Result<(), RenderError> {
        self.raw("{")?;
        self.scalar(name)?;
        self.raw(":")?;
        match value {
            Some((ty, value)) => self.value(ty, value)?,
            None => self.raw("null")?,
        }
        self.raw("}")
    }
}

/// Entries by key, in order. A guest may repeat a key, and the last one counts; an object may not.
fn last_of_each(entries: &[(Val, Val)]) -> Result<Vec<(&str, &Val)>, RenderError> {
    let mut found = Vec::with_capacity(entries.len());
    for (i, (key, value)) in entries.iter().enumerate() {
        let Val::String(key) = key else { return Err(RenderError::Mismatch) };
        found.push((key.as_str(), i, value));
    }
    found.sort_unstable_by_key(|&(key, i, _)| (key, std::cmp::Reverse(i)));
    found.dedup_by_key(|&mut (key, ..)| key);
    found.sort_unstable_by_key(|&(_, i, _)| i);
    Ok(found.into_iter().map(|(key, _, value)| (key, value)).collect())
}
