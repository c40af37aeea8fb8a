//! Turns the tree into instructions.

mod generator;
mod loops;
mod nodes;

use super::ast::{NodeId, Tree};
use super::check::Nature;
use super::code::{Code, Op};
use super::dialect::Dialect;
use super::limits::MAX_CODE;
use super::{CompileBudget, CompileError, ErrorClass};
use generator::{Generator, Task};

/// Compiles a checked and optimized tree.
pub(super) fn generate(
    tree: &Tree,
    natures: &[Nature],
    root: NodeId,
    dialect: Dialect,
    budget: &mut CompileBudget,
) -> Result<Code, CompileError> {
    let mut generator = Generator {
        tree,
        natures,
        dialect,
        budget,
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

impl<'a> Generator<'a> {
    fn run(&mut self, task: Task<'a>) -> Result<(), CompileError> {
        match task {
            Task::Visit(id) => self.visit(id, false)?,
            Task::VisitOperand(id) => self.visit(id, true)?,
            Task::Op(op) => self.ops.push(op),
            Task::Jump(when, label) => self.ops.push(Op::Jump(when, label)),
            Task::Bind(label) => self.labels[label] = self.ops.len(),
            Task::BeginName(name, slot) => self.names.push((name, slot)),
            Task::EndName => {
                self.names.pop();
            }
            Task::BeginChain(label) => self.chains.push(label),
            Task::EndChain => {
                self.chains.pop();
            }
        }
        if self.ops.len() > MAX_CODE {
            return Err(CompileError::new(ErrorClass::Limit, "the expression is too large once compiled"));
        }
        Ok(())
    }
}
