//! Why a text is not a path pattern.

use thiserror::Error;

use crate::domain::go_regex::RegexError;

/// Brace groups in one pattern; each is a level of recursion.
pub(super) const MAX_BRACES: usize = 64;

/// Why a text is not a path pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PathPatternError {
    /// Unclosed brackets or braces, or a trailing backslash.
    #[error("the glob is malformed: a bracket, brace or backslash is not closed")]
    MalformedGlob,
    /// More braces than this program is willing to expand.
    #[error("the glob has more than {} brace groups", MAX_BRACES)]
    TooManyBraces,
    /// The regular expression is refused.
    #[error("the regular expression is invalid: {0}")]
    Regex(#[from] RegexError),
}
