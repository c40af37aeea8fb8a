//! The stack machine that runs programs.
//!
//! One loop, no recursion: every instruction is paid for before it is carried out, and whatever grows is paid for
//! before it grows.

mod access;
mod arithmetic;
mod calls;
mod compare;
mod power;
mod scope;

use super::builtins::Context;
use super::code::{Code, Op, When};
use super::limits::{Budget, Meter};
use super::value::{Key, List, Map, MapKind, Value};
use super::{Env, ErrorClass, RunError};

pub(super) use access::{fetch, key_of};
pub(super) use arithmetic::{float_to_int, to_int};
pub(super) use compare::{Order, compare, equal, equal_constants};
pub(super) use power::pow;
use scope::Scope;

/// Runs a program to its value.
pub(super) fn run(code: &Code, env: &Env, budget: &mut Budget) -> Result<Value, RunError> {
    let mut machine = Machine {
        env,
        meter: Meter::new(*budget),
        stack: Vec::new(),
        scopes: Vec::new(),
        variables: vec![Value::Nil; code.variables],
        patterns: calls::Patterns::default(),
    };
    let outcome = machine.run(code);
    *budget = machine.meter.left();
    outcome
}

struct Machine<'a> {
    env: &'a Env,
    meter: Meter,
    stack: Vec<Value>,
    scopes: Vec<Scope>,
    variables: Vec<Value>,
    patterns: calls::Patterns,
}

fn type_error<T>(message: &'static str) -> Result<T, RunError> {
    Err(RunError::new(ErrorClass::Type, message))
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

    fn push(&mut self, value: impl Into<Value>) {
        self.stack.push(value.into());
    }

    fn pop(&mut self) -> Result<Value, RunError> {
        self.stack.pop().ok_or_else(|| RunError::new(ErrorClass::Type, "stack underflow"))
    }

    /// The two operands of an operator.
    fn pop_two(&mut self) -> Result<(Value, Value), RunError> {
        let right = self.pop()?;
        Ok((self.pop()?, right))
    }

    fn top(&self) -> Result<&Value, RunError> {
        self.stack.last().ok_or_else(|| RunError::new(ErrorClass::Type, "stack underflow"))
    }

    fn top_bool(&self) -> Result<bool, RunError> {
        self.top()?.as_bool().ok_or_else(|| RunError::new(ErrorClass::Type, "a boolean is needed"))
    }

    fn scope(&mut self) -> Result<&mut Scope, RunError> {
        self.scopes.last_mut().ok_or_else(|| RunError::new(ErrorClass::Type, "a pointer outside of a predicate"))
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
            Op::Pop => drop(self.pop()?),
            Op::Store(slot) => self.variables[*slot] = self.pop()?,
            Op::Load(slot) => self.stack.push(self.variables[*slot].clone()),
            Op::LoadName(name) => {
                let value = access::fetch(&self.env.root, name, &mut self.meter)?;
                self.stack.push(value);
            }
            Op::LoadEnv => self.stack.push(self.env.root.clone()),
            Op::Fetch => {
                let (from, key) = self.pop_two()?;
                self.stack.push(access::fetch(&from, &key, &mut self.meter)?);
            }
            Op::Method(method) => {
                let receiver = self.pop()?;
                self.stack.push(access::method(receiver, *method));
            }
            Op::Not => {
                let value = self.top_bool()?;
                self.pop()?;
                self.push(!value);
            }
            Op::Jump(..) => {}
            Op::Negate => {
                let value = self.pop()?;
                self.stack.push(arithmetic::negate(&value)?);
            }
            Op::Equal | Op::EqualInt | Op::EqualText => self.equal(op)?,
            Op::Less => self.compare(Order::Less)?,
            Op::More => self.compare(Order::More)?,
            Op::LessOrEqual => self.compare(Order::LessOrEqual)?,
            Op::MoreOrEqual => self.compare(Order::MoreOrEqual)?,
            Op::Add | Op::Subtract | Op::Multiply | Op::Divide | Op::Modulo | Op::Power => {
                let (left, right) = self.pop_two()?;
                let value = arithmetic::operate(op, &left, &right, &mut self.meter)?;
                self.stack.push(value);
            }
            Op::Range => {
                let (first, last) = self.pop_two()?;
                self.range(to_int(&first)?, to_int(&last)?)?;
            }
            Op::In => {
                let (needle, collection) = self.pop_two()?;
                let found = access::contains(&needle, &collection, &mut self.meter)?;
                self.push(found);
            }
            Op::Matches | Op::MatchesPattern(_) | Op::Contains | Op::StartsWith | Op::EndsWith => {
                self.text_operator(op)?;
            }
            Op::Slice => {
                let from = self.pop()?;
                let (list, to) = self.pop_two()?;
                let value = access::slice(&list, &from, &to, &mut self.meter)?;
                self.stack.push(value);
            }
            Op::Len => {
                let length = access::length(self.top()?)?;
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

    fn context(&mut self) -> Context<'_> {
        Context { meter: &mut self.meter, now: self.env.now }
    }

    /// The topmost values, in the order in which they were pushed.
    fn take(&mut self, count: usize) -> Result<Vec<Value>, RunError> {
        let first = self.stack.len().checked_sub(count);
        let first = first.ok_or_else(|| RunError::new(ErrorClass::Type, "stack underflow"))?;
        self.meter.work(count as u64)?;
        Ok(self.stack.split_off(first))
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
        let is_equal = equal(&left, &right, &mut self.meter)?;
        self.push(is_equal);
        Ok(())
    }

    fn compare(&mut self, order: Order) -> Result<(), RunError> {
        let (left, right) = self.pop_two()?;
        let holds = compare(&left, &right, order, &mut self.meter)?;
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
