//! The stack machine that runs programs.
//!
//! One loop, no recursion: every instruction is paid for before it is carried out, and whatever grows is paid for
//! before it grows.

mod calls;
mod loops;
mod machine;
mod scope;

use super::code::{Code, Op, When};
use super::error::type_error;
use super::limits::Budget;
use super::ops::{self, Order, to_int};
use super::value::{Key, List, Map, MapKind, Value};
use super::{Env, ErrorClass, RunError};
use machine::Machine;

/// Runs a program to its value.
pub(super) fn run(code: &Code, env: &Env, budget: &mut Budget) -> Result<Value, RunError> {
    let mut machine = Machine::new(env, *budget, code.variables);
    let outcome = machine.run(code);
    *budget = machine.meter.left();
    outcome
}

impl Machine<'_> {
    fn run(&mut self, code: &Code) -> Result<Value, RunError> {
        self.meter.elements(code.variables)?;
        let mut at = 0;
        while let Some(op) = code.ops.get(at) {
            self.meter.work(1)?;
            at += 1;
            if let Op::Jump(when, target) = op {
                if self.jumps(*when)? {
                    at = *target;
                }
            } else {
                self.step(op)?;
            }
        }
        Ok(self.stack.pop().unwrap_or_default())
    }

    fn jumps(&mut self, when: When) -> Result<bool, RunError> {
        Ok(match when {
            When::Always => true,
            When::True => self.top_bool()?,
            When::False => !self.top_bool()?,
            When::Nil => self.top()?.is_nil(),
            When::NotNil => !self.top()?.is_nil(),
            When::End => self.scope()?.is_at_end(),
        })
    }

    fn step(&mut self, op: &Op) -> Result<(), RunError> {
        match op {
            Op::Push(value) => self.stack.push(value.clone()),
            Op::Pop => {
                self.pop()?;
            }
            Op::Store(slot) => self.variables[*slot] = self.pop()?,
            Op::Load(slot) => self.stack.push(self.variables[*slot].clone()),
            Op::LoadName(name) => {
                let value = ops::fetch(&self.env.root, name, &mut self.meter)?;
                self.stack.push(value);
            }
            Op::LoadEnv => self.stack.push(self.env.root.clone()),
            Op::Fetch => {
                let (from, key) = self.pop_two()?;
                self.stack.push(ops::fetch(&from, &key, &mut self.meter)?);
            }
            Op::Method(method) => {
                let receiver = self.pop()?;
                self.stack.push(ops::method(receiver, *method));
            }
            Op::Not => {
                let value = self.top_bool()?;
                self.pop()?;
                self.push(!value);
            }
            Op::Jump(..) => {}
            Op::Negate => {
                let value = self.pop()?;
                self.stack.push(ops::negate(&value)?);
            }
            Op::Equal | Op::EqualInt | Op::EqualText => self.equal(op)?,
            Op::Less => self.compare(Order::Less)?,
            Op::More => self.compare(Order::More)?,
            Op::LessOrEqual => self.compare(Order::LessOrEqual)?,
            Op::MoreOrEqual => self.compare(Order::MoreOrEqual)?,
            Op::Add | Op::Subtract | Op::Multiply | Op::Divide | Op::Modulo | Op::Power => {
                let (left, right) = self.pop_two()?;
                let value = ops::operate(op, &left, &right, &mut self.meter)?;
                self.stack.push(value);
            }
            Op::Range => {
                let (first, last) = self.pop_two()?;
                self.range(to_int(&first)?, to_int(&last)?)?;
            }
            Op::In => {
                let (needle, collection) = self.pop_two()?;
                let found = ops::contains(&needle, &collection, &mut self.meter)?;
                self.push(found);
            }
            Op::Matches | Op::MatchesPattern(_) | Op::Contains | Op::StartsWith | Op::EndsWith => {
                self.text_operator(op)?;
            }
            Op::Slice => {
                let from = self.pop()?;
                let (list, to) = self.pop_two()?;
                let value = ops::slice(&list, &from, &to, &mut self.meter)?;
                self.stack.push(value);
            }
            Op::Len => {
                let length = ops::length(self.top()?)?;
                self.push(length as i64);
            }
            Op::Array => self.array()?,
            Op::Map(size) => self.map(*size)?,
            Op::Deref => {
                if let Some(Value::Zone(zone)) = self.stack.last() {
                    let zone = zone.clone();
                    self.pop()?;
                    self.push(Value::ZoneValue(zone));
                }
            }
            Op::Throw(message) => return Err(RunError::new(ErrorClass::Index, message)),
            Op::Call(count, is_typed) => self.call(*count, *is_typed)?,
            Op::CallBuiltin(builtin, count) => self.call_builtin(*builtin, *count)?,
            Op::CallTemplate(func, count) => {
                let args = self.take(*count)?;
                let value = super::builtins::call_template_func(*func, &args, &mut self.context())?;
                self.stack.push(value);
            }
            _ => self.loop_step(op)?,
        }
        Ok(())
    }

    fn equal(&mut self, op: &Op) -> Result<(), RunError> {
        let (left, right) = self.pop_two()?;
        let is_expected = match op {
            Op::EqualInt => matches!((&left, &right), (Value::Int(_), Value::Int(_))),
            Op::EqualText => matches!((&left, &right), (Value::Text(_), Value::Text(_))),
            _ => true,
        };
        if !is_expected {
            return type_error("the operands are not what they were taken for");
        }
        let is_equal = ops::equal(&left, &right, &mut self.meter)?;
        self.push(is_equal);
        Ok(())
    }

    fn compare(&mut self, order: Order) -> Result<(), RunError> {
        let (left, right) = self.pop_two()?;
        let holds = ops::compare(&left, &right, order, &mut self.meter)?;
        self.push(holds);
        Ok(())
    }

    fn range(&mut self, first: i64, last: i64) -> Result<(), RunError> {
        let size = last.wrapping_sub(first).wrapping_add(1).max(0);
        self.meter.upstream_elements(size.unsigned_abs())?;
        let list = List::range(first, u32::try_from(size).unwrap_or(u32::MAX));
        self.push(Value::List(list));
        Ok(())
    }

    fn array(&mut self) -> Result<(), RunError> {
        let Value::Int(size) = self.pop()? else { return type_error("a size is needed") };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        self.meter.upstream_elements(size as u64)?;
        self.meter.elements(size)?;
        let items = self.take(size)?;
        self.push(Value::list(items));
        Ok(())
    }

    fn map(&mut self, size: usize) -> Result<(), RunError> {
        self.meter.upstream_elements(size as u64)?;
        self.meter.elements(3 * size)?;
        let flat = self.take(2 * size)?;
        let mut entries = std::collections::BTreeMap::new();
        // The first of equal keys wins, as upstream fills the map from the back.
        for pair in flat.chunks_exact(2).rev() {
            let Value::Text(key) = &pair[0] else { return type_error("a key is not a string") };
            self.meter.scan(key.len())?;
            entries.insert(Key::Text(key.clone()), pair[1].clone());
        }
        self.push(Value::Map(Map::new(MapKind::TextAny, entries)));
        Ok(())
    }
}
