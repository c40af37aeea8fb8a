//! Values that can be called.

use std::sync::Arc;

use super::data::{Func, Kind, NativeFunc, Value};
use crate::expr::methods::Method;

/// What kind of function it is.
pub(in crate::expr) enum Callable<'a> {
    Native(&'a NativeFunc),
    Method(&'a Value, Method),
}

impl Func {
    pub(in crate::expr) const fn native(func: NativeFunc) -> Self {
        Self(Kind::Native(func))
    }

    pub(in crate::expr) fn method(receiver: Value, method: Method) -> Self {
        Self(Kind::Method(Arc::new((receiver, method))))
    }

    pub(in crate::expr) fn callable(&self) -> Callable<'_> {
        match &self.0 {
            Kind::Native(func) => Callable::Native(func),
            Kind::Method(bound) => Callable::Method(&bound.0, bound.1),
        }
    }

    pub(in crate::expr) fn go_type(&self) -> &'static str {
        match self.callable() {
            Callable::Native(NativeFunc::Headers(_)) => "func(string) []string",
            Callable::Native(_) => "func(string) string",
            Callable::Method(_, method) => method.go_type(),
        }
    }
}
