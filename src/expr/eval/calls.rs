//! Calls, and operators on strings.

use std::sync::Arc;

use super::super::builtins::{self, Builtin};
use super::super::code::Op;
use super::super::error::type_error;
use super::super::text::pattern;
use super::super::text::search;
use super::super::time::Time;
use super::super::types::Type;
use super::super::value::{Callable, Elem, List, ListBuilder, NativeFunc, Text, Value};
use super::machine::Machine;
use crate::domain::go_regex::{self, Pattern};
use crate::domain::repo::{normalize_chart, normalize_git, normalize_image};
use crate::expr::{ErrorClass, RunError};

impl Machine<'_> {
    pub(super) fn call(&mut self, count: usize, is_typed: bool) -> Result<(), RunError> {
        let func = match self.pop()? {
            Value::Func(func) => func,
            Value::Nil => return Err(RunError::new(ErrorClass::NilCall, "cannot call nil")),
            _ => return type_error("this cannot be called"),
        };
        let ins = match func.callable() {
            Callable::Native(_) => &[Type::Text],
            Callable::Method(_, method) => method.ins(),
        };
        if count != ins.len() {
            return type_error("invalid number of arguments");
        }
        let mut args = self.take(count)?;
        for (arg, ty) in args.iter_mut().zip(ins) {
            convert(arg, *ty, is_typed)?;
        }
        let value = match func.callable() {
            Callable::Native(func) => self.native(func, &args)?,
            Callable::Method(receiver, method) => builtins::call_method(receiver, method, &args, &mut self.context())?,
        };
        self.stack.push(value);
        Ok(())
    }

    fn native(&mut self, func: &NativeFunc, args: &[Value]) -> Result<Value, RunError> {
        let Some(Value::Text(arg)) = args.first() else { return type_error("a string is needed") };
        self.meter.read(8 * arg.len())?;
        self.meter.allocate(2 * arg.len())?;
        let normalized = |normalize: fn(&str) -> String| Ok(Value::text(&normalize(&arg.to_valid())));
        match func {
            NativeFunc::Header(request) => {
                self.meter.work(request.headers.len() as u64)?;
                let found = request.headers.iter().find(|(name, _)| is_header(name, arg));
                Ok(found.map_or_else(|| Value::text(""), |(_, value)| Value::Text(value.clone())))
            }
            NativeFunc::Headers(request) => {
                self.meter.elements(request.headers.len())?;
                let mut all = ListBuilder::default();
                for (_, value) in request.headers.iter().filter(|(name, _)| is_header(name, arg)) {
                    all.push(Value::Text(value.clone()));
                }
                Ok(Value::List(all.finish(Elem::Text)))
            }
            NativeFunc::Param(request) => {
                self.meter.work(request.query.len() as u64)?;
                let found = request.query.iter().find(|(name, _)| name == arg);
                Ok(found.map_or_else(|| Value::text(""), |(_, value)| Value::Text(value.clone())))
            }
            NativeFunc::NormalizeGit => normalized(normalize_git),
            NativeFunc::NormalizeImage => normalized(normalize_image),
            NativeFunc::NormalizeChart => normalized(normalize_chart),
        }
    }

    pub(super) fn call_builtin(&mut self, builtin: Builtin, count: usize) -> Result<(), RunError> {
        // Upstream's functions of one argument take what is on top, however many there are.
        let count = if builtin.takes_top() { 1 } else { count };
        let args = self.take(count)?;
        let value = builtins::call(builtin, &args, &mut self.context())?;
        self.stack.push(value);
        Ok(())
    }

    pub(super) fn text_operator(&mut self, op: &Op) -> Result<(), RunError> {
        let right = if matches!(op, Op::MatchesPattern(_)) { None } else { Some(self.pop()?) };
        let left = self.pop()?;
        if left.is_nil() || right.as_ref().is_some_and(Value::is_nil) {
            self.push(false);
            return Ok(());
        }
        let holds = match (op, &left, &right) {
            (Op::MatchesPattern(pattern), text, _) => self.matches(pattern, text)?,
            (Op::Matches, text, Some(Value::Text(pattern))) => {
                let pattern = self.pattern(pattern)?;
                self.matches(&pattern, text)?
            }
            (Op::Contains, Value::Text(text), Some(Value::Text(part))) => {
                search::find(text.as_bytes(), part.as_bytes(), &mut self.meter)?.is_some()
            }
            (Op::StartsWith, Value::Text(text), Some(Value::Text(part))) => {
                self.meter.scan(part.len())?;
                text.as_bytes().starts_with(part.as_bytes())
            }
            (Op::EndsWith, Value::Text(text), Some(Value::Text(part))) => {
                self.meter.scan(part.len())?;
                text.as_bytes().ends_with(part.as_bytes())
            }
            _ => return type_error("a string is needed"),
        };
        self.push(holds);
        Ok(())
    }

    fn matches(&mut self, pattern: &Pattern, value: &Value) -> Result<bool, RunError> {
        let text = match value {
            Value::Text(text) => text.clone(),
            Value::List(list) => match list.as_bytes() {
                Some(bytes) => Text::from(bytes),
                None => return type_error("a string is needed"),
            },
            _ => return type_error("a string is needed"),
        };
        self.meter.work(pattern::search_cost(pattern.as_str(), text.len()))?;
        Ok(pattern.is_match(&text.to_valid()))
    }

    /// A pattern that is not known before it is used.
    fn pattern(&mut self, source: &Text) -> Result<Arc<Pattern>, RunError> {
        self.meter.read(source.len())?;
        if let Some(known) = self.patterns.get(source) {
            return Ok(Arc::clone(known));
        }
        self.meter.work(pattern::compile_cost(&source.to_valid()))?;
        let invalid = || RunError::new(ErrorClass::Value, "invalid regular expression");
        let pattern = go_regex::compile_shared(source.as_str().ok_or_else(invalid)?)
            .map_err(|error| RunError::new(pattern::class(error), "unusable regular expression"))?;
        self.patterns.insert(source.clone(), Arc::clone(&pattern));
        Ok(pattern)
    }
}

fn is_header(name: &str, wanted: &Text) -> bool {
    name.as_bytes().eq_ignore_ascii_case(wanted.as_bytes())
}

/// Makes nil the zero value of a parameter, and refuses values of another type.
fn convert(arg: &mut Value, ty: Type, is_typed: bool) -> Result<(), RunError> {
    let is_ok = match (ty, &*arg) {
        (_, Value::Nil) if !is_typed => {
            *arg = match ty {
                Type::Text => Value::text(""),
                Type::Int => Value::Int(0),
                Type::Duration => Value::Duration(0),
                Type::Bytes => Value::List(List::nil(Elem::Byte)),
                Type::Time => Value::Time(Time::zero()),
                // A missing location makes every method fail that takes one.
                _ => return Err(RunError::new(ErrorClass::NilMember, "a location is needed")),
            };
            true
        }
        (Type::Bytes, Value::List(list)) => list.elem() == Elem::Byte,
        (Type::Text, Value::Text(_))
        | (Type::Int, Value::Int(_))
        | (Type::Duration, Value::Duration(_))
        | (Type::Time, Value::Time(_))
        | (Type::Zone, Value::Zone(_)) => true,
        _ => false,
    };
    if is_ok { Ok(()) } else { type_error("an argument has the wrong type") }
}
