//! The state of code generation.

use super::super::ast::{Node, NodeId, Tree};
use super::super::check::Nature;
use super::super::code::{Code, Op, When};
use super::super::dialect::Dialect;
use super::super::types::{Shape, Type};
use super::super::value::Text;
use crate::expr::CompileBudget;

pub(super) struct Generator<'a> {
    pub(super) tree: &'a Tree,
    pub(super) natures: &'a [Nature],
    pub(super) dialect: Dialect,
    pub(super) budget: &'a mut CompileBudget,
    /// Jumps go to labels until the end.
    pub(super) ops: Vec<Op>,
    pub(super) labels: Vec<usize>,
    pub(super) variables: usize,
    /// Names in scope and where their values are.
    pub(super) names: Vec<(&'a Text, usize)>,
    /// Where the surrounding `?.` chains end.
    pub(super) chains: Vec<Label>,
    /// What remains to be done, last first.
    pub(super) tasks: Vec<Task<'a>>,
}

pub(super) type Label = usize;

#[derive(Clone, Debug)]
pub(super) enum Task<'a> {
    Visit(NodeId),
    /// An operand of `??`, which deals with nil itself.
    VisitOperand(NodeId),
    Op(Op),
    Jump(When, Label),
    Bind(Label),
    BeginName(&'a Text, usize),
    EndName,
    BeginChain(Label),
    EndChain,
}

impl<'a> Generator<'a> {
    pub(super) fn plan(&mut self, tasks: impl IntoIterator<Item = Task<'a>>) {
        let first = self.tasks.len();
        self.tasks.extend(tasks);
        self.tasks[first..].reverse();
    }

    pub(super) fn label(&mut self) -> Label {
        self.labels.push(0);
        self.labels.len() - 1
    }

    pub(super) fn slot(&mut self) -> usize {
        self.variables += 1;
        self.variables - 1
    }

    pub(super) fn finish(self) -> Code {
        let labels = self.labels;
        let resolve = |op| match op {
            Op::Jump(when, label) => Op::Jump(when, labels[label]),
            other => other,
        };
        Code { ops: self.ops.into_iter().map(resolve).collect(), variables: self.variables }
    }

    /// A node whose value is dereferenced if it may be a pointer.
    pub(super) fn operand(&self, id: NodeId) -> impl Iterator<Item = Task<'a>> + use<'a> {
        let deref = self.may_be_pointer(id).then_some(Task::Op(Op::Deref));
        std::iter::once(Task::Visit(id)).chain(deref)
    }

    pub(super) fn may_be_pointer(&self, id: NodeId) -> bool {
        let nature = &self.natures[id];
        !nature.is_nil && matches!(nature.ty.map_or(Shape::Any, Type::shape), Shape::Any | Shape::Pointer)
    }

    pub(super) fn node(&self, id: NodeId) -> &'a Node {
        &self.tree[id]
    }
}
