//! Why a pattern is refused.

use thiserror::Error;

/// Longest pattern that is looked at, in bytes.
pub(super) const MAX_PATTERN_LEN: usize = 16 * 1024;

/// Why a pattern is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RegexError {
    /// `(` without `)`, or a group that is not finished.
    #[error("missing closing )")]
    MissingParen,
    /// `)` without `(`.
    #[error("unexpected )")]
    UnexpectedParen,
    /// `[` without `]`.
    #[error("missing closing ]")]
    MissingBracket,
    /// A range such as `z-a`, or an unknown class.
    #[error("invalid character class range")]
    InvalidClass,
    /// A backslash followed by something that has no meaning, such as `\C` or a back-reference.
    #[error("invalid escape sequence")]
    InvalidEscape,
    /// A backslash at the end.
    #[error("trailing backslash at the end of the expression")]
    TrailingBackslash,
    /// `(?` followed by something else than flags or a name; look-around is not supported.
    #[error("invalid or unsupported Perl syntax after (?")]
    InvalidGroup,
    /// A group name with other characters than letters, digits and underscores.
    #[error("invalid named capture")]
    InvalidName,
    /// A repetition of a repetition, such as `a**`.
    #[error("invalid nested repetition operator")]
    NestedRepetition,
    /// A repetition of nothing, such as a leading `*`.
    #[error("missing argument to repetition operator")]
    MissingArgument,
    /// More than 1000 repetitions, or a range such as `{3,2}`.
    #[error("invalid repeat count")]
    InvalidRepeat,
    /// Too many levels of nesting.
    #[error("the expression nests too deeply")]
    TooDeep,
    /// The pattern is longer than this program is willing to read.
    #[error("the expression is longer than {MAX_PATTERN_LEN} bytes")]
    TooLong,
    /// The compiled pattern would take too much memory.
    #[error("the expression is too large once compiled")]
    TooLarge,
    /// The object has no room left for it.
    #[error("the expressions of the object are too large together once compiled")]
    ObjectFull,
    /// The project has no room left for it.
    #[error("the expressions of the project are too large together once compiled")]
    ProjectFull,
    /// The process has no room left for it.
    #[error("the expressions of all projects are too large together once compiled")]
    ProcessFull,
}

impl RegexError {
    /// Whether the expression may be right, and there was merely no room for it.
    #[must_use]
    pub const fn is_lack_of_room(self) -> bool {
        matches!(self, Self::ObjectFull | Self::ProjectFull | Self::ProcessFull)
    }
}
