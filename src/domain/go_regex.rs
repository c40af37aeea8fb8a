//! Regular expressions in Go's syntax.
//!
//! Owns the translation of patterns written for Go's `regexp` package (RE2 syntax, Go 1.26), which is what Kargo uses
//! for tags and paths, into the syntax of the `regex` crates. The two agree on most patterns, but not on what `\d`
//! means, on `\Q…\E`, on octal escapes, on what is a literal inside a class, nor on what is an error. Only whether a
//! text matches is preserved; there are no groups to ask for.
//!
//! Patterns come from tenants and texts from strangers: what programs take is counted by object, project and process,
//! and what a search takes is counted by request.

mod class;
mod error;
mod frame;
mod program;
mod store;
mod translate;
mod unicode;

pub use error::RegexError;
pub use program::Program;
pub use store::{Pattern, PatternBudget};

/// Compiles a pattern that nobody keeps, into a program of at most that many bytes.
///
/// # Errors
/// When Go refuses the pattern, or it is larger than the limits of this program.
pub fn compile(pattern: &str, limit: usize) -> Result<Program, RegexError> {
    Program::compile(pattern, limit.min(program::MAX_PROGRAM_SIZE))
}

#[cfg(test)]
mod tests;
