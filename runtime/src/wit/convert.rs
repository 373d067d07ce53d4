//! wasmtime's types into our tree, and the bounds on what a signature may be.
//!
//! A type that has no JSON form, or is too deep or too large, makes its function no tool; the
//! reason says where in the signature it is.

use std::sync::Arc;

use wasmtime::component::types::{self, ComponentFunc};

use super::docs::comment::{self, Comment};
use super::docs::{FunctionDocs, Node};
use super::tree::{Case, Cases, Field, Fields, Label, Labels, Returns, Type};

/// Levels of types within each other. A level is at most two levels of JSON, so no accepted value
/// reaches the 128 at which the JSON parser gives up, and walking a type can't exhaust the stack.
pub const MAX_TYPE_DEPTH: usize = 32;

/// Types, fields, cases and labels of one signature, counted once per use. Against types that
/// double at each level, whose schema would be exponential in the size of the component.
pub const MAX_TYPE_NODES: usize = 10_000;

/// The same over all signatures of a component. Against many large ones.
pub const MAX_COMPONENT_NODES: usize = 100_000;

/// Bytes of a name that count as one node. Against few names of 100 kB, the longest in a component.
const NAME_BYTES_PER_NODE: usize = 32;

/// What is left of [`MAX_COMPONENT_NODES`].
pub(super) struct Budget {
    left: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: MAX_COMPONENT_NODES }
    }
}

/// A signature in our own types.
pub(super) struct Signature {
    pub docs: Option<Arc<str>>,
    pub params: Fields,
    pub returns: Returns,
}

/// Converts a function's type. The error is the reason why it is no tool.
pub(super) fn signature(
    func: &ComponentFunc,
    comment: Option<&str>,
    docs: Option<&FunctionDocs>,
    budget: &mut Budget,
) -> Result<Signature, String> {
    if func.async_() {
        return Err("it is an async function, which WASI 0.2 hosts can't call".to_owned());
    }
    let comment = comment
        .map(|comment| comment::split(comment, func.params().map(|(name, _)| name)))
        .unwrap_or_default();
    let mut converter = Converter { nodes: 0, budget };
    let params = converter.params(func, &comment, docs)?;
    let mut results = func.results();
    let returns = match (results.next(), results.next()) {
        (None, _) => Returns::Nothing,
        (Some(ty), None) => converter
            .returns(&ty, docs.map(|docs| &docs.result))
            .map_err(|reason| format!("its result {reason}"))?,
        (Some(_), Some(_)) => return Err("it returns more than one value".to_owned()),
    };
    Ok(Signature { docs: comment.description.map(Arc::from), params, returns })
}

struct Converter<'b> {
    nodes: usize,
    budget: &'b mut Budget,
}

impl Converter<'_> {
    fn params(
        &mut self,
        func: &ComponentFunc,
        comment: &Comment,
        docs: Option<&FunctionDocs>,
    ) -> Result<Fields, String> {
        let mut fields = Vec::new();
        for (name, ty) in func.params() {
            let node = docs.and_then(|docs| docs.params.get(name));
            let ty = self.ty(&ty, node, 0).map_err(|reason| format!("its parameter `{name}` {reason}"))?;
            let own = comment.params.get(name).map(|docs| Arc::from(docs.as_str()));
            fields.push(Field { name: self.name(name)?, ty, docs: own.or_else(|| tidy(node)) });
        }
        Ok(Fields::new(None, fields))
    }

    fn returns(&mut self, ty: &types::Type, node: Option<&Node>) -> Result<Returns, String> {
        match ty {
            types::Type::Result(result) => Ok(Returns::Verdict {
                ok: self.payload(result.ok(), below(node, "ok"), 0)?,
                err: self.payload(result.err(), below(node, "err"), 0)?,
            }),
            _ => Ok(Returns::Value(self.ty(ty, node, 0)?)),
        }
    }

    fn ty(&mut self, ty: &types::Type, node: Option<&Node>, depth: usize) -> Result<Type, String> {
        self.count(1)?;
        if depth >= MAX_TYPE_DEPTH {
            return Err(format!("nests types deeper than {MAX_TYPE_DEPTH} levels"));
        }
        let depth = depth + 1;
        Ok(match ty {
            types::Type::Bool => Type::Bool,
            types::Type::S8 => Type::S8,
            types::Type::U8 => Type::U8,
            types::Type::S16 => Type::S16,
            types::Type::U16 => Type::U16,
            types::Type::S32 => Type::S32,
            types::Type::U32 => Type::U32,
            types::Type::S64 => Type::S64,
            types::Type::U64 => Type::U64,
            types::Type::Float32 => Type::F32,
            types::Type::Float64 => Type::F64,
            types::Type::Char => Type::Char,
            types::Type::String => Type::String,
            types::Type::List(list) => match list.ty() {
                types::Type::U8 => Type::Bytes,
                item => Type::List(Arc::new(self.ty(&item, below(node, "item"), depth)?)),
            },
            types::Type::FixedLengthList(list) => {
                let item = self.ty(&list.ty(), below(node, "item"), depth)?;
                Type::FixedList(Arc::new(item), list.len())
            }
            types::Type::Map(map) => Type::Map(Arc::new((
                self.ty(&map.key(), below(node, "key"), depth)?,
                self.ty(&map.value(), below(node, "value"), depth)?,
            ))),
            types::Type::Option(option) => {
                Type::Option(Arc::new(self.ty(&option.ty(), below(node, "item"), depth)?))
            }
            types::Type::Result(result) => Type::Result(Arc::new((
                self.payload(result.ok(), below(node, "ok"), depth)?,
                self.payload(result.err(), below(node, "err"), depth)?,
            ))),
            types::Type::Tuple(tuple) => self.tuple(tuple, node, depth)?,
            types::Type::Record(record) => self.record(record, node, depth)?,
            types::Type::Variant(variant) => self.variant(variant, node, depth)?,
            types::Type::Enum(names) => Type::Enum(self.labels(names.names(), node)?),
            types::Type::Flags(names) => Type::Flags(self.labels(names.names(), node)?),
            types::Type::Own(_) | types::Type::Borrow(_) => return Err(no_json("a resource")),
            types::Type::Future(_) => return Err(no_json("a future")),
            types::Type::Stream(_) => return Err(no_json("a stream")),
            types::Type::ErrorContext => return Err(no_json("an error-context")),
        })
    }

    fn payload(
        &mut self,
        ty: Option<types::Type>,
        node: Option<&Node>,
        depth: usize,
    ) -> Result<Option<Type>, String> {
        ty.map(|ty| self.ty(&ty, node, depth)).transpose()
    }

    fn tuple(&mut self, tuple: &types::Tuple, node: Option<&Node>, depth: usize) -> Result<Type, String> {
        let items = tuple.types().enumerate();
        let items = items.map(|(i, ty)| self.ty(&ty, below(node, &i.to_string()), depth));
        Ok(Type::Tuple(items.collect::<Result<Vec<_>, _>>()?.into()))
    }

    fn record(&mut self, record: &types::Record, node: Option<&Node>, depth: usize) -> Result<Type, String> {
        let mut fields = Vec::new();
        for field in record.fields() {
            let node = below(node, field.name);
            let ty = self.ty(&field.ty, node, depth)?;
            fields.push(Field { name: self.name(field.name)?, ty, docs: tidy(node) });
        }
        Ok(Type::Record(Arc::new(Fields::new(tidy(node), fields))))
    }

    fn variant(
        &mut self,
        variant: &types::Variant,
        node: Option<&Node>,
        depth: usize,
    ) -> Result<Type, String> {
        let mut cases = Vec::new();
        for case in variant.cases() {
            let node = below(node, case.name);
            let ty = self.payload(case.ty, node, depth)?;
            cases.push(Case { name: self.name(case.name)?, ty, docs: tidy(node) });
        }
        Ok(Type::Variant(Arc::new(Cases::new(tidy(node), cases))))
    }

    fn labels<'a>(
        &mut self,
        names: impl Iterator<Item = &'a str>,
        node: Option<&Node>,
    ) -> Result<Arc<Labels>, String> {
        let mut labels = Vec::new();
        for name in names {
            labels.push(Label { name: self.name(name)?, docs: tidy(below(node, name)) });
        }
        Ok(Arc::new(Labels::new(tidy(node), labels)))
    }

    fn name(&mut self, name: &str) -> Result<Arc<str>, String> {
        self.count(1 + name.len() / NAME_BYTES_PER_NODE)?;
        Ok(name.into())
    }

    fn count(&mut self, nodes: usize) -> Result<(), String> {
        self.nodes += nodes;
        if self.nodes > MAX_TYPE_NODES {
            return Err(format!("makes the signature larger than {MAX_TYPE_NODES} types"));
        }
        self.budget.left = self.budget.left.checked_sub(nodes).ok_or_else(|| {
            format!("makes all signatures together larger than {MAX_COMPONENT_NODES} types")
        })?;
        Ok(())
    }
}

fn no_json(what: &str) -> String {
    format!("holds {what}, which has no JSON form")
}

fn below<'a>(node: Option<&'a Node>, label: &str) -> Option<&'a Node> {
    node?.of.get(label)
}

fn tidy(node: Option<&Node>) -> Option<Arc<str>> {
    comment::tidy(node?.docs.as_deref()?).map(Arc::from)
}
