//! What regular expressions cost.

use std::sync::Arc;

use crate::domain::go_regex::{Pattern, RegexError};
use crate::expr::{CompileBudget, CompileError, ErrorClass};

/// Nanoseconds for a pattern besides its size.
const PATTERN: u64 = 20_000;
/// Nanoseconds for a byte of a program.
const BYTE: u64 = 10;

/// The pattern of that source, which stands at that position of a program. Two stages need it, and it is paid for once.
pub(in crate::expr) fn compile(
    source: &str,
    position: usize,
    budget: &mut CompileBudget,
) -> Result<Arc<Pattern>, CompileError> {
    let before = budget.patterns.left();
    let compiled = budget.patterns.compile(source);
    let taken = before - budget.patterns.left();
    if taken > 0 {
        budget.spend(PATTERN + taken as u64 * BYTE)?;
    }
    compiled.map_err(|error| match class(error) {
        ErrorClass::Limit => CompileError::new(ErrorClass::Limit, "the regular expressions are too large"),
        _ => CompileError::invalid("invalid regular expression", position),
    })
}

/// Whether a pattern is wrong, or merely more than this program is willing to work with.
pub(in crate::expr) const fn class(error: RegexError) -> ErrorClass {
    match error {
        RegexError::TooDeep
        | RegexError::TooLong
        | RegexError::TooLarge
        | RegexError::ObjectFull
        | RegexError::ProjectFull
        | RegexError::ProcessFull => ErrorClass::Limit,
        _ => ErrorClass::Value,
    }
}
