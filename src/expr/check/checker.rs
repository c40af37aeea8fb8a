//! The state of a check.

use super::super::ast::{NodeId, Tree};
use super::super::dialect::Dialect;
use super::super::value::Text;
use super::super::{CompileBudget, CompileError};
use super::nature::Nature;

pub(super) struct Checker<'a> {
    pub(super) tree: &'a Tree,
    pub(super) dialect: Dialect,
    pub(super) budget: &'a mut CompileBudget,
    pub(super) natures: Vec<Nature>,
    /// What has been visited; a node with two parents is visited once.
    pub(super) seen: Vec<bool>,
    pub(super) variables: Vec<(&'a Text, Nature)>,
    pub(super) predicates: Vec<Scope>,
    /// What remains to be done, last first. Trees are deeper than the stack.
    pub(super) steps: Vec<Step>,
}

/// The surroundings of a predicate.
pub(super) struct Scope {
    pub(super) collection: Nature,
    pub(super) has_index: bool,
    pub(super) has_acc: bool,
}

#[derive(Clone, Copy)]
pub(super) enum Step {
    Visit(NodeId),
    /// All children have been visited.
    Finish(NodeId),
    /// The callee has been visited.
    Callee(NodeId),
    /// The sliced value has been visited.
    Sliced(NodeId),
    /// The value of a variable has been visited.
    BeginVariable(NodeId),
    EndVariable,
    /// The collection has been visited.
    BeginPredicate(NodeId),
    EndPredicate,
}

impl Checker<'_> {
    pub(super) fn error<T>(&self, id: NodeId, message: &'static str) -> Result<T, CompileError> {
        Err(CompileError::mismatch(message, self.tree.position(id)))
    }

    /// Plans steps in the order in which they are to happen.
    pub(super) fn plan<I: IntoIterator<Item = Step>>(&mut self, steps: I) {
        let first = self.steps.len();
        self.steps.extend(steps);
        self.steps[first..].reverse();
    }

    pub(super) fn is_env(&self, id: NodeId) -> bool {
        self.tree.identifier(id).is_some_and(|name| name.as_bytes() == b"$env")
    }
}
