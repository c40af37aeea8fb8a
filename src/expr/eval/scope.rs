//! A loop in progress, and what it collects.

use std::collections::BTreeMap;

use super::super::error::type_error;
use super::super::ops;
use super::super::value::{Key, Value};
use crate::expr::{ErrorClass, RunError};

/// A loop in progress.
pub(super) struct Scope {
    pub(super) items: Value,
    pub(super) len: usize,
    pub(super) index: i64,
    pub(super) count: i64,
    pub(super) acc: Value,
    pub(super) groups: BTreeMap<Key, Vec<Value>>,
    /// What is sorted and by what.
    pub(super) sorted: Vec<(Value, Value)>,
    pub(super) is_descending: bool,
}

impl Scope {
    /// A loop over anything that has a length; whether it has elements shows when one is asked for.
    pub(super) fn new(items: Value) -> Result<Self, RunError> {
        let len = ops::length(&items)?;
        Ok(Self {
            items,
            len,
            index: 0,
            count: 0,
            acc: Value::Nil,
            groups: BTreeMap::new(),
            sorted: Vec::new(),
            is_descending: false,
        })
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.index >= self.len as i64
    }

    pub(super) fn item(&self) -> Result<Value, RunError> {
        let index = usize::try_from(self.index).unwrap_or(usize::MAX);
        let item = match &self.items {
            Value::List(list) => list.get(index),
            Value::Text(text) => text.as_bytes().get(index).copied().map(Value::Uint8),
            _ => return type_error("a map has no elements"),
        };
        item.ok_or_else(|| RunError::new(ErrorClass::Index, "index out of range"))
    }
}
