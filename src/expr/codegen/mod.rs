//! Turns the tree into instructions.

mod loops;
mod nodes;

use super::ast::{Node, NodeId, Tree};
use super::code::{Code, Op, When};
use super::limits::MAX_CODE;
use super::text::pattern::Patterns;
use super::types::{Nature, Shape, Type};
use super::value::Text;
use super::{CompileError, Dialect, ErrorClass};

/// Compiles a checked and optimized tree.
pub(super) fn generate(
    tree: &Tree,
    natures: &[Nature],
    root: NodeId,
    dialect: Dialect,
    patterns: &mut Patterns,
) -> Result<Code, CompileError> {
    let mut generator = Generator {
        tree,
        natures,
        dialect,
        patterns,
        ops: Vec::new(),
        labels: Vec::new(),
        variables: 0,
        names: Vec::new(),
        chains: Vec::new(),
        tasks: vec![Task::Visit(root)],
    };
    while let Some(task) = generator.tasks.pop() {
        generator.run(task)?;
    }
    Ok(generator.finish())
}

struct Generator<'a> {
    tree: &'a Tree,
    natures: &'a [Nature],
    dialect: Dialect,
    patterns: &'a mut Patterns,
    /// Jumps go to labels until the end.
    ops: Vec<Op>,
    labels: Vec<usize>,
    variables: usize,
    /// Names in scope and where their values are.
    names: Vec<(&'a Text, usize)>,
    /// Where the surrounding `?.` chains end.
    chains: Vec<Label>,
    /// What remains to be done, last first.
    tasks: Vec<Task<'a>>,
}

type Label = usize;

#[derive(Clone, Debug)]
enum Task<'a> {
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
    fn run(&mut self, task: Task<'a>) -> Result<(), CompileError> {
        match task {
            Task::Visit(id) => self.visit(id, false)?,
            Task::VisitOperand(id) => self.visit(id, true)?,
            Task::Op(op) => self.ops.push(op),
            Task::Jump(when, label) => self.ops.push(Op::Jump(when, label)),
            Task::Bind(label) => self.labels[label] = self.ops.len(),
            Task::BeginName(name, slot) => self.names.push((name, slot)),
            Task::EndName => drop(self.names.pop()),
            Task::BeginChain(label) => self.chains.push(label),
            Task::EndChain => drop(self.chains.pop()),
        }
        if self.ops.len() > MAX_CODE {
            return Err(CompileError::new(ErrorClass::Limit, "the expression is too large once compiled"));
        }
        Ok(())
    }

    fn plan(&mut self, tasks: impl IntoIterator<Item = Task<'a>>) {
        let first = self.tasks.len();
        self.tasks.extend(tasks);
        self.tasks[first..].reverse();
    }

    fn label(&mut self) -> Label {
        self.labels.push(0);
        self.labels.len() - 1
    }

    fn slot(&mut self) -> usize {
        self.variables += 1;
        self.variables - 1
    }

    fn finish(self) -> Code {
        let labels = self.labels;
        let resolve = |op| match op {
            Op::Jump(when, label) => Op::Jump(when, labels[label]),
            other => other,
        };
        Code { ops: self.ops.into_iter().map(resolve).collect(), variables: self.variables }
    }

    /// A node whose value is dereferenced if it may be a pointer.
    fn operand(&self, id: NodeId) -> impl Iterator<Item = Task<'a>> + use<'a> {
        let deref = self.may_be_pointer(id).then_some(Task::Op(Op::Deref));
        std::iter::once(Task::Visit(id)).chain(deref)
    }

    fn may_be_pointer(&self, id: NodeId) -> bool {
        let nature = &self.natures[id];
        !nature.is_nil && matches!(nature.ty.map_or(Shape::Any, Type::shape), Shape::Any | Shape::Pointer)
    }

    fn node(&self, id: NodeId) -> &'a Node {
        &self.tree[id]
    }
}
