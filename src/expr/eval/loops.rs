//! Instructions of loops.

use super::super::builtins::{append_group, sort_by};
use super::super::code::Op;
use super::super::error::type_error;
use super::super::value::{Elem, List, Map, MapKind, Value};
use super::machine::Machine;
use super::scope::Scope;
use crate::expr::{ErrorClass, RunError};

impl Machine<'_> {
    /// An instruction of a loop.
    pub(super) fn loop_step(&mut self, op: &Op) -> Result<(), RunError> {
        match op {
            Op::Begin => {
                let items = self.pop()?;
                self.scopes.push(Scope::new(items)?);
                return Ok(());
            }
            Op::CreateSort => {
                let order = self.pop()?;
                let is_descending = match order.as_str() {
                    Some("asc") => false,
                    Some("desc") => true,
                    _ => return Err(RunError::new(ErrorClass::Value, "unknown order, use asc or desc")),
                };
                self.scope()?.is_descending = is_descending;
                return Ok(());
            }
            Op::SetAcc => {
                let value = self.pop()?;
                self.scope()?.acc = value;
                return Ok(());
            }
            Op::SetIndex => {
                let Value::Int(index) = self.pop()? else { return type_error("an index is needed") };
                self.scope()?.index = index;
                return Ok(());
            }
            Op::Group => return self.group(),
            Op::SortKey => {
                let key = self.pop()?;
                self.meter.elements(2)?;
                let scope = self.scope()?;
                let item = scope.item()?;
                scope.sorted.push((key, item));
                return Ok(());
            }
            Op::Sort => return self.sort(),
            _ => {}
        }
        let scope = self.scope()?;
        let value = match op {
            Op::End => {
                self.scopes.pop();
                return Ok(());
            }
            Op::IncrementIndex => {
                scope.index += 1;
                return Ok(());
            }
            Op::DecrementIndex => {
                scope.index -= 1;
                return Ok(());
            }
            Op::IncrementCount => {
                scope.count += 1;
                return Ok(());
            }
            Op::CreateGroups => {
                scope.groups.clear();
                return Ok(());
            }
            Op::GetIndex => Value::Int(scope.index),
            Op::GetCount => Value::Int(scope.count),
            Op::GetLen => Value::Int(scope.len as i64),
            Op::GetAcc => scope.acc.clone(),
            Op::Pointer => scope.item()?,
            Op::GetGroups => {
                let groups = std::mem::take(&mut scope.groups).into_iter();
                let lists = groups.map(|(key, items)| (key, Value::List(List::new(Elem::Any, items)))).collect();
                Value::Map(Map::new(MapKind::AnyList, lists))
            }
            _ => return type_error("unknown instruction"),
        };
        self.stack.push(value);
        Ok(())
    }

    fn group(&mut self) -> Result<(), RunError> {
        let key = self.pop()?;
        let mut groups = std::mem::take(&mut self.scope()?.groups);
        let item = self.scope()?.item()?;
        append_group(&mut groups, &key, item, &mut self.meter)?;
        self.scope()?.groups = groups;
        Ok(())
    }

    fn sort(&mut self) -> Result<(), RunError> {
        let scope = self.scope()?;
        let pairs = std::mem::take(&mut scope.sorted);
        let is_descending = scope.is_descending;
        let sorted = sort_by(pairs, is_descending, &mut self.meter)?;
        self.meter.upstream_elements(sorted.len() as u64)?;
        self.push(Value::list(sorted));
        Ok(())
    }
}
