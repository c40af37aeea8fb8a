//! What is known about a value before it exists.
//!
//! Expressions are compiled without knowledge of the request, so most types are unknown. What literals and builtins
//! reveal is checked all the same, and a program that fails these checks never runs.

use std::sync::Arc;

use super::ast::TemplateFunc;
use super::builtins::Builtin;

/// A Go type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// `interface {}`
    Any,
    Bool,
    Int,
    Int64,
    Uint8,
    Float,
    Text,
    /// `[]uint8`
    Bytes,
    /// `[]interface {}`
    Anys,
    Ints,
    Floats,
    Texts,
    /// `map[string]interface {}`
    TextMap,
    /// `map[interface {}]interface {}`
    AnyMap,
    /// `map[interface {}][]interface {}`
    ListMap,
    /// `map[int]struct {}` and `map[string]struct {}`
    IntSet,
    TextSet,
    Time,
    Duration,
    Month,
    Weekday,
    /// `*time.Location`
    Zone,
    /// `time.Location`
    ZoneValue,
    Error,
    Func(&'static FuncType),
}

/// The type of a function. For a method, the first input is the receiver.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FuncType {
    pub(super) ins: &'static [Type],
    pub(super) variadic: bool,
    pub(super) outs: &'static [Type],
}

/// What a type is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Nothing is known.
    None,
    Any,
    Bool,
    Integer,
    Float,
    Text,
    Slice,
    Map,
    Struct,
    Pointer,
    Func,
}

impl Type {
    pub(super) const fn shape(self) -> Shape {
        match self {
            Self::Any | Self::Error => Shape::Any,
            Self::Bool => Shape::Bool,
            Self::Int | Self::Int64 | Self::Uint8 | Self::Duration | Self::Month | Self::Weekday => Shape::Integer,
            Self::Float => Shape::Float,
            Self::Text => Shape::Text,
            Self::Bytes | Self::Anys | Self::Ints | Self::Floats | Self::Texts => Shape::Slice,
            Self::TextMap | Self::AnyMap | Self::ListMap | Self::IntSet | Self::TextSet => Shape::Map,
            Self::Time | Self::ZoneValue => Shape::Struct,
            Self::Zone => Shape::Pointer,
            Self::Func(_) => Shape::Func,
        }
    }

    /// The type of an element of a slice, or of a value of a map.
    pub(super) const fn elem(self) -> Self {
        match self {
            Self::Bytes => Self::Uint8,
            Self::Ints => Self::Int,
            Self::Floats => Self::Float,
            Self::Texts => Self::Text,
            Self::ListMap => Self::Anys,
            _ => Self::Any,
        }
    }

    /// The type of a key of a map.
    pub(super) const fn key(self) -> Self {
        match self {
            Self::TextMap | Self::TextSet => Self::Text,
            Self::IntSet => Self::Int,
            _ => Self::Any,
        }
    }

    fn is_assignable_to(self, other: Self) -> bool {
        self == other || other == Self::Any
    }
}

/// What is known about a value: a type, that it is nil, or nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Nature {
    pub(super) ty: Option<Type>,
    pub(super) is_nil: bool,
    /// More about the elements of a list than its type says.
    pub(super) elem: Option<Arc<Self>>,
    /// The function a name stands for.
    pub(super) func: Option<Known>,
    pub(super) is_method: bool,
}

/// A function that can be checked more closely than by its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Builtin(Builtin),
    Template(TemplateFunc),
}

impl From<Type> for Nature {
    fn from(ty: Type) -> Self {
        Self { ty: Some(ty), ..Self::default() }
    }
}

impl Nature {
    pub(super) fn unknown() -> Self {
        Self::default()
    }

    pub(super) fn nil() -> Self {
        Self { is_nil: true, ..Self::default() }
    }

    /// A list of such elements.
    pub(super) fn list_of(elem: Self) -> Self {
        Self { elem: Some(Arc::new(elem)), ..Type::Anys.into() }
    }

    pub(super) fn shape(&self) -> Shape {
        self.ty.map_or(Shape::None, Type::shape)
    }

    pub(super) fn is(&self, ty: Type) -> bool {
        self.ty == Some(ty)
    }

    pub(super) fn is_unknown(&self) -> bool {
        self.ty == Some(Type::Any) || self.ty.is_none() && !self.is_nil
    }

    pub(super) fn is_integer(&self) -> bool {
        matches!(self.ty, Some(Type::Int | Type::Int64 | Type::Uint8))
    }

    pub(super) fn is_number(&self) -> bool {
        self.is_integer() || self.is(Type::Float)
    }

    pub(super) fn is_bool(&self) -> bool {
        self.is(Type::Bool)
    }

    pub(super) fn is_text(&self) -> bool {
        self.is(Type::Text)
    }

    pub(super) fn is_list(&self) -> bool {
        self.shape() == Shape::Slice
    }

    pub(super) fn deref(self) -> Self {
        if self.ty == Some(Type::Zone) { Type::ZoneValue.into() } else { self }
    }

    pub(super) fn elem(&self) -> Self {
        match (&self.elem, self.ty) {
            (Some(elem), _) if self.is_list() => (**elem).clone(),
            (_, Some(ty)) if matches!(ty.shape(), Shape::Slice | Shape::Map) => ty.elem().into(),
            _ => Self::unknown(),
        }
    }

    pub(super) fn is_assignable_to(&self, other: &Self) -> bool {
        if self.is_nil {
            return matches!(other.shape(), Shape::Pointer | Shape::Any | Shape::Func | Shape::Map | Shape::Slice);
        }
        matches!((self.ty, other.ty), (Some(ty), Some(other)) if ty.is_assignable_to(other))
    }

    pub(super) fn is_comparable_to(&self, other: &Self) -> bool {
        let both = |test: fn(&Self) -> bool| test(self) && test(other);
        self.is_unknown()
            || other.is_unknown()
            || self.is_nil
            || other.is_nil
            || both(Self::is_number)
            || both(|nature| nature.is(Type::Duration))
            || both(|nature| nature.is(Type::Time))
            || both(Self::is_list)
            || self.is_assignable_to(other)
    }

    /// Whether one is unknown, and the other too or one of those that pass the test.
    pub(super) fn may_fit(&self, other: &Self, test: impl Fn(&Self) -> bool) -> bool {
        match (self.is_unknown(), other.is_unknown()) {
            (true, true) => true,
            (true, false) => test(other),
            (false, true) => test(self),
            (false, false) => false,
        }
    }
}
