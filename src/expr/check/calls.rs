//! Calls of functions, methods and builtins.

use super::super::ast::{BuiltinCall, Node, NodeId};
use super::super::builtins::{Builtin, Check};
use super::super::types::{FuncType, Shape, Type};
use super::checker::{Checker, Step};
use super::nature::{Known, Nature};
use super::rules;
use crate::expr::CompileError;

impl Checker<'_> {
    pub(super) fn callee(&mut self, id: NodeId) -> Result<(), CompileError> {
        let tree = self.tree;
        let Node::Call { callee, args } = &tree[id] else { return Ok(()) };
        let nature = &self.natures[*callee];
        if nature.is_unknown() {
            // The arguments are not looked at.
            self.natures[id] = Nature::unknown();
            return Ok(());
        }
        if nature.is_nil || nature.shape() != Shape::Func {
            return self.error(id, "this cannot be called");
        }
        self.plan(args.iter().copied().map(Step::Visit).chain([Step::Finish(id)]).collect::<Vec<_>>());
        Ok(())
    }

    pub(super) fn call(&self, id: NodeId, callee: &Nature, args: &[NodeId]) -> Result<Nature, CompileError> {
        match (callee.func, callee.ty) {
            (Some(Known::Builtin(builtin)), _) => self.function(id, builtin, args),
            (_, Some(Type::Func(ty))) => self.arguments(id, ty, callee.is_method, args),
            _ => self.error(id, "this cannot be called"),
        }
    }

    /// A builtin that takes no predicate, or the name of any.
    fn function(&self, id: NodeId, builtin: Builtin, args: &[NodeId]) -> Result<Nature, CompileError> {
        let types = match builtin.check() {
            Check::Types(types) => types,
            Check::Predicate(_, own) => std::slice::from_ref(own),
            Check::Rule => {
                let natures: Vec<Nature> = args.iter().map(|arg| self.natures[*arg].clone()).collect();
                let answer = rules::validate(builtin, &natures);
                return answer.map_or_else(|| self.error(id, "invalid arguments"), Ok);
            }
            // Only by its own name is it looked at more closely.
            Check::Get => std::slice::from_ref(rules::type_of(builtin)),
        };
        let mut last = self.error(id, "no matching overload");
        for ty in types {
            last = self.arguments(id, ty, false, args);
            if last.is_ok() {
                break;
            }
        }
        last
    }

    fn arguments(
        &self,
        id: NodeId,
        ty: &'static FuncType,
        is_method: bool,
        args: &[NodeId],
    ) -> Result<Nature, CompileError> {
        if ty.outs.is_empty() || ty.outs.len() > 2 {
            return self.error(id, "the function does not return one value");
        }
        let ins = ty.ins.get(usize::from(is_method)..).unwrap_or_default();
        let fixed = ins.len() - usize::from(ty.variadic);
        if args.len() < fixed || args.len() > fixed && !ty.variadic {
            return self.error(id, "wrong number of arguments");
        }
        for (index, arg) in args.iter().enumerate() {
            let nature = &self.natures[*arg];
            let expected = if index < fixed { ins[index] } else { ins[fixed].elem() };
            let expected = Nature::from(expected);
            if expected.is_integer() && nature.is_integer() {
                continue;
            }
            let is_ok = if nature.is_nil {
                matches!(expected.shape(), Shape::Pointer | Shape::Any)
            } else {
                nature.is_assignable_to(&expected)
                    || nature.is(Type::Zone) && nature.clone().deref().is_assignable_to(&expected)
                    || nature.is_unknown()
            };
            if !is_ok {
                return self.error(*arg, "an argument has the wrong type");
            }
        }
        Ok(ty.outs[0].into())
    }

    pub(super) fn builtin(&self, id: NodeId, call: &BuiltinCall) -> Result<Nature, CompileError> {
        match call.builtin.check() {
            Check::Predicate(..) => self.predicate(id, call),
            Check::Get => self.get(id, &call.args),
            Check::Types(_) | Check::Rule => self.function(id, call.builtin, &call.args),
        }
    }

    fn predicate(&self, id: NodeId, call: &BuiltinCall) -> Result<Nature, CompileError> {
        use Builtin as B;
        let collection = self.natures[call.args[0]].clone().deref();
        if !collection.is_list() && !collection.is_unknown() {
            return self.error(call.args[0], "the builtin takes only lists");
        }
        let Some(predicate) = call.args.get(1) else {
            return Ok(match call.builtin {
                B::Count => Type::Int.into(),
                _ if collection.is_unknown() => Nature::unknown(),
                _ => collection.elem(),
            });
        };
        let body = &self.natures[*predicate];
        if body.is_nil {
            return self.error(*predicate, "the predicate returns nothing");
        }
        let takes_test = !matches!(call.builtin, B::Map | B::Sum | B::GroupBy | B::SortBy | B::Reduce);
        if takes_test && !body.is_bool() && !body.is_unknown() {
            return self.error(*predicate, "the predicate does not return a boolean");
        }
        Ok(match call.builtin {
            B::All | B::None | B::Any | B::One => Type::Bool.into(),
            B::Filter if collection.is_unknown() => Type::Anys.into(),
            B::Filter => Nature::list_of(collection.elem()),
            B::Map => Nature::list_of(body.clone()),
            B::Count | B::FindIndex | B::FindLastIndex => Type::Int.into(),
            B::Sum => body.ty.unwrap_or(Type::Any).into(),
            B::Find | B::FindLast if collection.is_unknown() => Nature::unknown(),
            B::Find | B::FindLast => collection.elem(),
            B::GroupBy => Type::ListMap.into(),
            B::SortBy => {
                if let Some(order) = call.args.get(2) {
                    let order_nature = &self.natures[*order];
                    if !order_nature.is_text() && !order_nature.is_unknown() {
                        return self.error(*order, "the order is not a string");
                    }
                }
                collection
            }
            B::Reduce => body.clone(),
            _ => return self.error(id, "not a predicate"),
        })
    }

    fn get(&self, id: NodeId, args: &[NodeId]) -> Result<Nature, CompileError> {
        let [base_id, index_id] = args else {
            return self.error(id, "wrong number of arguments");
        };
        let base = &self.natures[*base_id];
        if self.is_env(*base_id) || base.is_unknown() {
            return Ok(Nature::unknown());
        }
        let index = self.natures[*index_id].clone().deref();
        let is_ok = match base.shape() {
            Shape::Slice => index.is_integer(),
            Shape::Map => index.is_assignable_to(&base.ty.map_or(Type::Any, Type::key).into()),
            _ => return self.error(*base_id, "this cannot be indexed"),
        };
        if is_ok || index.is_unknown() { Ok(base.elem()) } else { self.error(*index_id, "no such index") }
    }
}
