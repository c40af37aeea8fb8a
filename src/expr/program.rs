//! From source to a program that runs.

use super::check::check;
use super::code::Code;
use super::codegen::generate;
use super::dialect::Dialect;
use super::optimize::optimize;
use super::parser::parse;
use super::{Budget, CompileBudget, CompileError, Env, RunError, Value, eval};

/// A compiled expression. It can be run any number of times, also concurrently.
#[derive(Debug)]
pub struct Program {
    code: Code,
}

impl Program {
    /// Compiles an expression, and takes what that costs from the budget.
    ///
    /// # Errors
    /// When expr-lang refuses it, or it is larger than the limits of this program, or the budget does not suffice.
    pub fn compile(source: &str, budget: &mut CompileBudget) -> Result<Self, CompileError> {
        Self::compile_as(source, Dialect::Condition, budget)
    }

    pub(super) fn compile_as(source: &str, dialect: Dialect, budget: &mut CompileBudget) -> Result<Self, CompileError> {
        budget.source(source)?;
        let (mut tree, root) = parse(source, dialect)?;
        let mut compile = || {
            let mut natures = check(&tree, root, dialect, budget)?;
            optimize(&mut tree, &mut natures, root)?;
            generate(&tree, &natures, root, dialect, budget)
        };
        let code = compile();
        budget.instructions(code.as_ref().map(|code| code.ops.len()))?;
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
