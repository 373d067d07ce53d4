//! The types of tools: what wasmtime says of a signature, converted once and shared.
//!
//! wasmtime's own type handles are indices into tables behind locks and reference counts. Calls
//! walk this tree instead: it is plain data, carries the docs, and has field lookup precomputed.
//! It has no resources, streams or futures: a function that needs them is never converted.

use std::ops::Deref;
use std::sync::Arc;

/// A function that is a tool.
#[derive(Clone, Debug)]
pub struct Function {
    /// The tool's name, `[A-Za-z0-9_-]{1,64}`, unique in its component.
    pub name: Arc<str>,
    /// The exported instance that the function is in, `acme:clock/clock@1.0.0`; `None` at world
    /// level.
    pub interface: Option<Arc<str>>,
    /// The function's name within `interface`, or among the component's own exports.
    pub export: Arc<str>,
    /// The description, without what was said of parameters.
    pub docs: Option<Arc<str>>,
    /// The parameters, in order.
    pub params: Arc<Fields>,
    /// What it returns.
    pub returns: Returns,
}

impl Function {
    /// The full path, unique in its component: `now`, or `acme:clock/clock@1.0.0#now`.
    pub fn path(&self) -> String {
        path(self.interface.as_deref(), &self.export)
    }
}

/// The one way to write where a function is.
pub(super) fn path(interface: Option<&str>, export: &str) -> String {
    match interface {
        Some(interface) => format!("{interface}#{export}"),
        None => export.to_owned(),
    }
}

/// What a function returns.
#[derive(Clone, Debug, PartialEq)]
pub enum Returns {
    /// No value at all.
    Nothing,
    /// A value that is not a `result`.
    Value(Type),
    /// `result<ok, err>`, the tool's own verdict on the call.
    Verdict {
        /// The payload of `ok`.
        ok: Option<Type>,
        /// The payload of `err`.
        err: Option<Type>,
    },
}

impl Returns {
    /// The types of all that may be returned.
    pub fn types(&self) -> impl Iterator<Item = &Type> {
        let (first, second) = match self {
            Self::Nothing => (None, None),
            Self::Value(ty) => (Some(ty), None),
            Self::Verdict { ok, err } => (ok.as_ref(), err.as_ref()),
        };
        first.into_iter().chain(second)
    }

    /// The type of the structured result; `None` where there is none.
    pub fn content(&self) -> Option<&Type> {
        match self {
            Self::Nothing => None,
            Self::Value(ty) => Some(ty),
            Self::Verdict { ok, .. } => ok.as_ref(),
        }
    }
}

/// A WIT type that has a JSON form.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the scalars are named as in WIT")]
pub enum Type {
    Bool,
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
    F32,
    F64,
    Char,
    String,
    /// `list<u8>`.
    Bytes,
    /// `list<T>`.
    List(Arc<Type>),
    /// `list<T, N>`.
    FixedList(Arc<Type>, u32),
    /// `map<K, V>`.
    Map(Arc<(Type, Type)>),
    Tuple(Arc<[Type]>),
    Record(Arc<Fields>),
    Variant(Arc<Cases>),
    Enum(Arc<Labels>),
    Flags(Arc<Labels>),
    Option(Arc<Type>),
    /// `result<ok, err>` anywhere but as the return value.
    Result(Arc<(Option<Type>, Option<Type>)>),
}

impl Type {
    /// Whether JSON `null` is a value of this type, so that an `option` of it needs a wrapper.
    pub fn is_nullable(&self) -> bool {
        matches!(self, Self::Option(_))
    }
}

/// Positions of names, sorted by name. Lookups stay logarithmic however a caller orders keys, and
/// however many names a publisher declares.
#[derive(Clone, Debug, Default, PartialEq)]
struct Index(Box<[u32]>);

impl Index {
    fn new<T>(items: &[T], name: impl Fn(&T) -> &str) -> Self {
        let mut sorted: Box<[u32]> = (0u32..).take(items.len()).collect();
        sorted.sort_by_key(|&i| name(&items[i as usize]));
        Self(sorted)
    }

    fn position<T>(&self, items: &[T], name: impl Fn(&T) -> &str, wanted: &str) -> Option<usize> {
        let at = self.0.binary_search_by(|&i| name(&items[i as usize]).cmp(wanted)).ok()?;
        Some(self.0[at] as usize)
    }
}

/// The fields of a record, or the parameters of a function.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields {
    /// Docs of the record type.
    pub docs: Option<Arc<str>>,
    fields: Box<[Field]>,
    index: Index,
}

impl Fields {
    /// Fields in the order of declaration.
    pub fn new(docs: Option<Arc<str>>, fields: Vec<Field>) -> Self {
        let index = Index::new(&fields, |field| &field.name);
        Self { docs, fields: fields.into(), index }
    }

    /// The types, in the order of declaration.
    pub fn types(&self) -> impl Iterator<Item = &Type> {
        self.fields.iter().map(|field| &field.ty)
    }

    /// The position of a field, guessed first to be at `hint`.
    pub fn position(&self, name: &str, hint: usize) -> Option<usize> {
        match self.fields.get(hint) {
            Some(field) if &*field.name == name => Some(hint),
            _ => self.index.position(&self.fields, |field| &field.name, name),
        }
    }
}

impl Deref for Fields {
    type Target = [Field];

    fn deref(&self) -> &[Field] {
        &self.fields
    }
}

/// A field of a record, or a parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The name, as in WIT.
    pub name: Arc<str>,
    /// The type.
    pub ty: Type,
    /// The field's docs, or those of its type.
    pub docs: Option<Arc<str>>,
}

impl Field {
    /// Whether the field may be absent from JSON.
    pub fn is_optional(&self) -> bool {
        matches!(self.ty, Type::Option(_))
    }
}

/// The cases of a variant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cases {
    /// Docs of the variant type.
    pub docs: Option<Arc<str>>,
    cases: Box<[Case]>,
    index: Index,
}

impl Cases {
    /// Cases in the order of declaration.
    pub fn new(docs: Option<Arc<str>>, cases: Vec<Case>) -> Self {
        let index = Index::new(&cases, |case| &case.name);
        Self { docs, cases: cases.into(), index }
    }

    /// The types of the payloads.
    pub fn types(&self) -> impl Iterator<Item = &Type> {
        self.cases.iter().filter_map(|case| case.ty.as_ref())
    }

    /// The case called `name`.
    pub fn find(&self, name: &str) -> Option<&Case> {
        let at = self.index.position(&self.cases, |case| &case.name, name)?;
        self.cases.get(at)
    }
}

impl Deref for Cases {
    type Target = [Case];

    fn deref(&self) -> &[Case] {
        &self.cases
    }
}

/// A case of a variant.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The name, as in WIT.
    pub name: Arc<str>,
    /// The type of the payload.
    pub ty: Option<Type>,
    /// The case's docs.
    pub docs: Option<Arc<str>>,
}

/// The names of an enum or of flags.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labels {
    /// Docs of the type.
    pub docs: Option<Arc<str>>,
    labels: Box<[Label]>,
    index: Index,
}

impl Labels {
    /// Labels in the order of declaration.
    pub fn new(docs: Option<Arc<str>>, labels: Vec<Label>) -> Self {
        let index = Index::new(&labels, |label| &label.name);
        Self { docs, labels: labels.into(), index }
    }

    /// The names in the order of declaration.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.labels.iter().map(|label| &*label.name)
    }

    /// Whether there is a label called `name`.
    pub fn contains(&self, name: &str) -> bool {
        self.index.position(&self.labels, |label| &label.name, name).is_some()
    }
}

impl Deref for Labels {
    type Target = [Label];

    fn deref(&self) -> &[Label] {
        &self.labels
    }
}

/// A case of an enum, or a flag.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// The name, as in WIT.
    pub name: Arc<str>,
    /// The label's docs.
    pub docs: Option<Arc<str>>,
}
