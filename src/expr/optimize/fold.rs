//! Computes what consists of literals.

use super::super::ast::{BinaryOp, BuiltinCall, Node, NodeId, UnaryOp};
use super::super::builtins::Builtin;
use super::super::ops::pow;
use super::super::types::Type;
use super::super::value::{Text, Value};
use super::{CompileError, Optimizer};

/// The outcome of looking at one node.
enum Folded {
    No,
    Literal(Node, Type),
    /// Another node in its place.
    Same(NodeId),
}

impl Optimizer<'_> {
    /// Folds once; whether anything was folded.
    pub(super) fn fold(&mut self, root: NodeId) -> Result<bool, CompileError> {
        let mut is_folded = false;
        for id in self.tree.post_order(root) {
            let folded = match &self.tree[id] {
                Node::Unary { op, node } => self.fold_unary(*op, *node),
                Node::Binary { op, left, right } => self.fold_binary(id, *op, *left, *right)?,
                Node::Array(items) => self.fold_array(items),
                Node::Builtin(call) if call.builtin == Builtin::Filter => {
                    is_folded |= self.merge_filters(id);
                    Folded::No
                }
                _ => Folded::No,
            };
            is_folded |= !matches!(folded, Folded::No);
            match folded {
                Folded::No => {}
                Folded::Literal(node, ty) => self.replace_by_literal(id, node, ty),
                Folded::Same(other) => {
                    let node = self.tree[other].clone();
                    self.replace(id, node);
                }
            }
        }
        Ok(is_folded)
    }

    fn fold_unary(&self, op: UnaryOp, node: NodeId) -> Folded {
        match (op, &self.tree[node]) {
            (UnaryOp::Minus, Node::Int(value)) => int(value.wrapping_neg()),
            (UnaryOp::Minus, Node::Float(value)) => float(-value),
            (UnaryOp::Plus, Node::Int(value)) => int(*value),
            (UnaryOp::Plus, Node::Float(value)) => float(*value),
            (UnaryOp::Not, Node::Bool(value)) => bool(!value),
            _ => Folded::No,
        }
    }

    fn fold_binary(&self, id: NodeId, op: BinaryOp, left: NodeId, right: NodeId) -> Result<Folded, CompileError> {
        let (left_node, right_node) = (&self.tree[left], &self.tree[right]);
        Ok(match (op, left_node, right_node) {
            (BinaryOp::And, Node::Bool(true), _) | (BinaryOp::Or, Node::Bool(false), _) => Folded::Same(right),
            (BinaryOp::And, _, Node::Bool(true)) | (BinaryOp::Or, _, Node::Bool(false)) => Folded::Same(left),
            (BinaryOp::And, Node::Bool(false), _) | (BinaryOp::And, _, Node::Bool(false)) => bool(false),
            (BinaryOp::Or, Node::Bool(true), _) | (BinaryOp::Or, _, Node::Bool(true)) => bool(true),
            (BinaryOp::Modulo, Node::Int(_), Node::Int(0)) => {
                return Err(CompileError::invalid("integer divide by zero", self.tree.position(id)));
            }
            (_, Node::Int(left), Node::Int(right)) => fold_ints(op, *left, *right),
            (_, Node::Int(left), Node::Float(right)) => fold_floats(op, *left as f64, *right),
            (_, Node::Float(left), Node::Int(right)) => fold_floats(op, *left, *right as f64),
            (_, Node::Float(left), Node::Float(right)) => fold_floats(op, *left, *right),
            (BinaryOp::Add, Node::Text(left), Node::Text(right)) => {
                let joined = [left.as_bytes(), right.as_bytes()].concat();
                Folded::Literal(Node::Text(Text::from(joined)), Type::Text)
            }
            (BinaryOp::Equal, Node::Text(left), Node::Text(right)) => bool(left == right),
            (BinaryOp::Equal, Node::Bool(left), Node::Bool(right)) => bool(left == right),
            _ => Folded::No,
        })
    }

    fn fold_array(&self, items: &[NodeId]) -> Folded {
        let value = |id: &NodeId| match &self.tree[*id] {
            Node::Int(value) => Some(Value::Int(*value)),
            Node::Float(value) => Some(Value::Float(*value)),
            Node::Text(text) => Some(Value::Text(text.clone())),
            Node::Bool(value) => Some(Value::Bool(*value)),
            _ => None,
        };
        match items.iter().map(value).collect::<Option<Vec<_>>>() {
            Some(values) if !values.is_empty() => Folded::Literal(Node::Constant(Value::list(values)), Type::Anys),
            _ => Folded::No,
        }
    }

    /// `filter(filter(xs, p), q)` becomes `filter(xs, p && q)`.
    fn merge_filters(&mut self, id: NodeId) -> bool {
        let Some([inner, second]) = self.pair(id) else { return false };
        let Some([items, first]) = self.pair(inner) else { return false };
        let (Node::Predicate(left), Node::Predicate(right)) = (&self.tree[first], &self.tree[second]) else {
            return false;
        };
        let both = Node::Binary { op: BinaryOp::And, left: *left, right: *right };
        let both = self.add(both, second);
        let predicate = self.add(Node::Predicate(both), second);
        let args = vec![items, predicate];
        let call = BuiltinCall { builtin: Builtin::Filter, args, throws: false, map: None, threshold: None };
        self.replace(id, Node::Builtin(call));
        true
    }

    fn pair(&self, id: NodeId) -> Option<[NodeId; 2]> {
        self.args_of(id, Builtin::Filter, 2)?.try_into().ok()
    }
}

fn int(value: i64) -> Folded {
    Folded::Literal(Node::Int(value), Type::Int)
}

fn float(value: f64) -> Folded {
    Folded::Literal(Node::Float(value), Type::Float)
}

fn bool(value: bool) -> Folded {
    Folded::Literal(Node::Bool(value), Type::Bool)
}

fn fold_ints(op: BinaryOp, left: i64, right: i64) -> Folded {
    match op {
        BinaryOp::Add => int(left.wrapping_add(right)),
        BinaryOp::Subtract => int(left.wrapping_sub(right)),
        BinaryOp::Multiply => int(left.wrapping_mul(right)),
        BinaryOp::Modulo => int(left.wrapping_rem(right)),
        BinaryOp::Equal => bool(left == right),
        _ => fold_floats(op, left as f64, right as f64),
    }
}

fn fold_floats(op: BinaryOp, left: f64, right: f64) -> Folded {
    match op {
        BinaryOp::Add => float(left + right),
        BinaryOp::Subtract => float(left - right),
        BinaryOp::Multiply => float(left * right),
        BinaryOp::Divide => float(left / right),
        BinaryOp::Power => float(pow(left, right)),
        _ => Folded::No,
    }
}
