//! Checks a program before it runs.
//!
//! Everything that upstream's checker refuses is refused, and everything it overlooks is overlooked: it does not look
//! at the arguments of a call of something unknown, and not at the bounds of a slice of it. Whether a program is
//! refused is visible, as `false && ('a' + 1)` is an error although it would never be computed.

mod access;
mod calls;
mod checker;
mod nature;
mod operators;
mod rules;

use super::ast::{BinaryOp, Node, NodeId, Pointer, TemplateFunc, Tree};
use super::builtins::{Builtin, Check, Parameter};
use super::dialect::Dialect;
use super::types::Type;
use super::value::Text;
use super::{CompileBudget, CompileError};
use checker::{Checker, Scope, Step};
use nature::Known;
pub(super) use nature::Nature;

/// Finds out what is known about every node, by position. Nodes that upstream does not look at are unknown.
pub(super) fn check(
    tree: &Tree,
    root: NodeId,
    dialect: Dialect,
    budget: &mut CompileBudget,
) -> Result<Vec<Nature>, CompileError> {
    let mut checker = Checker {
        tree,
        dialect,
        budget,
        natures: vec![Nature::unknown(); tree.len()],
        seen: vec![false; tree.len()],
        variables: Vec::new(),
        predicates: Vec::new(),
        steps: vec![Step::Visit(root)],
    };
    while let Some(step) = checker.steps.pop() {
        checker.step(step)?;
    }
    Ok(checker.natures)
}

/// Names that cannot be variables are either of these.
fn known(name: &Text, dialect: Dialect) -> Option<Known> {
    let name = name.as_str()?;
    if dialect == Dialect::Template
        && let Some(func) = TemplateFunc::by_name(name)
    {
        return Some(Known::Template(func));
    }
    Builtin::by_name(name).map(Known::Builtin)
}

impl<'a> Checker<'a> {
    fn step(&mut self, step: Step) -> Result<(), CompileError> {
        match step {
            Step::Visit(id) => self.visit(id)?,
            Step::Finish(id) => self.natures[id] = self.finish(id)?,
            Step::Callee(id) => self.callee(id)?,
            Step::Sliced(id) => self.sliced(id)?,
            Step::BeginVariable(id) => self.begin_variable(id),
            Step::EndVariable => {
                self.variables.pop();
            }
            Step::BeginPredicate(id) => self.begin_predicate(id)?,
            Step::EndPredicate => {
                self.predicates.pop();
            }
        }
        Ok(())
    }

    fn visit(&mut self, id: NodeId) -> Result<(), CompileError> {
        if std::mem::replace(&mut self.seen[id], true) {
            return Ok(());
        }
        let tree = self.tree;
        match &tree[id] {
            Node::Let { name, value, body } => {
                let is_variable = self.variables.iter().any(|(other, _)| *other == name);
                if is_variable || known(name, self.dialect).is_some() {
                    return self.error(id, "cannot redeclare");
                }
                let (value, body) = (*value, *body);
                self.plan([
                    Step::Visit(value),
                    Step::BeginVariable(id),
                    Step::Visit(body),
                    Step::EndVariable,
                    Step::Finish(id),
                ]);
            }
            Node::Member { node, .. } if self.is_env(*node) => self.natures[id] = Nature::unknown(),
            Node::Slice { node, .. } => self.plan([Step::Visit(*node), Step::Sliced(id)]),
            Node::Call { callee, .. } => {
                if self.is_env(*callee) {
                    return self.error(id, "the environment is not callable");
                }
                self.plan([Step::Visit(*callee), Step::Callee(id)]);
            }
            Node::Builtin(call) => match call.builtin.check() {
                Check::Predicate(parameters, _) => self.plan_predicate(id, parameters),
                Check::Types(_) | Check::Rule | Check::Get => self.plan_children(id),
            },
            _ => self.plan_children(id),
        }
        Ok(())
    }

    fn plan_children(&mut self, id: NodeId) {
        let first = self.steps.len();
        let tree = self.tree;
        tree[id].children(|child| self.steps.push(Step::Visit(child)));
        self.steps.push(Step::Finish(id));
        self.steps[first..].reverse();
    }

    fn plan_predicate(&mut self, id: NodeId, parameters: &[Parameter]) {
        let Node::Builtin(call) = &self.tree[id] else { return };
        let mut steps = Vec::with_capacity(2 * call.args.len() + 2);
        for (arg, parameter) in call.args.iter().zip(parameters) {
            if parameter.is_predicate() {
                steps.extend([Step::BeginPredicate(id), Step::Visit(*arg), Step::EndPredicate]);
            } else {
                steps.push(Step::Visit(*arg));
            }
        }
        steps.push(Step::Finish(id));
        self.plan(steps);
    }

    fn begin_variable(&mut self, id: NodeId) {
        let tree = self.tree;
        if let Node::Let { name, value, .. } = &tree[id] {
            self.variables.push((name, self.natures[*value].clone()));
        }
    }

    fn begin_predicate(&mut self, id: NodeId) -> Result<(), CompileError> {
        let Node::Builtin(call) = &self.tree[id] else { return Ok(()) };
        let collection = self.natures[call.args[0]].clone().deref();
        if !collection.is_list() && !collection.is_unknown() {
            return self.error(call.args[0], "the builtin takes only lists");
        }
        let has_acc = call.builtin == Builtin::Reduce;
        self.predicates.push(Scope { collection, has_index: has_acc || call.builtin == Builtin::Map, has_acc });
        Ok(())
    }

    /// What is known about a node whose children are known.
    fn finish(&mut self, id: NodeId) -> Result<Nature, CompileError> {
        if let Node::Binary { op: BinaryOp::Matches, right, .. } = &self.tree[id] {
            self.check_pattern(*right)?;
        }
        let nature = |id: &NodeId| self.natures[*id].clone();
        Ok(match &self.tree[id] {
            Node::Nil => Nature::nil(),
            Node::Bool(_) => Type::Bool.into(),
            Node::Int(_) => Type::Int.into(),
            Node::Float(_) => Type::Float.into(),
            Node::Text(_) => Type::Text.into(),
            Node::Bytes(_) => Type::Bytes.into(),
            Node::Identifier(name) => self.identifier(name),
            Node::Unary { op, node } => self.unary(id, *op, nature(node).deref())?,
            Node::Binary { op, left, right } => self.binary(id, *op, nature(left).deref(), nature(right).deref())?,
            Node::Chain(node) | Node::Predicate(node) | Node::Let { body: node, .. } => nature(node),
            Node::Member { node, property, .. } => self.member(id, &nature(node), *property)?,
            Node::Slice { node, from, to } => {
                for bound in [from, to].into_iter().flatten() {
                    self.check_index(*bound)?;
                }
                nature(node)
            }
            Node::Call { callee, args } => self.call(id, &nature(callee), args)?,
            Node::Builtin(call) => self.builtin(id, call)?,
            Node::Pointer(pointer) => self.pointer(id, *pointer)?,
            Node::Sequence(nodes) => nodes.last().map(nature).unwrap_or_default(),
            Node::Conditional { condition, then, otherwise } => {
                let condition_nature = nature(condition).deref();
                if !condition_nature.is_bool() && !condition_nature.is_unknown() {
                    return self.error(*condition, "the condition is not a boolean");
                }
                operators::either(nature(then), nature(otherwise))
            }
            Node::Array(nodes) => {
                let is_uniform = nodes.windows(2).all(|pair| {
                    let kind = |id: NodeId| operators::kind(&self.natures[id]);
                    kind(pair[0]) == kind(pair[1])
                });
                if is_uniform {
                    Nature::list_of(nodes.last().map(nature).unwrap_or_default())
                } else {
                    Type::Anys.into()
                }
            }
            Node::Map(_) => Type::TextMap.into(),
            Node::Constant(_) | Node::SumOf(_) => Nature::unknown(),
        })
    }

    fn identifier(&self, name: &Text) -> Nature {
        if let Some((_, nature)) = self.variables.iter().rev().find(|(other, _)| *other == name) {
            return nature.clone();
        }
        match known(name, self.dialect) {
            Some(func) => {
                let ty = match func {
                    Known::Builtin(builtin) => rules::type_of(builtin),
                    Known::Template(_) => &rules::TEMPLATE_FUNC,
                };
                Nature { func: Some(func), ..Type::Func(ty).into() }
            }
            None => Nature::unknown(),
        }
    }

    fn pointer(&self, id: NodeId, pointer: Pointer) -> Result<Nature, CompileError> {
        let Some(scope) = self.predicates.last() else {
            return self.error(id, "cannot use a pointer outside of a predicate");
        };
        match pointer {
            Pointer::Item if scope.collection.is_unknown() => Ok(Nature::unknown()),
            Pointer::Item => Ok(scope.collection.elem()),
            Pointer::Index if scope.has_index => Ok(Type::Int.into()),
            Pointer::Acc if scope.has_acc => Ok(Nature::unknown()),
            Pointer::Index | Pointer::Acc | Pointer::Unknown => self.error(id, "unknown pointer"),
        }
    }
}
