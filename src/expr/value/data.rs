//! What values are made of. It is one file because values contain one another; what can be done with each kind of them
//! is in a file of its own.

use std::sync::Arc;

use super::super::limits::VALUE_SIZE;
use super::super::methods::Method;
use super::super::time::{Time, Zone};
use super::text::Text;

/// A value of an expression.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Value {
    /// No value; what an unknown name is.
    #[default]
    Nil,
    /// `bool`
    Bool(bool),
    /// `int`, 64 bits wide
    Int(i64),
    /// `int64`, which only methods of times and durations return
    Int64(i64),
    /// `uint8`, an element of a string or of bytes
    Uint8(u8),
    /// `float64`; every number of a request body is one
    Float(f64),
    /// `string`, which need not be UTF-8
    Text(Text),
    /// A slice or an array
    List(List),
    /// A map
    Map(Map),
    /// Something that can be called
    Func(Func),
    /// `time.Time`
    Time(Time),
    /// `time.Duration` in nanoseconds
    Duration(i64),
    /// `time.Month`
    Month(i64),
    /// `time.Weekday`, Sunday is 0
    Weekday(i64),
    /// `*time.Location`
    Zone(Zone),
    /// `time.Location`, which is what dereferencing makes of a location
    ZoneValue(Zone),
}

const _: () = assert!(size_of::<Value>() == VALUE_SIZE, "evaluations pay for the size that values have");

/// The Go type of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::expr) enum Elem {
    /// `[]interface {}`
    Any,
    /// `[]int`
    Int,
    /// `[]string`
    Text,
    /// `[]uint8`
    Byte,
    /// `[][2]interface {}`
    Pair,
    /// `[2]interface {}`, an array, not a slice
    Two,
}

/// A shared list, or a part of one.
#[derive(Clone, Debug)]
pub struct List {
    pub(super) items: Arc<Items>,
    pub(super) start: u32,
    pub(super) len: u32,
}

#[derive(Debug)]
pub(super) struct Items {
    pub(super) elem: Elem,
    pub(super) data: Data,
}

#[derive(Debug)]
pub(super) enum Data {
    /// A slice that is nil.
    Nil,
    Values(Vec<Value>),
    /// Consecutive integers from that one on; ranges are not spelled out.
    From(i64),
    Bytes(Vec<u8>),
}

/// The Go type of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::expr) enum MapKind {
    /// `map[string]interface {}`
    TextAny,
    /// `map[interface {}]interface {}`
    AnyAny,
    /// `map[interface {}][]interface {}`
    AnyList,
    /// `map[int]struct {}`, which only the right side of `in` can be
    IntSet,
    /// `map[string]struct {}`, likewise
    TextSet,
}

/// A key, which is a value that Go can hash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::expr) enum Key {
    Nil,
    Bool(bool),
    Int(i64),
    Int64(i64),
    Uint8(u8),
    /// The bits of a float in an order that keeps the numeric one.
    Float(u64),
    /// A NaN equals nothing, not even itself, so each is numbered.
    Nan(usize),
    Text(Text),
    Duration(i64),
    Month(i64),
    Weekday(i64),
    /// Seconds, nanoseconds and the name of the zone.
    Time(Box<(i64, u32, String)>),
    Zone(Box<str>),
    Two(Box<(Self, Self)>),
}

/// A shared map.
#[derive(Clone, Debug)]
pub struct Map(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) kind: MapKind,
    /// In order, with distinct keys.
    pub(super) entries: Box<[(Key, Value)]>,
}

/// A function.
#[derive(Clone, Debug)]
pub struct Func(pub(super) Kind);

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Native(NativeFunc),
    Method(Arc<(Value, Method)>),
}

/// A function of the environment. All take one string.
#[derive(Clone, Debug)]
pub(in crate::expr) enum NativeFunc {
    Header(Arc<Request>),
    Headers(Arc<Request>),
    Param(Arc<Request>),
    NormalizeGit,
    NormalizeImage,
    NormalizeChart,
}

/// What functions of the environment answer from.
#[derive(Debug, Default)]
pub(in crate::expr) struct Request {
    /// Names in lower case.
    pub(in crate::expr) headers: Vec<(String, Text)>,
    pub(in crate::expr) query: Vec<(Text, Text)>,
}
