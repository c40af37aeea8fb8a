//! The expressions and templates of Kargo's generic webhook receiver.
//!
//! Owns the language: parsing, checking, optimizing, compiling and running programs, and the templates around them.
//! The contract's source is expr-lang v1.17.8, compiled as Kargo does, that is without knowledge of the environment,
//! and Kargo's `pkg/expressions` and `pkg/webhook/external`. Quirks are kept, also those that look like mistakes: what
//! an expression decides must not change with the program that evaluates it.
//!
//! Nothing here knows HTTP or Kubernetes. Both sides of an evaluation may be hostile: expressions come from tenants,
//! bodies from strangers. Every program and every evaluation is bounded, see [`limits`], and no recursion depends on
//! input without a bound.
//!
//! ```text
//! source ─▶ lexer ─▶ parser ─▶ check ─▶ optimize ─▶ codegen ─▶ eval ─▶ Value
//!                    (Tree)   (natures)             (Code)     (Env, Budget)
//! ```

mod ast;
mod builtins;
mod check;
mod code;
mod codegen;
mod dialect;
mod env;
mod error;
mod eval;
mod lexer;
pub mod limits;
mod methods;
mod ops;
mod optimize;
mod parser;
mod program;
mod template;
mod text;
mod time;
mod types;
mod value;

pub use env::{Env, EnvBuilder};
pub use error::{CompileError, ErrorClass, RunError, TemplateError};
pub use limits::{Budget, CompileBudget};
pub use program::Program;
pub use template::Template;
pub use text::json_read::{JsonError, parse_json};
pub use time::{Time, Zone};
pub use value::{Func, List, Map, Text, Value};

#[cfg(test)]
mod tests;
