//! Sums that need no loop.

use super::super::ast::{BinaryOp, Node, NodeId, Pointer};
use super::super::builtins::Builtin;
use super::super::types::Type;
use super::Optimizer;

impl Optimizer<'_> {
    /// The integers of a range that is written out, unless it is empty.
    fn range(&self, id: NodeId) -> Option<(i64, i64)> {
        let Node::Binary { op: BinaryOp::Range, left, right } = self.tree[id] else { return None };
        let (from, to) = (self.tree.int(left)?, self.tree.int(right)?);
        (to >= from).then_some((from, to))
    }

    /// `sum(1..n)`, also with a simple predicate.
    pub(super) fn sum_range(&mut self, id: NodeId) {
        let Some(total) = self.sum_of_range(id) else { return };
        self.replace_by_literal(id, Node::Int(total), Type::Int);
    }

    fn sum_of_range(&self, id: NodeId) -> Option<i64> {
        let args = self.args_of(id, Builtin::Sum, 1).or_else(|| self.args_of(id, Builtin::Sum, 2))?;
        let (from, to) = self.range(args[0])?;
        let count = to.wrapping_sub(from).wrapping_add(1);
        let sum = series(from, to);
        let Some(predicate) = args.get(1) else { return Some(sum) };
        let Node::Predicate(body) = self.tree[*predicate] else { return None };
        if self.is_item(body) {
            return Some(sum);
        }
        let Node::Binary { op, left, right } = self.tree[body] else { return None };
        let (number, is_item_first) = match (self.tree.int(left), self.tree.int(right)) {
            (None, Some(number)) if self.is_item(left) => (number, true),
            (Some(number), None) if self.is_item(right) => (number, false),
            _ => return None,
        };
        let numbers = count.wrapping_mul(number);
        Some(match op {
            BinaryOp::Multiply => number.wrapping_mul(sum),
            BinaryOp::Add => sum.wrapping_add(numbers),
            BinaryOp::Subtract if is_item_first => sum.wrapping_sub(numbers),
            BinaryOp::Subtract => numbers.wrapping_sub(sum),
            _ => return None,
        })
    }

    /// `reduce(1..n, # + #acc)`
    pub(super) fn reduce_range(&mut self, id: NodeId) {
        let Some(total) = self.reduction_of_range(id) else { return };
        self.replace_by_literal(id, Node::Int(total), Type::Int);
    }

    fn reduction_of_range(&self, id: NodeId) -> Option<i64> {
        let args = self.args_of(id, Builtin::Reduce, 2).or_else(|| self.args_of(id, Builtin::Reduce, 3))?;
        let (from, to) = self.range(args[0])?;
        let Node::Predicate(body) = self.tree[args[1]] else { return None };
        let Node::Binary { op: BinaryOp::Add, left, right } = self.tree[body] else { return None };
        let is_acc = |id: NodeId| matches!(self.tree[id], Node::Pointer(Pointer::Acc));
        if !(self.is_item(left) && is_acc(right) || is_acc(left) && self.is_item(right)) {
            return None;
        }
        let start = args.get(2).map_or(Some(0), |start| self.tree.int(*start))?;
        Some(start.wrapping_add(series(from, to)))
    }

    fn is_item(&self, id: NodeId) -> bool {
        matches!(self.tree[id], Node::Pointer(Pointer::Item))
    }

    /// `sum([a, b, c])` becomes `a + (b + c)`, which also works for strings.
    pub(super) fn sum_array(&mut self, id: NodeId) {
        let Some(args) = self.args_of(id, Builtin::Sum, 1) else { return };
        if let Node::Array(items) = &self.tree[args[0]]
            && items.len() >= 2
        {
            let items = items.clone();
            self.replace(id, Node::SumOf(items));
        }
    }

    /// `sum(map(xs, f))` becomes `sum(xs, f)`.
    pub(super) fn sum_map(&mut self, id: NodeId) {
        let Some(args) = self.args_of(id, Builtin::Sum, 1) else { return };
        if let Some(args) = self.args_of(args[0], Builtin::Map, 2)
            && let Node::Builtin(call) = &self.tree[id]
        {
            let call = super::super::ast::BuiltinCall { args, ..call.clone() };
            self.replace(id, Node::Builtin(call));
        }
    }
}

fn series(from: i64, to: i64) -> i64 {
    let count = to.wrapping_sub(from).wrapping_add(1);
    count.wrapping_mul(from.wrapping_add(to)).wrapping_div(2)
}
