//! The two dialects of the language.

/// Which functions there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Those of a condition.
    Condition,
    /// Those, and `quote`, `unsafeQuote`, `asYAML` and `asJSON`.
    Template,
}
