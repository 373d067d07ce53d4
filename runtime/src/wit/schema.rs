//! JSON Schema (2020-12) of arguments and results.
//!
//! The schemas say exactly what [`super::value`] accepts and produces: whoever changes one changes
//! the other, and property tests hold them together. They avoid what older dialects understand
//! otherwise, because clients of earlier protocol revisions validate with draft 7: no `$schema`,
//! whose unknown value some refuse, and no `items: false` beside `prefixItems`, which draft 7 reads
//! as an empty array.

use serde_json::value::RawValue;

use super::tree::{Case, Cases, Field, Function, Labels, Type};

/// Standard alphabet, padded, and no bits left over in the last character: one text per value.
const BASE64: &str = "^(?:[A-Za-z0-9+/]{4})*\
    (?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$";

/// The schema of the arguments: always of an object.
pub fn input(function: &Function) -> Box<RawValue> {
    let mut schema = Schema::default();
    schema.object(&function.params, None);
    schema.finish()
}

/// The schema of the structured result, always of an object; `None` where there is no value.
pub fn output(function: &Function) -> Option<Box<RawValue>> {
    let mut schema = Schema::default();
    match function.returns.content()? {
        ty @ Type::Record(_) => schema.ty(ty, None),
        ty => {
            schema.raw(r#"{"type":"object","properties":{"result":"#);
            schema.ty(ty, None);
            schema.raw(r#"},"required":["result"],"additionalProperties":false}"#);
        }
    }
    Some(schema.finish())
}

/// JSON text in the making. Keys and order are ours, so it is written, not modelled.
#[derive(Default)]
struct Schema(String);

impl Schema {
    fn finish(self) -> Box<RawValue> {
        RawValue::from_string(self.0).expect("the text is put together from whole JSON values")
    }

    fn raw(&mut self, text: &str) {
        self.0.push_str(text);
    }

    fn string(&mut self, text: &str) {
        self.0.push_str(&serde_json::Value::from(text).to_string());
    }

    fn list<T>(&mut self, items: impl IntoIterator<Item = T>, mut write: impl FnMut(&mut Self, T)) {
        for (i, item) in items.into_iter().enumerate() {
            if i > 0 {
                self.raw(",");
            }
            write(self, item);
        }
    }

    fn strings<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        self.raw("[");
        self.list(names, |schema, name| schema.string(name));
        self.raw("]");
    }

    /// Opens an object with its description, ready for the first other key.
    fn open(&mut self, docs: Option<&str>) {
        self.raw("{");
        if let Some(docs) = docs {
            self.raw(r#""description":"#);
            self.string(docs);
            self.raw(",");
        }
    }

    /// `docs` are of the place; without them the type's own are taken.
    fn ty(&mut self, ty: &Type, docs: Option<&str>) {
        let own = match ty {
            Type::Record(fields) => fields.docs.as_deref(),
            Type::Variant(cases) => cases.docs.as_deref(),
            Type::Enum(labels) | Type::Flags(labels) => labels.docs.as_deref(),
            _ => None,
        };
        let docs = docs.or(own);
        match ty {
            Type::Record(fields) => return self.object(fields, docs),
            Type::Enum(labels) | Type::Flags(labels) => {
                self.open(with_labels(docs, labels).as_deref());
            }
            _ => self.open(docs),
        }
        self.body(ty);
        self.raw("}");
    }

    fn body(&mut self, ty: &Type) {
        match ty {
            Type::Bool => self.raw(r#""type":"boolean""#),
            Type::S8 => self.integer(i8::MIN, i8::MAX),
            Type::U8 => self.integer(u8::MIN, u8::MAX),
            Type::S16 => self.integer(i16::MIN, i16::MAX),
            Type::U16 => self.integer(u16::MIN, u16::MAX),
            Type::S32 => self.integer(i32::MIN, i32::MAX),
            Type::U32 => self.integer(u32::MIN, u32::MAX),
            Type::S64 => self.integer(i64::MIN, i64::MAX),
            Type::U64 => self.integer(u64::MIN, u64::MAX),
            Type::F32 => self.float(&f32_bound()),
            Type::F64 => self.float(&f64_bound()),
            Type::Char => self.raw(r#""type":"string","minLength":1,"maxLength":1"#),
            Type::String => self.raw(r#""type":"string""#),
            Type::Bytes => {
                self.raw(r#""type":"string","contentEncoding":"base64","pattern":"#);
                self.string(BASE64);
            }
            Type::List(item) => self.array(item, ""),
            Type::FixedList(item, len) => {
                self.array(item, &format!(r#","minItems":{len},"maxItems":{len}"#));
            }
            Type::Map(types) => self.map(&types.0, &types.1),
            Type::Tuple(types) => self.tuple(types.iter()),
            Type::Record(_) => unreachable!("records are written by `object`"),
            Type::Variant(cases) => self.variant(cases),
            Type::Enum(labels) => {
                self.raw(r#""type":"string","enum":"#);
                self.strings(labels.names());
            }
            Type::Flags(labels) => self.flags(labels),
            Type::Option(inner) => self.option(inner),
            Type::Result(types) => self.result(types.0.as_ref(), types.1.as_ref()),
        }
    }

    fn integer(&mut self, min: impl Into<i128>, max: impl Into<i128>) {
        let (min, max) = (min.into(), max.into());
        self.raw(&format!(r#""type":"integer","minimum":{min},"maximum":{max}"#));
    }

    fn float(&mut self, bound: &str) {
        self.raw(&format!(r#""anyOf":[{{"type":"number","minimum":-{bound},"maximum":{bound}}},"#));
        self.raw(r#"{"enum":["NaN","Infinity","-Infinity"]}]"#);
    }

    fn array(&mut self, item: &Type, bounds: &str) {
        self.raw(r#""type":"array","items":"#);
        self.ty(item, None);
        self.raw(bounds);
    }

    fn tuple<'a>(&mut self, types: impl ExactSizeIterator<Item = &'a Type>) {
        let len = types.len();
        self.raw(r#""type":"array","#);
        if len > 0 {
            self.raw(r#""prefixItems":["#);
            self.list(types, |schema, ty| schema.ty(ty, None));
            self.raw("],");
        }
        self.raw(&format!(r#""minItems":{len},"maxItems":{len}"#));
    }

    fn map(&mut self, key: &Type, value: &Type) {
        if *key == Type::String {
            self.raw(r#""type":"object","additionalProperties":"#);
            return self.ty(value, None);
        }
        self.raw(r#""type":"array","items":{"#);
        self.tuple([key, value].into_iter());
        self.raw("}");
    }

    fn object(&mut self, fields: &[Field], docs: Option<&str>) {
        self.open(docs);
        self.raw(r#""type":"object","properties":{"#);
        self.list(fields, |schema, field| {
            schema.string(&field.name);
            schema.raw(":");
            schema.ty(&field.ty, field.docs.as_deref());
        });
        self.raw("}");
        let mut required = fields.iter().filter(|field| !field.is_optional()).peekable();
        if required.peek().is_some() {
            self.raw(r#","required":"#);
            self.strings(required.map(|field| &*field.name));
        }
        self.raw(r#","additionalProperties":false}"#);
    }

    /// An object that has exactly the key `name`; without a type, its value is null.
    fn single(&mut self, name: &str, ty: Option<&Type>, docs: Option<&str>) {
        self.open(docs);
        self.raw(r#""type":"object","properties":{"#);
        self.string(name);
        self.raw(":");
        match ty {
            Some(ty) => self.ty(ty, None),
            None => self.raw(r#"{"type":"null"}"#),
        }
        self.raw(r#"},"required":"#);
        self.strings([name]);
        self.raw(r#","additionalProperties":false}"#);
    }

    fn variant(&mut self, variant: &Cases) {
        let is_bare = |case: &&Case| case.ty.is_none();
        let documented = variant.iter().filter(is_bare).any(|case| case.docs.is_some());
        self.raw(r#""oneOf":["#);
        let mut first = true;
        if !documented && variant.iter().any(|case| is_bare(&case)) {
            self.raw(r#"{"type":"string","enum":"#);
            self.strings(variant.iter().filter(is_bare).map(|case| &*case.name));
            self.raw("}");
            first = false;
        }
        for case in variant.iter().filter(|case| documented || !is_bare(case)) {
            if !std::mem::take(&mut first) {
                self.raw(",");
            }
            let docs = case.docs.as_deref();
            if case.ty.is_some() {
                self.single(&case.name, case.ty.as_ref(), docs);
            } else {
                self.open(docs);
                self.raw(r#""const":"#);
                self.string(&case.name);
                self.raw("}");
            }
        }
        self.raw("]");
    }

    fn flags(&mut self, labels: &Labels) {
        if labels.is_empty() {
            return self.raw(r#""type":"array","maxItems":0"#);
        }
        self.raw(r#""type":"array","uniqueItems":true,"items":{"type":"string","enum":"#);
        self.strings(labels.names());
        self.raw("}");
    }

    fn option(&mut self, inner: &Type) {
        self.raw(r#""anyOf":["#);
        if inner.is_nullable() {
            self.single("some", Some(inner), None);
        } else {
            self.ty(inner, None);
        }
        self.raw(r#",{"type":"null"}]"#);
    }

    fn result(&mut self, ok: Option<&Type>, err: Option<&Type>) {
        self.raw(r#""oneOf":["#);
        self.single("ok", ok, None);
        self.raw(",");
        self.single("err", err, None);
        self.raw("]");
    }
}

/// Docs of single labels have no place beside `enum`, so they are told as a list.
fn with_labels(docs: Option<&str>, labels: &Labels) -> Option<String> {
    let mut text = docs.map(str::to_owned);
    for label in labels.iter() {
        let Some(docs) = &label.docs else { continue };
        let text = text.get_or_insert_default();
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!("- `{}`: {docs}", label.name));
    }
    text
}

/// The largest number that rounds to a finite f32, as the shortest text of `f32::MAX`: slightly
/// above it, so that the rendered `f32::MAX` is within.
fn f32_bound() -> String {
    format!("{:e}", f32::MAX)
}

fn f64_bound() -> String {
    format!("{:e}", f64::MAX)
}
