//! Slices and arrays.

use std::ops::Range;
use std::sync::Arc;

use super::data::{Data, Elem, Items, List, Value};

impl Elem {
    pub(in crate::expr) const fn go_type(self) -> &'static str {
        match self {
            Self::Any => "[]interface {}",
            Self::Int => "[]int",
            Self::Text => "[]string",
            Self::Byte => "[]uint8",
            Self::Pair => "[][2]interface {}",
            Self::Two => "[2]interface {}",
        }
    }
}

impl List {
    pub(in crate::expr) fn new(elem: Elem, values: Vec<Value>) -> Self {
        let len = u32::try_from(values.len()).unwrap_or(u32::MAX);
        Self { items: Arc::new(Items { elem, data: Data::Values(values) }), start: 0, len }
    }

    pub(in crate::expr) fn nil(elem: Elem) -> Self {
        Self { items: Arc::new(Items { elem, data: Data::Nil }), start: 0, len: 0 }
    }

    /// The `[]int` from `first` to `last`.
    pub(in crate::expr) fn range(first: i64, len: u32) -> Self {
        Self { items: Arc::new(Items { elem: Elem::Int, data: Data::From(first) }), start: 0, len }
    }

    pub(in crate::expr) fn bytes(bytes: Vec<u8>) -> Self {
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Self { items: Arc::new(Items { elem: Elem::Byte, data: Data::Bytes(bytes) }), start: 0, len }
    }

    pub(in crate::expr) fn elem(&self) -> Elem {
        self.items.elem
    }

    /// The number of elements.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there are no elements.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(in crate::expr) fn is_nil(&self) -> bool {
        matches!(self.items.data, Data::Nil)
    }

    /// The element at that position.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Value> {
        if index >= self.len() {
            return None;
        }
        let at = self.start as usize + index;
        match &self.items.data {
            Data::Nil => None,
            Data::Values(values) => values.get(at).cloned(),
            Data::From(first) => Some(Value::Int(first.wrapping_add(at as i64))),
            Data::Bytes(bytes) => bytes.get(at).copied().map(Value::Uint8),
        }
    }

    /// The elements in order.
    pub fn iter(&self) -> impl Iterator<Item = Value> + '_ {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// A part of the list; out of range is cut off.
    pub(in crate::expr) fn slice(&self, range: Range<usize>, elem: Elem) -> Self {
        let end = range.end.min(self.len());
        let start = range.start.min(end);
        let items = if elem == self.elem() {
            Arc::clone(&self.items)
        } else {
            return Self::new(elem, self.iter().skip(start).take(end - start).collect());
        };
        Self { items, start: self.start + start as u32, len: (end - start) as u32 }
    }

    /// The bytes of a `[]uint8`.
    pub(in crate::expr) fn as_bytes(&self) -> Option<&[u8]> {
        match &self.items.data {
            Data::Bytes(bytes) => bytes.get(self.start as usize..self.start as usize + self.len()),
            _ => None,
        }
    }

    /// Whether both are the same part of the same list.
    pub(in crate::expr) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.items, &other.items) && self.start == other.start && self.len == other.len
    }
}

/// Collects elements of a list that stays nil when there are none, as a Go variable does that is only appended to.
#[derive(Default)]
pub(in crate::expr) struct ListBuilder(Vec<Value>);

impl ListBuilder {
    pub(in crate::expr) fn push(&mut self, value: Value) {
        self.0.push(value);
    }

    pub(in crate::expr) fn finish(self, elem: Elem) -> List {
        if self.0.is_empty() { List::nil(elem) } else { List::new(elem, self.0) }
    }
}
