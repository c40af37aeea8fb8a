//! Rewrites the tree the way upstream's optimizer does.
//!
//! Speed is not the point: upstream's rewrites change what a program does, and so they are part of the language.
//! `x && true` is `x` whatever `x` is, `filter(xs, p)[0]` stops looking at the first match, two `all` over the same
//! list become one that stops earlier or later than either, and `1 % 0` is refused before anything runs.

mod fold;
mod membership;
mod predicates;
mod sums;

use super::CompileError;
use super::ast::{Node, NodeId, Tree};
use super::builtins::Builtin;
use super::check::Nature;
use super::types::Type;

/// Rewrites a checked tree. The natures keep describing the nodes.
pub(super) fn optimize(tree: &mut Tree, natures: &mut Vec<Nature>, root: NodeId) -> Result<(), CompileError> {
    let mut optimizer = Optimizer { tree, natures };
    optimizer.walk(root, Optimizer::in_array);
    // Each round leaves less to do; upstream stops after as many.
    for _ in 0..=1000 {
        if !optimizer.fold(root)? {
            break;
        }
    }
    optimizer.walk(root, Optimizer::in_range);
    optimizer.walk(root, Optimizer::filter_map);
    optimizer.walk(root, Optimizer::filter_len);
    optimizer.walk(root, |optimizer, id| optimizer.filter_end(id, -1, Builtin::Last, Builtin::FindLast));
    optimizer.walk(root, |optimizer, id| optimizer.filter_end(id, 0, Builtin::First, Builtin::Find));
    optimizer.walk(root, Optimizer::combine_predicates);
    optimizer.walk(root, Optimizer::sum_range);
    optimizer.walk(root, Optimizer::reduce_range);
    optimizer.walk(root, Optimizer::sum_array);
    optimizer.walk(root, Optimizer::sum_map);
    optimizer.walk(root, Optimizer::count_any);
    optimizer.walk(root, Optimizer::count_threshold);
    Ok(())
}

struct Optimizer<'a> {
    tree: &'a mut Tree,
    natures: &'a mut Vec<Nature>,
}

impl Optimizer<'_> {
    /// Visits every node, children first.
    fn walk(&mut self, root: NodeId, mut visit: impl FnMut(&mut Self, NodeId)) {
        for id in self.tree.post_order(root) {
            visit(self, id);
        }
    }

    /// Puts another node in the place of one, with the type of that one.
    fn replace(&mut self, id: NodeId, node: Node) {
        self.tree.replace(id, node);
        self.natures[id] = self.natures[id].ty.unwrap_or(Type::Any).into();
    }

    /// Puts a literal in the place of a node.
    fn replace_by_literal(&mut self, id: NodeId, node: Node, ty: Type) {
        self.tree.replace(id, node);
        self.natures[id] = ty.into();
    }

    /// Adds a node of which nothing is known.
    fn add(&mut self, node: Node, near: NodeId) -> NodeId {
        let at = self.tree.position(near);
        self.natures.push(Nature::unknown());
        self.tree.add_derived(node, at)
    }

    /// The arguments of a call of that builtin with that many of them.
    fn args_of(&self, id: NodeId, builtin: Builtin, count: usize) -> Option<Vec<NodeId>> {
        match &self.tree[id] {
            Node::Builtin(call) if call.builtin == builtin && call.args.len() == count => Some(call.args.clone()),
            _ => None,
        }
    }
}
