//! The promises of this layer: schemas, parser and renderer agree; exports become the right tools.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod agreement;
mod conversion;
mod discovery;
mod docs;
mod exactness;
mod limits;
mod messages;

use serde_json::value::RawValue;
use wasmtime::component::Val;

use super::fuzz::function;
use super::tree::{Case, Cases, Field, Fields, Function, Label, Labels, Returns, Type};
use super::value::{ArgumentError, parse_arguments};

/// A function of one parameter `v`, which it returns.
fn echo(ty: Type) -> Function {
    let field = Field { name: "v".into(), ty: ty.clone(), docs: None };
    function(Fields::new(None, vec![field]), Returns::Value(ty))
}

/// Parses `json` as the value of the one parameter.
fn parse(function: &Function, json: &str) -> Result<Val, ArgumentError> {
    let arguments = RawValue::from_string(format!("{{\"v\":{json}}}")).unwrap();
    parse_arguments(function, &arguments).map(|mut values| values.remove(0))
}

fn record(fields: &[(&str, Type)]) -> Type {
    let field = |(name, ty): &(&str, Type)| Field { name: (*name).into(), ty: ty.clone(), docs: None };
    Type::Record(Fields::new(None, fields.iter().map(field).collect()).into())
}

fn variant(cases: &[(&str, Option<Type>)]) -> Type {
    let case = |(name, ty): &(&str, Option<Type>)| Case { name: (*name).into(), ty: ty.clone(), docs: None };
    Type::Variant(Cases::new(None, cases.iter().map(case).collect()).into())
}

fn labels(names: &[&str]) -> Labels {
    Labels::new(None, names.iter().map(|&name| Label { name: name.into(), docs: None }).collect())
}

fn option(ty: Type) -> Type {
    Type::Option(ty.into())
}

fn list(ty: Type) -> Type {
    Type::List(ty.into())
}
