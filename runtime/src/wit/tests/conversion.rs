//! A property over generated types: what is read from a binary component is what was written there.
//!
//! Each signature is printed as a component in text, whose function is lifted as a toolchain would do
//! it, and discovered again. How types flatten into core signatures is said here once more, by the
//! canonical ABI: a mistake in it is a component that is not valid, and never passes unseen.

use proptest::collection::vec;
use proptest::prelude::*;
use wasmtime::component::Component;
use wasmtime::{Config, Engine};

use super::*;
use crate::wit::fuzz::{Entropy, params, ty};
use crate::wit::{Discovery, discover, schema};

const DEPTH: usize = 3;

/// Values that a core function takes; more are passed by a pointer to all. It gives at most one.
const MAX_FLAT_PARAMS: usize = 16;

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn a_signature_read_from_a_component_is_the_one_that_was_written(shape in vec(any::<u8>(), 0..96)) {
        let mut entropy = Entropy::new(&shape);
        let returns = returns(&mut entropy);
        let written = function(plain_fields(&params(&mut entropy, DEPTH)), returns);
        let text = component(&written);
        let found = discovered(&text);
        prop_assert_eq!(&found.skipped, &[], "{}", text);
        let read = &found.functions[0];
        prop_assert_eq!(&read.params, &written.params, "{}", text);
        prop_assert_eq!(&read.returns, &written.returns, "{}", text);
        let input = |function: &Function| schema::input(function).get().to_owned();
        prop_assert_eq!(input(read), input(&written));
        let output = |function: &Function| schema::output(function).map(|schema| schema.get().to_owned());
        prop_assert_eq!(output(read), output(&written));
    }
}

fn discovered(text: &str) -> Discovery {
    let mut config = Config::new();
    config.wasm_component_model_map(true).wasm_component_model_fixed_length_lists(true);
    let engine = Engine::new(&config).unwrap();
    let bytes = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let component = Component::from_binary(&engine, &bytes);
    let component = component.unwrap_or_else(|error| panic!("{error:#}: {text}"));
    discover(&engine, &component, &bytes, &Default::default()).unwrap()
}

fn returns(entropy: &mut Entropy<'_>) -> Returns {
    let side = |entropy: &mut Entropy<'_>| (entropy.below(4) > 0).then(|| plain(&ty(entropy, DEPTH)));
    match entropy.below(4) {
        0 => Returns::Nothing,
        1 => Returns::Verdict { ok: side(entropy), err: side(entropy) },
        _ => match plain(&ty(entropy, DEPTH)) {
            Type::Result(sides) => Returns::Verdict { ok: sides.0.clone(), err: sides.1.clone() },
            ty => Returns::Value(ty),
        },
    }
}

/// A type as a component has it: without docs, which are beside it, and with `bool` for what has no
/// items, which no component may hold.
fn plain(ty: &Type) -> Type {
    match ty {
        Type::FixedList(_, 0) => Type::Bool,
        Type::Tuple(types) if types.is_empty() => Type::Bool,
        Type::Record(fields) if fields.is_empty() => Type::Bool,
        Type::Flags(labels) if labels.is_empty() => Type::Bool,
        Type::List(item) => list(plain(item)),
        Type::FixedList(item, len) => Type::FixedList(plain(item).into(), *len),
        Type::Map(types) => Type::Map((types.0.clone(), plain(&types.1)).into()),
        Type::Tuple(types) => Type::Tuple(types.iter().map(plain).collect()),
        Type::Record(fields) => Type::Record(plain_fields(fields).into()),
        Type::Variant(cases) => {
            let cases: Vec<_> = cases.iter().map(|case| (&*case.name, case.ty.as_ref().map(plain))).collect();
            variant(&cases)
        }
        Type::Enum(names) => Type::Enum(labels(&names.names().collect::<Vec<_>>()).into()),
        Type::Flags(names) => Type::Flags(labels(&names.names().collect::<Vec<_>>()).into()),
        Type::Option(inner) => option(plain(inner)),
        Type::Result(sides) => {
            Type::Result((sides.0.as_ref().map(plain), sides.1.as_ref().map(plain)).into())
        }
        scalar => scalar.clone(),
    }
}

fn plain_fields(fields: &Fields) -> Fields {
    let field = |field: &Field| Field { name: field.name.clone(), ty: plain(&field.ty), docs: None };
    Fields::new(None, fields.iter().map(field).collect())
}

/// A component in text that exports this function.
fn component(function: &Function) -> String {
    let mut printer = Printer::default();
    let params: String = function
        .params
        .iter()
        .map(|field| format!(" (param \"{}\" {})", field.name, printer.ty(&field.ty)))
        .collect();
    let result = match &function.returns {
        Returns::Nothing => None,
        Returns::Value(ty) => Some(ty.clone()),
        Returns::Verdict { ok, err } => Some(Type::Result((ok.clone(), err.clone()).into())),
    };
    let returns = result.as_ref().map(|ty| format!(" (result {})", printer.ty(ty))).unwrap_or_default();
    format!(
        "(component
            (core module $m
                (memory (export \"memory\") 1)
                (func (export \"realloc\") (param i32 i32 i32 i32) (result i32) unreachable)
                (func (export \"f\"){} unreachable))
            (core instance $i (instantiate $m))
            {}
            (func (export \"f\"){params}{returns} (canon lift (core func $i \"f\")
                (memory (core memory $i \"memory\")) (realloc (core func $i \"realloc\")))))",
        core_signature(&function.params, result.as_ref()),
        printer.definitions,
    )
}

/// Writes types. Those with names inside have to be exported before a function may use them.
#[derive(Default)]
struct Printer {
    definitions: String,
    count: usize,
}

impl Printer {
    fn ty(&mut self, ty: &Type) -> String {
        match ty {
            Type::Bytes => "(list u8)".to_owned(),
            Type::List(item) => format!("(list {})", self.ty(item)),
            Type::FixedList(item, len) => format!("(list {} {len})", self.ty(item)),
            Type::Map(types) => format!("(map {} {})", self.ty(&types.0), self.ty(&types.1)),
            Type::Tuple(types) => format!("(tuple{})", self.all(types.iter())),
            Type::Option(inner) => format!("(option {})", self.ty(inner)),
            Type::Result(sides) => {
                let ok = self.all(sides.0.iter());
                let err = sides.1.as_ref().map(|err| format!(" (error {})", self.ty(err)));
                format!("(result{ok}{})", err.unwrap_or_default())
            }
            Type::Record(fields) => {
                let field = |field: &Field| format!(" (field \"{}\" {})", field.name, self.ty(&field.ty));
                let fields: String = fields.iter().map(field).collect();
                self.define(&format!("(record{fields})"))
            }
            Type::Variant(cases) => {
                let case = |case: &Case| format!(" (case \"{}\"{})", case.name, self.all(case.ty.iter()));
                let cases: String = cases.iter().map(case).collect();
                self.define(&format!("(variant{cases})"))
            }
            Type::Enum(labels) => self.define(&format!("(enum{})", names(labels))),
            Type::Flags(labels) => self.define(&format!("(flags{})", names(labels))),
            scalar => format!("{scalar:?}").to_lowercase(),
        }
    }

    fn all<'a>(&mut self, types: impl Iterator<Item = &'a Type>) -> String {
        types.map(|ty| format!(" {}", self.ty(ty))).collect()
    }

    fn define(&mut self, ty: &str) -> String {
        let n = self.count;
        self.count += 1;
        self.definitions.push_str(&format!("(type $d{n} {ty}) (export $t{n} \"t{n}\" (type $d{n}))\n"));
        format!("$t{n}")
    }
}

fn names(labels: &Labels) -> String {
    labels.names().map(|name| format!(" \"{name}\"")).collect()
}

fn core_signature(params: &Fields, result: Option<&Type>) -> String {
    let params: Vec<_> = params.types().flat_map(flat).collect();
    let params = if params.len() > MAX_FLAT_PARAMS { vec!["i32"] } else { params };
    let results = result.map(flat).unwrap_or_default();
    let results = if results.len() > 1 { vec!["i32"] } else { results };
    format!(" (param {}) (result {})", params.join(" "), results.join(" "))
}

/// The core values that a value becomes.
fn flat(ty: &Type) -> Vec<&'static str> {
    match ty {
        Type::S64 | Type::U64 => vec!["i64"],
        Type::F32 => vec!["f32"],
        Type::F64 => vec!["f64"],
        Type::String | Type::Bytes | Type::List(_) | Type::Map(_) => vec!["i32", "i32"],
        Type::FixedList(item, len) => flat(item).repeat(*len as usize),
        Type::Tuple(types) => types.iter().flat_map(flat).collect(),
        Type::Record(fields) => fields.types().flat_map(flat).collect(),
        Type::Variant(cases) => one_of(cases.types()),
        Type::Option(inner) => one_of(std::iter::once(&**inner)),
        Type::Result(sides) => one_of(sides.0.iter().chain(&sides.1)),
        _ => vec!["i32"],
    }
}

/// Which case it is, and room for the payload of each.
fn one_of<'a>(payloads: impl Iterator<Item = &'a Type>) -> Vec<&'static str> {
    let mut room = vec!["i32"];
    for payload in payloads {
        for (i, core) in flat(payload).into_iter().enumerate() {
            match room.get_mut(i + 1) {
                Some(there) => *there = for_both(there, core),
                None => room.push(core),
            }
        }
    }
    room
}

fn for_both(first: &'static str, second: &'static str) -> &'static str {
    match (first, second) {
        _ if first == second => first,
        ("i32", "f32") | ("f32", "i32") => "i32",
        _ => "i64",
    }
}
