//! `in` with a right side that is written out.

use std::collections::BTreeMap;

use super::super::ast::{BinaryOp, Node, NodeId};
use super::super::types::Type;
use super::super::value::{Key, Map, MapKind, Value};
use super::Optimizer;

impl Optimizer<'_> {
    /// A list of integers or strings becomes a set, which then insists on the type of what is looked for.
    pub(super) fn in_array(&mut self, id: NodeId) {
        let Node::Binary { op: BinaryOp::In, left, right } = self.tree[id] else { return };
        let Node::Array(items) = &self.tree[right] else { return };
        if items.is_empty() {
            return;
        }
        let is_int = self.is_int(left);
        let ints = items.iter().map(|item| self.tree.int(*item).map(Key::Int)).collect::<Option<Vec<_>>>();
        let texts =
            || items.iter().map(|item| self.tree.text(*item).cloned().map(Key::Text)).collect::<Option<Vec<_>>>();
        let (kind, keys, ty) = match (ints.filter(|_| is_int), texts()) {
            (Some(keys), _) => (MapKind::IntSet, keys, Type::IntSet),
            (None, Some(keys)) => (MapKind::TextSet, keys, Type::TextSet),
            (None, None) => return,
        };
        let entries: BTreeMap<_, _> = keys.into_iter().map(|key| (key, Value::Nil)).collect();
        let right = self.add(Node::Constant(Value::Map(Map::new(kind, entries))), right);
        self.natures[right] = ty.into();
        self.replace(id, Node::Binary { op: BinaryOp::In, left, right });
    }

    /// A range becomes two comparisons.
    pub(super) fn in_range(&mut self, id: NodeId) {
        let Node::Binary { op: BinaryOp::In, left, right } = self.tree[id] else { return };
        let Node::Binary { op: BinaryOp::Range, left: from, right: to } = self.tree[right] else { return };
        if !self.is_int(left) || self.tree.int(from).is_none() || self.tree.int(to).is_none() {
            return;
        }
        let above = self.add(Node::Binary { op: BinaryOp::MoreOrEqual, left, right: from }, id);
        let below = self.add(Node::Binary { op: BinaryOp::LessOrEqual, left, right: to }, id);
        self.replace(id, Node::Binary { op: BinaryOp::And, left: above, right: below });
    }

    /// Whether the type is of the kind `int`, which months and days of the week are too.
    fn is_int(&self, id: NodeId) -> bool {
        matches!(self.natures[id].ty, Some(Type::Int | Type::Month | Type::Weekday))
    }
}
