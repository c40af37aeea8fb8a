//! Everything that is not a loop.

use std::iter::once;

use super::super::ast::{BinaryOp, BuiltinCall, Node, NodeId, Pointer, TemplateFunc, UnaryOp};
use super::super::builtins::Builtin;
use super::super::code::{Op, When};
use super::super::dialect::Dialect;
use super::super::methods::Method;
use super::super::text::pattern;
use super::super::types::{Shape, Type};
use super::super::value::{List, Text, Value};
use super::generator::{Generator, Task};
use crate::expr::CompileError;

impl<'a> Generator<'a> {
    pub(super) fn visit(&mut self, id: NodeId, is_coalesced: bool) -> Result<(), CompileError> {
        match self.node(id) {
            Node::Nil => self.ops.push(Op::Push(Value::Nil)),
            Node::Bool(value) => self.ops.push(Op::Push(Value::Bool(*value))),
            Node::Int(value) => self.ops.push(Op::Push(Value::Int(*value))),
            Node::Float(value) => self.ops.push(Op::Push(Value::Float(*value))),
            Node::Text(text) => self.ops.push(Op::Push(Value::Text(text.clone()))),
            Node::Bytes(bytes) => self.ops.push(Op::Push(Value::List(List::bytes(bytes.clone())))),
            Node::Constant(value) => self.ops.push(Op::Push(value.clone())),
            Node::Identifier(name) => self.identifier(name),
            Node::Unary { op, node } => {
                let op = match op {
                    UnaryOp::Not => Some(Op::Not),
                    UnaryOp::Minus => Some(Op::Negate),
                    UnaryOp::Plus => None,
                };
                self.plan(self.operand(*node).chain(op.map(Task::Op)));
            }
            Node::Binary { op, left, right } => self.binary(*op, *left, *right)?,
            Node::Chain(node) => self.chain(*node, is_coalesced),
            Node::Member { node, property, optional } => self.member(*node, *property, *optional),
            Node::Slice { node, from, to } => {
                let to = to.map_or_else(|| vec![Task::Op(Op::Len)], |to| self.operand(to).collect());
                let from =
                    from.map_or_else(|| vec![Task::Op(Op::Push(Value::Int(0)))], |from| self.operand(from).collect());
                self.plan(once(Task::Visit(*node)).chain(to).chain(from).chain([Task::Op(Op::Slice)]));
            }
            Node::Call { callee, args } => self.call(*callee, args),
            Node::Builtin(call) => self.builtin(call),
            Node::Predicate(node) => self.plan([Task::Visit(*node)]),
            Node::Pointer(Pointer::Item) => self.ops.push(Op::Pointer),
            Node::Pointer(Pointer::Index) => self.ops.push(Op::GetIndex),
            Node::Pointer(Pointer::Acc) => self.ops.push(Op::GetAcc),
            Node::Pointer(Pointer::Unknown) => {
                return Err(CompileError::mismatch("unknown pointer", self.tree.position(id)));
            }
            Node::Let { name, value, body } => {
                let slot = self.slot();
                self.plan([
                    Task::Visit(*value),
                    Task::Op(Op::Store(slot)),
                    Task::BeginName(name, slot),
                    Task::Visit(*body),
                    Task::EndName,
                ]);
            }
            Node::Sequence(nodes) => {
                let last = nodes.len().saturating_sub(1);
                let visit = |(index, id): (usize, &NodeId)| {
                    once(Task::Visit(*id)).chain((index < last).then_some(Task::Op(Op::Pop)))
                };
                self.plan(nodes.iter().enumerate().flat_map(visit));
            }
            Node::Conditional { condition, then, otherwise } => {
                let (no, end) = (self.label(), self.label());
                let tasks = self.operand(*condition).chain([
                    Task::Jump(When::False, no),
                    Task::Op(Op::Pop),
                    Task::Visit(*then),
                    Task::Jump(When::Always, end),
                    Task::Bind(no),
                    Task::Op(Op::Pop),
                    Task::Visit(*otherwise),
                    Task::Bind(end),
                ]);
                self.plan(tasks);
            }
            Node::Array(nodes) => {
                let size = Value::Int(nodes.len() as i64);
                self.plan(visits(nodes).chain([Task::Op(Op::Push(size)), Task::Op(Op::Array)]));
            }
            Node::Map(pairs) => {
                let pair = |(key, value): &(NodeId, NodeId)| [Task::Visit(*key), Task::Visit(*value)];
                self.plan(pairs.iter().flat_map(pair).chain([Task::Op(Op::Map(pairs.len()))]));
            }
            Node::SumOf(nodes) => {
                // The sums of sums are of unknown type, hence dereferenced.
                let add = [Task::Op(Op::Add), Task::Op(Op::Deref)];
                let adds = add.into_iter().cycle().take(2 * nodes.len().saturating_sub(1));
                self.plan(nodes.iter().flat_map(|id| self.operand(*id)).collect::<Vec<_>>().into_iter().chain(adds));
            }
        }
        Ok(())
    }

    fn identifier(&mut self, name: &Text) {
        let slot = self.names.iter().rev().find(|(other, _)| *other == name).map(|(_, slot)| *slot);
        self.ops.push(match slot {
            Some(slot) => Op::Load(slot),
            None if name.as_bytes() == b"$env" => Op::LoadEnv,
            None => Op::LoadName(Value::Text(name.clone())),
        });
    }

    fn binary(&mut self, op: BinaryOp, left: NodeId, right: NodeId) -> Result<(), CompileError> {
        let instruction = match op {
            BinaryOp::Or | BinaryOp::And | BinaryOp::Coalesce => {
                self.short_circuit(op, left, right);
                return Ok(());
            }
            BinaryOp::Equal | BinaryOp::NotEqual => {
                let not = (op == BinaryOp::NotEqual).then_some(Task::Op(Op::Not));
                let equal = Task::Op(self.equality(left, right));
                self.plan(self.operand(left).chain(self.operand(right)).chain([equal]).chain(not));
                return Ok(());
            }
            BinaryOp::Matches => {
                if let Some(source) = self.tree.text(right).and_then(|text| text.as_str()) {
                    let pattern = pattern::compile(source, self.tree.position(right), self.budget)?;
                    self.plan(self.operand(left).chain([Task::Op(Op::MatchesPattern(pattern))]));
                    return Ok(());
                }
                Op::Matches
            }
            BinaryOp::Less => Op::Less,
            BinaryOp::More => Op::More,
            BinaryOp::LessOrEqual => Op::LessOrEqual,
            BinaryOp::MoreOrEqual => Op::MoreOrEqual,
            BinaryOp::In => Op::In,
            BinaryOp::Contains => Op::Contains,
            BinaryOp::StartsWith => Op::StartsWith,
            BinaryOp::EndsWith => Op::EndsWith,
            BinaryOp::Range => Op::Range,
            BinaryOp::Add => Op::Add,
            BinaryOp::Subtract => Op::Subtract,
            BinaryOp::Multiply => Op::Multiply,
            BinaryOp::Divide => Op::Divide,
            BinaryOp::Modulo => Op::Modulo,
            BinaryOp::Power => Op::Power,
        };
        self.plan(self.operand(left).chain(self.operand(right)).chain([Task::Op(instruction)]));
        Ok(())
    }

    fn short_circuit(&mut self, op: BinaryOp, left: NodeId, right: NodeId) {
        let end = self.label();
        let when = match op {
            BinaryOp::Or => When::True,
            BinaryOp::And => When::False,
            _ => When::NotNil,
        };
        let tasks: Vec<_> = self
            .operand(left)
            .chain([Task::Jump(when, end), Task::Op(Op::Pop)])
            .chain(self.operand(right))
            .chain([Task::Bind(end)])
            .map(|task| match task {
                Task::Visit(id) if op == BinaryOp::Coalesce => Task::VisitOperand(id),
                task => task,
            })
            .collect();
        self.plan(tasks);
    }

    /// Where both types are known, upstream insists on them.
    fn equality(&self, left: NodeId, right: NodeId) -> Op {
        match (self.natures[left].ty, self.natures[right].ty) {
            (Some(Type::Int), Some(Type::Int)) => Op::EqualInt,
            (Some(Type::Text), Some(Type::Text)) => Op::EqualText,
            _ => Op::Equal,
        }
    }

    fn chain(&mut self, node: NodeId, is_coalesced: bool) {
        let (nil, end) = (self.label(), self.label());
        let head = [Task::BeginChain(nil), Task::Visit(node), Task::Bind(nil)];
        // A list that is nil becomes just nil.
        let tail = [Task::Jump(When::NotNil, end), Task::Op(Op::Pop), Task::Op(Op::Push(Value::Nil)), Task::Bind(end)];
        let tail = tail.into_iter().filter(|_| !is_coalesced);
        self.plan(head.into_iter().chain(tail).chain([Task::EndChain]));
    }

    fn static_method(&self, node: NodeId, property: NodeId) -> Option<Method> {
        Method::of(self.natures[node].ty?, self.tree.text(property)?.as_bytes())
    }

    fn member(&mut self, node: NodeId, property: NodeId, optional: bool) {
        if let Some(method) = self.static_method(node, property) {
            self.plan([Task::Visit(node), Task::Op(Op::Method(method))]);
            return;
        }
        let nil = self.chains.last().filter(|_| optional).map(|label| Task::Jump(When::Nil, *label));
        let key = match self.natures[node].ty {
            Some(ty) if ty.shape() == Shape::Map => Some(ty.key()),
            _ => None,
        };
        let is_key = key.is_some_and(|key| self.natures[property].is_assignable_to(&key.into()));
        let property: Vec<_> = self.operand(property).take(if is_key { 1 } else { 2 }).collect();
        self.plan(once(Task::Visit(node)).chain(nil).chain(property).chain([Task::Op(Op::Fetch)]));
    }

    fn call(&mut self, callee: NodeId, args: &[NodeId]) {
        let name = self.tree.identifier(callee).and_then(Text::as_str);
        if self.dialect == Dialect::Template
            && let Some(func) = name.and_then(TemplateFunc::by_name)
        {
            self.plan(visits(args).chain([Task::Op(Op::CallTemplate(func, args.len()))]));
            return;
        }
        let method = match self.node(callee) {
            Node::Member { node, property, .. } => self.static_method(*node, *property),
            _ => None,
        };
        let call = Task::Op(Op::Call(args.len(), method.is_some_and(Method::is_typed)));
        self.plan(visits(args).chain([Task::Visit(callee), call]));
    }

    fn builtin(&mut self, call: &BuiltinCall) {
        if call.builtin.parameters().is_some() {
            self.predicate(call);
            return;
        }
        let mut tasks = Vec::with_capacity(2 * call.args.len() + 1);
        for id in &call.args {
            tasks.push(Task::Visit(*id));
            let nature = &self.natures[*id];
            let is_zone = nature.is(Type::Zone);
            // Locations stay pointers where they are expected.
            let stays = call.builtin == Builtin::Now || call.builtin == Builtin::Date && is_zone;
            if !stays && (is_zone || nature.is_unknown()) {
                tasks.push(Task::Op(Op::Deref));
            }
        }
        tasks.push(Task::Op(Op::CallBuiltin(call.builtin, call.args.len())));
        self.plan(tasks);
    }
}

fn visits<'a>(ids: &[NodeId]) -> impl Iterator<Item = Task<'a>> + use<'a, '_> {
    ids.iter().copied().map(Task::Visit)
}
