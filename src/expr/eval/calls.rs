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
use crate::domain::go_regex::{self, Program, RegexError};
use crate::domain::repo::{normalize_chart, normalize_git, normalize_image};
use crate::expr::{ErrorClass, RunError};

/// Largest program of a pattern that is computed, in bytes.
const MAX_COMPUTED_PATTERN: usize = 256 * 1024;
/// Steps for compiling a pattern besides those for its size.
const COMPILING: u64 = 2_000;

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
            (Op::MatchesPattern(pattern), text, _) => self.matches(pattern.program(), text)?,
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

    fn matches(&mut self, program: &Program, value: &Value) -> Result<bool, RunError> {
        let text = match value {
            Value::Text(text) => text.clone(),
            Value::List(list) => match list.as_bytes() {
                Some(bytes) => Text::from(bytes),
                None => return type_error("a string is needed"),
            },
            _ => return type_error("a string is needed"),
        };
        self.meter.scan(text.len())?;
        let mut work = self.meter.search();
        let before = work.left();
        let found = program.is_match(&text.to_valid(), &mut work);
        // A search that was given up has taken one step more than there were.
        self.meter.work(before - work.left() + u64::from(found.is_err()))?;
        Ok(found == Ok(true))
    }

    /// A pattern that is not known before it is used. It is paid for by its size, also when it proves too large.
    fn pattern(&mut self, source: &Text) -> Result<Arc<Program>, RunError> {
        self.meter.read(source.len())?;
        if let Some(known) = self.patterns.get(source) {
            return Ok(Arc::clone(known));
        }
        let invalid = || RunError::new(ErrorClass::Value, "invalid regular expression");
        let text = source.as_str().ok_or_else(invalid)?;
        let limit = self.meter.room().min(MAX_COMPUTED_PATTERN);
        let compiled = go_regex::compile(text, limit);
        let size = compiled.as_ref().map_or(text.len(), Program::size);
        let is_too_large = matches!(compiled, Err(RegexError::TooLarge));
        self.meter.work(COMPILING)?;
        self.meter.allocate(size)?;
        self.meter.work(if is_too_large { limit } else { size } as u64)?;
        let program = compiled.map_err(|error| RunError::new(pattern::class(error), "unusable regular expression"))?;
        let program = Arc::new(program);
        self.patterns.insert(source.clone(), Arc::clone(&program));
        Ok(program)
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
