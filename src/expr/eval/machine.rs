//! The state of the machine: its stack, and what it has left to spend.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::builtins::Context;
use super::super::limits::{Budget, Meter};
use super::super::value::{Text, Value};
use super::scope::Scope;
use crate::domain::go_regex::Program;
use crate::expr::{Env, ErrorClass, RunError};

/// Patterns that were computed during this evaluation.
type Patterns = HashMap<Text, Arc<Program>>;

pub(super) struct Machine<'a> {
    pub(super) env: &'a Env,
    pub(super) meter: Meter,
    pub(super) stack: Vec<Value>,
    pub(super) scopes: Vec<Scope>,
    pub(super) variables: Vec<Value>,
    pub(super) patterns: Patterns,
}

impl<'a> Machine<'a> {
    pub(super) fn new(env: &'a Env, budget: Budget, variables: usize) -> Self {
        Self {
            env,
            meter: Meter::new(budget),
            stack: Vec::new(),
            scopes: Vec::new(),
            variables: vec![Value::Nil; variables],
            patterns: Patterns::new(),
        }
    }

    pub(super) fn push(&mut self, value: impl Into<Value>) {
        self.stack.push(value.into());
    }

    pub(super) fn pop(&mut self) -> Result<Value, RunError> {
        self.stack.pop().ok_or_else(|| RunError::new(ErrorClass::Type, "stack underflow"))
    }

    /// The two operands of an operator.
    pub(super) fn pop_two(&mut self) -> Result<(Value, Value), RunError> {
        let right = self.pop()?;
        Ok((self.pop()?, right))
    }

    pub(super) fn top(&self) -> Result<&Value, RunError> {
        self.stack.last().ok_or_else(|| RunError::new(ErrorClass::Type, "stack underflow"))
    }

    pub(super) fn top_bool(&self) -> Result<bool, RunError> {
        self.top()?.as_bool().ok_or_else(|| RunError::new(ErrorClass::Type, "a boolean is needed"))
    }

    pub(super) fn scope(&mut self) -> Result<&mut Scope, RunError> {
        self.scopes.last_mut().ok_or_else(|| RunError::new(ErrorClass::Type, "a pointer outside of a predicate"))
    }

    pub(super) fn context(&mut self) -> Context<'_> {
        Context { meter: &mut self.meter, now: self.env.now }
    }

    /// The topmost values, in the order in which they were pushed.
    pub(super) fn take(&mut self, count: usize) -> Result<Vec<Value>, RunError> {
        let first = self.stack.len().checked_sub(count);
        let first = first.ok_or_else(|| RunError::new(ErrorClass::Type, "stack underflow"))?;
        self.meter.work(count as u64)?;
        Ok(self.stack.split_off(first))
    }
}
