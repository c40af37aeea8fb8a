//! Calls with predicates that become fewer or shorter loops.

use std::collections::HashSet;

use super::super::ast::{BinaryOp, BuiltinCall, Node, NodeId, Pointer, Tree};
use super::super::builtins::Builtin;
use super::Optimizer;

const fn call(builtin: Builtin, args: Vec<NodeId>, throws: bool, map: Option<NodeId>) -> Node {
    Node::Builtin(BuiltinCall { builtin, args, throws, map, threshold: None })
}

impl Optimizer<'_> {
    /// `map(filter(xs, p), f)` becomes one loop, unless `f` asks for its index.
    pub(super) fn filter_map(&mut self, id: NodeId) {
        let Some(args) = self.args_of(id, Builtin::Map, 2) else { return };
        let Node::Predicate(body) = self.tree[args[1]] else { return };
        let is_index = |id: &NodeId| matches!(self.tree[*id], Node::Pointer(Pointer::Index));
        if self.tree.post_order(args[1]).iter().any(is_index) {
            return;
        }
        if let Node::Builtin(filter) = &self.tree[args[0]]
            && filter.builtin == Builtin::Filter
            && filter.map.is_none()
        {
            let args = filter.args.clone();
            self.replace(id, call(Builtin::Filter, args, false, Some(body)));
        }
    }

    /// `len(filter(xs, p))` becomes `count(xs, p)`, which forgets what the elements were mapped to.
    pub(super) fn filter_len(&mut self, id: NodeId) {
        let Some(args) = self.args_of(id, Builtin::Len, 1) else { return };
        if let Some(filter) = self.args_of(args[0], Builtin::Filter, 2) {
            self.replace(id, call(Builtin::Count, filter, false, None));
        }
    }

    /// The first or last element of a filtered list is looked for directly.
    pub(super) fn filter_end(&mut self, id: NodeId, index: i64, end: Builtin, find: Builtin) {
        let (list, throws) = match self.tree[id] {
            Node::Member { node, property, optional: false } if self.tree.int(property) == Some(index) => (node, true),
            _ => match self.args_of(id, end, 1) {
                Some(args) => (args[0], false),
                None => return,
            },
        };
        if let Node::Builtin(filter) = &self.tree[list]
            && filter.builtin == Builtin::Filter
        {
            let (args, map) = (filter.args.clone(), filter.map);
            self.replace(id, call(find, args, throws, map));
        }
    }

    /// `all(xs, p) && all(xs, q)` becomes `all(xs, p && q)`; likewise `any` and `none`.
    pub(super) fn combine_predicates(&mut self, mut id: NodeId) {
        loop {
            let Node::Binary { op, left, right } = self.tree[id] else { return };
            let (Node::Builtin(first), Node::Builtin(second)) = (&self.tree[left], &self.tree[right]) else { return };
            let combined = match (first.builtin, op) {
                (Builtin::All, BinaryOp::And) => BinaryOp::And,
                (Builtin::Any, BinaryOp::Or) | (Builtin::None, BinaryOp::And) => BinaryOp::Or,
                _ => return,
            };
            let builtin = first.builtin;
            if builtin != second.builtin || !is_same(self.tree, first.args[0], second.args[0]) {
                return;
            }
            let items = first.args[0];
            let (Node::Predicate(left), Node::Predicate(right)) =
                (&self.tree[first.args[1]], &self.tree[second.args[1]])
            else {
                return;
            };
            let both = Node::Binary { op: combined, left: *left, right: *right };
            let both = self.add(both, id);
            let predicate = self.add(Node::Predicate(both), id);
            self.replace(id, call(builtin, vec![items, predicate], false, None));
            // What was combined may combine further.
            id = both;
        }
    }

    /// `count(xs, p) > 0` becomes `any(xs, p)`.
    pub(super) fn count_any(&mut self, id: NodeId) {
        let Some((op, args, number)) = self.compared_count(id) else { return };
        if matches!((op, number), (BinaryOp::More, 0) | (BinaryOp::MoreOrEqual, 1)) {
            self.replace(id, call(Builtin::Any, args, false, None));
        }
    }

    /// A count that is compared need not be finished.
    pub(super) fn count_threshold(&mut self, id: NodeId) {
        let Some((op, _, number)) = self.compared_count(id) else { return };
        let threshold = match op {
            BinaryOp::More | BinaryOp::LessOrEqual => number.wrapping_add(1),
            BinaryOp::MoreOrEqual | BinaryOp::Less => number,
            _ => return,
        };
        if number < 0 || threshold <= 1 {
            return;
        }
        let Node::Binary { left, .. } = self.tree[id] else { return };
        if let Node::Builtin(count) = &self.tree[left] {
            let count = BuiltinCall { threshold: Some(threshold), ..count.clone() };
            self.tree.replace(left, Node::Builtin(count));
        }
    }

    fn compared_count(&self, id: NodeId) -> Option<(BinaryOp, Vec<NodeId>, i64)> {
        let Node::Binary { op, left, right } = self.tree[id] else { return None };
        let number = self.tree.int(right)?;
        Some((op, self.args_of(left, Builtin::Count, 2)?, number))
    }
}

/// Whether two nodes were written alike.
fn is_same(tree: &Tree, first: NodeId, second: NodeId) -> bool {
    let mut pending = vec![(first, second)];
    // Nodes with two parents are not compared over and over.
    let mut seen = HashSet::new();
    while let Some((first, second)) = pending.pop() {
        if first == second || !seen.insert((first, second)) {
            continue;
        }
        let is_alike = match (&tree[first], &tree[second]) {
            (Node::Bool(one), Node::Bool(other)) => one == other,
            (Node::Int(one), Node::Int(other)) => one == other,
            (Node::Float(one), Node::Float(other)) => one == other,
            // Upstream compares what it prints.
            (Node::Int(one), Node::Float(other)) | (Node::Float(other), Node::Int(one)) => *one as f64 == *other,
            (Node::Text(one), Node::Text(other)) | (Node::Identifier(one), Node::Identifier(other)) => one == other,
            (Node::Bytes(one), Node::Bytes(other)) => one == other,
            (Node::Constant(one), Node::Constant(other)) => super::super::ops::equal_constants(one, other),
            (Node::Unary { op: one, .. }, Node::Unary { op: other, .. }) => one == other,
            (Node::Binary { op: one, .. }, Node::Binary { op: other, .. }) => one == other,
            (Node::Member { optional: one, .. }, Node::Member { optional: other, .. }) => one == other,
            (Node::Slice { from, to, .. }, Node::Slice { from: other_from, to: other_to, .. }) => {
                (from.is_some(), to.is_some()) == (other_from.is_some(), other_to.is_some())
            }
            (Node::Builtin(one), Node::Builtin(other)) => one.builtin == other.builtin,
            (Node::Pointer(one), Node::Pointer(other)) => one == other,
            (Node::Let { name: one, .. }, Node::Let { name: other, .. }) => one == other,
            (one, other) => std::mem::discriminant(one) == std::mem::discriminant(other),
        };
        let children = |id: NodeId| {
            let mut children = Vec::new();
            tree[id].children(|child| children.push(child));
            children
        };
        let (one, other) = (children(first), children(second));
        if !is_alike || one.len() != other.len() {
            return false;
        }
        pending.extend(one.into_iter().zip(other));
    }
    true
}
