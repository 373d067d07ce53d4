//! Types and values from bytes, for fuzz targets and property tests; never in a release.
//!
//! Both need the same thing: any sequence of bytes means some type, so that shrinking the bytes
//! shrinks the type.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::tree::{Case, Cases, Field, Fields, Function, Label, Labels, Returns, Type};
use super::value::{parse_arguments, render};

/// Bytes to be turned into choices. When they have run out, every choice is the first.
#[derive(Debug)]
pub struct Entropy<'a> {
    bytes: &'a [u8],
}

impl<'a> Entropy<'a> {
    /// Starts at the first of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let (first, rest) = self.bytes.split_first().unwrap_or((&0, &[]));
        self.bytes = rest;
        *first
    }

    /// A number below `n`, which is at most 256 and not 0.
    pub fn below(&mut self, n: usize) -> usize {
        usize::from(self.byte()) % n
    }

    /// What has not been used.
    pub fn rest(self) -> &'a [u8] {
        self.bytes
    }
}

/// Some type of at most `depth` levels.
pub fn ty(entropy: &mut Entropy<'_>, depth: usize) -> Type {
    let choices = if depth == 0 { 14 } else { 24 };
    let mut inner = |entropy: &mut Entropy<'_>| ty(entropy, depth - 1);
    match entropy.below(choices) {
        0 => Type::Bool,
        1 => Type::S8,
        2 => Type::U8,
        3 => Type::S16,
        4 => Type::U16,
        5 => Type::S32,
        6 => Type::U32,
        7 => Type::S64,
        8 => Type::U64,
        9 => Type::F32,
        10 => Type::F64,
        11 => Type::Char,
        12 => Type::String,
        13 => Type::Bytes,
        14 => match inner(entropy) {
            Type::U8 => Type::Bytes,
            item => Type::List(Arc::new(item)),
        },
        15 => Type::FixedList(Arc::new(inner(entropy)), entropy.below(4) as u32),
        16 => Type::Map(Arc::new((key(entropy), inner(entropy)))),
        17 => Type::Tuple((0..entropy.below(4)).map(|_| inner(entropy)).collect()),
        18 => Type::Record(Arc::new(fields(entropy, 4, &mut inner))),
        19 => {
            let case = |name, entropy: &mut Entropy<'_>| Case {
                name,
                ty: (entropy.below(2) == 1).then(|| inner(entropy)),
                docs: docs(entropy),
            };
            Type::Variant(Arc::new(Cases::new(None, named(entropy, 1, 4, case))))
        }
        20 => Type::Enum(Arc::new(labels(entropy, 1))),
        21 => Type::Flags(Arc::new(labels(entropy, 0))),
        22 => Type::Option(Arc::new(inner(entropy))),
        _ => {
            let mut side = || (entropy.below(3) > 0).then(|| inner(entropy));
            Type::Result(Arc::new((side(), side())))
        }
    }
}

fn key(entropy: &mut Entropy<'_>) -> Type {
    match entropy.below(4) {
        0 | 1 => Type::String,
        2 => Type::U64,
        _ => Type::Char,
    }
}

fn fields(entropy: &mut Entropy<'_>, most: usize, inner: &mut dyn FnMut(&mut Entropy<'_>) -> Type) -> Fields {
    let field = |name, entropy: &mut Entropy<'_>| Field { name, ty: inner(entropy), docs: docs(entropy) };
    Fields::new(docs(entropy), named(entropy, 0, most, field))
}

fn labels(entropy: &mut Entropy<'_>, least: usize) -> Labels {
    let label = |name, entropy: &mut Entropy<'_>| Label { name, docs: docs(entropy) };
    Labels::new(docs(entropy), named(entropy, least, 5, label))
}

fn docs(entropy: &mut Entropy<'_>) -> Option<Arc<str>> {
    (entropy.below(8) == 7).then(|| Arc::from("What it \"is\"."))
}

/// Items with different names, some of which are near each other.
fn named<T>(
    entropy: &mut Entropy<'_>,
    least: usize,
    most: usize,
    mut item: impl FnMut(Arc<str>, &mut Entropy<'_>) -> T,
) -> Vec<T> {
    const NAMES: [&str; 10] = ["a", "b", "ok", "err", "some", "max-items", "max-item", "HTTP", "x1", "z"];
    let mut used = BTreeSet::new();
    let count = least + entropy.below(most - least + 1);
    let names: Vec<_> =
        (0..count).map(|_| NAMES[entropy.below(NAMES.len())]).filter(|name| used.insert(*name)).collect();
    names.into_iter().map(|name| item(name.into(), entropy)).collect()
}

/// Some parameters of at most `depth` levels.
pub fn params(entropy: &mut Entropy<'_>, depth: usize) -> Fields {
    fields(entropy, 3, &mut |entropy| ty(entropy, depth))
}

/// A function with these parameters and this result.
pub fn function(params: Fields, returns: Returns) -> Function {
    Function {
        name: "f".into(),
        interface: None,
        export: "f".into(),
        docs: None,
        params: Arc::new(params),
        returns,
    }
}

/// Bytes of the input that [`round_trip`] makes a type of; the rest is JSON.
const TYPE_BYTES: usize = 16;

/// Takes a type and JSON from `data`. What is accepted as an argument must, rendered as a result, be
/// accepted again as the same value. Returns the type of the value that went this way, and `None`
/// for data that ends before: too short for JSON, or with JSON that is not of the type.
///
/// # Panics
/// If another value comes back.
pub fn round_trip(data: &[u8]) -> Option<Type> {
    let (choices, json) = data.split_at_checked(TYPE_BYTES)?;
    let ty = ty(&mut Entropy::new(choices), 4);
    let field = Field { name: "result".into(), ty: ty.clone(), docs: None };
    let function = function(Fields::new(None, vec![field]), Returns::Value(ty.clone()));
    let arguments: Box<RawValue> = serde_json::from_slice(json).ok()?;
    let values = parse_arguments(&function, &arguments).ok()?;
    let rendered = render(&function, &values, u64::MAX).expect("an accepted value is of the type");
    let json = rendered.structured.expect("a value is structured");
    let again = match ty {
        Type::Record(_) => format!("{{\"result\":{json}}}"),
        _ => json.get().to_owned(),
    };
    let again = RawValue::from_string(again).expect("what is rendered is JSON");
    let reparsed = parse_arguments(&function, &again).expect("what is rendered is accepted");
    assert_eq!(values, reparsed, "{arguments} became {again}");
    Some(ty)
}
