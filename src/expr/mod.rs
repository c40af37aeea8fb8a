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
mod env;
mod error;
mod eval;
mod lexer;
pub mod limits;
mod methods;
mod optimize;
mod parser;
mod template;
mod text;
mod time;
mod types;
mod value;

pub use env::{Env, EnvBuilder};
pub use error::{CompileError, ErrorClass, RunError, TemplateError};
pub use limits::{Budget, CompileBudget};
pub use template::Template;
pub use text::json_read::{JsonError, parse_json};
pub use time::{Time, Zone};
pub use value::{Func, List, Map, Text, Value};

/// Which functions there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    /// Those of a condition.
    Condition,
    /// Those, and `quote`, `unsafeQuote`, `asYAML` and `asJSON`.
    Template,
}

/// A compiled expression. It can be run any number of times, also concurrently.
#[derive(Debug)]
pub struct Program {
    code: code::Code,
}

impl Program {
    /// Compiles an expression, and takes what that costs from the budget.
    ///
    /// # Errors
    /// When expr-lang refuses it, or it is larger than the limits of this program, or the budget does not suffice.
    pub fn compile(source: &str, budget: &mut CompileBudget) -> Result<Self, CompileError> {
        Self::compile_as(source, Dialect::Condition, budget)
    }

    fn compile_as(source: &str, dialect: Dialect, budget: &mut CompileBudget) -> Result<Self, CompileError> {
        budget.source(source)?;
        let (mut tree, root) = parser::parse(source, dialect)?;
        let mut patterns = text::pattern::Patterns::new(*budget);
        let mut compile = || {
            let mut natures = check::check(&tree, root, dialect, &mut patterns)?;
            optimize::optimize(&mut tree, &mut natures, root)?;
            codegen::generate(&tree, &natures, root, dialect, &mut patterns)
        };
        let code = compile();
        *budget = patterns.left();
        budget.instructions(&code)?;
        Ok(Self { code: code? })
    }

    /// Runs the program, and takes what that costs from the budget.
    ///
    /// # Errors
    /// When expr-lang fails, or the budget does not suffice.
    pub fn run(&self, env: &Env, budget: &mut Budget) -> Result<Value, RunError> {
        eval::run(&self.code, env, budget)
    }
}

#[cfg(test)]
mod tests;
