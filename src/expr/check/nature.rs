//! What is known about a value before it exists.
//!
//! Expressions are compiled without knowledge of the request, so most types are unknown. What literals and builtins
//! reveal is checked all the same, and a program that fails these checks never runs.

use std::sync::Arc;

use super::super::ast::TemplateFunc;
use super::super::builtins::Builtin;
use super::super::types::{Shape, Type};

/// What is known about a value: a type, that it is nil, or nothing.
#[derive(Clone, Debug, Default)]
pub(in crate::expr) struct Nature {
    pub(in crate::expr) ty: Option<Type>,
    pub(in crate::expr) is_nil: bool,
    /// More about the elements of a list than its type says.
    pub(in crate::expr) elem: Option<Arc<Self>>,
    /// The function a name stands for.
    pub(in crate::expr) func: Option<Known>,
    pub(in crate::expr) is_method: bool,
}

/// A function that can be checked more closely than by its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::expr) enum Known {
    Builtin(Builtin),
    Template(TemplateFunc),
}

impl From<Type> for Nature {
    fn from(ty: Type) -> Self {
        Self { ty: Some(ty), ..Self::default() }
    }
}

impl Nature {
    pub(in crate::expr) fn unknown() -> Self {
        Self::default()
    }

    pub(in crate::expr) fn nil() -> Self {
        Self { is_nil: true, ..Self::default() }
    }

    /// A list of such elements.
    pub(in crate::expr) fn list_of(elem: Self) -> Self {
        Self { elem: Some(Arc::new(elem)), ..Type::Anys.into() }
    }

    pub(in crate::expr) fn shape(&self) -> Shape {
        self.ty.map_or(Shape::None, Type::shape)
    }

    pub(in crate::expr) fn is(&self, ty: Type) -> bool {
        self.ty == Some(ty)
    }

    pub(in crate::expr) fn is_unknown(&self) -> bool {
        self.ty == Some(Type::Any) || self.ty.is_none() && !self.is_nil
    }

    pub(in crate::expr) fn is_integer(&self) -> bool {
        matches!(self.ty, Some(Type::Int | Type::Int64 | Type::Uint8))
    }

    pub(in crate::expr) fn is_number(&self) -> bool {
        self.is_integer() || self.is(Type::Float)
    }

    pub(in crate::expr) fn is_bool(&self) -> bool {
        self.is(Type::Bool)
    }

    pub(in crate::expr) fn is_text(&self) -> bool {
        self.is(Type::Text)
    }

    pub(in crate::expr) fn is_list(&self) -> bool {
        self.shape() == Shape::Slice
    }

    pub(in crate::expr) fn deref(self) -> Self {
        if self.ty == Some(Type::Zone) { Type::ZoneValue.into() } else { self }
    }

    pub(in crate::expr) fn elem(&self) -> Self {
        match (&self.elem, self.ty) {
            (Some(elem), _) if self.is_list() => (**elem).clone(),
            (_, Some(ty)) if matches!(ty.shape(), Shape::Slice | Shape::Map) => ty.elem().into(),
            _ => Self::unknown(),
        }
    }

    pub(in crate::expr) fn is_assignable_to(&self, other: &Self) -> bool {
        if self.is_nil {
            return matches!(other.shape(), Shape::Pointer | Shape::Any | Shape::Func | Shape::Map | Shape::Slice);
        }
        matches!((self.ty, other.ty), (Some(ty), Some(other)) if ty.is_assignable_to(other))
    }

    pub(in crate::expr) fn is_comparable_to(&self, other: &Self) -> bool {
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
    pub(in crate::expr) fn may_fit(&self, other: &Self, test: impl Fn(&Self) -> bool) -> bool {
        match (self.is_unknown(), other.is_unknown()) {
            (true, true) => true,
            (true, false) => test(other),
            (false, true) => test(self),
            (false, false) => false,
        }
    }
}
