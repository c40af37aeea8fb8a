//! Members, indexes and slices.

use super::super::ast::{Node, NodeId};
use super::super::methods::Method;
use super::super::types::{Shape, Type};
use super::checker::{Checker, Step};
use super::nature::Nature;
use crate::expr::CompileError;

impl Checker<'_> {
    pub(super) fn sliced(&mut self, id: NodeId) -> Result<(), CompileError> {
        let Node::Slice { node, from, to } = self.tree[id] else { return Ok(()) };
        let base = &self.natures[node];
        if base.is_unknown() {
            // The bounds are not looked at.
            self.natures[id] = Nature::unknown();
            return Ok(());
        }
        if !matches!(base.shape(), Shape::Text | Shape::Slice) {
            return self.error(id, "cannot slice this");
        }
        let bounds = [from, to].into_iter().flatten().map(Step::Visit);
        self.plan(bounds.chain([Step::Finish(id)]).collect::<Vec<_>>());
        Ok(())
    }

    pub(super) fn check_index(&self, id: NodeId) -> Result<(), CompileError> {
        let index = self.natures[id].clone().deref();
        if index.is_integer() || index.is_unknown() { Ok(()) } else { self.error(id, "the index is not an integer") }
    }

    pub(super) fn member(&self, id: NodeId, base: &Nature, property: NodeId) -> Result<Nature, CompileError> {
        if base.is_unknown() {
            return Ok(Nature::unknown());
        }
        if let Some(name) = self.tree.text(property) {
            if base.is_nil {
                return Err(CompileError::nil_member(self.tree.position(id)));
            }
            if let Some(method) = base.ty.and_then(|ty| Method::of(ty, name.as_bytes())) {
                return Ok(Nature { is_method: true, ..Type::Func(method.func_type()).into() });
            }
        }
        let base = base.clone().deref();
        match base.shape() {
            Shape::Map => {
                let key: Nature = base.ty.map_or(Type::Any, Type::key).into();
                let index = &self.natures[property];
                if index.is_assignable_to(&key) || index.is_unknown() {
                    Ok(base.elem())
                } else {
                    self.error(property, "a key of that type is impossible")
                }
            }
            Shape::Slice => {
                self.check_index(property)?;
                Ok(base.elem())
            }
            _ => self.error(id, "no such field or method"),
        }
    }
}
