//! The Go types that an expression can meet.

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

    pub(super) fn is_assignable_to(self, other: Self) -> bool {
        self == other || other == Self::Any
    }
}
