//! Which changed files matter to a Git subscription.
//!
//! Owns `includePaths` and `excludePaths`. The contract's source is Kargo's `pkg/pattern` and, behind it, doublestar
//! 4.10, Go's `regexp` and `filepath.Rel`: `glob:` and `regex:`/`regexp:` in front of a pattern choose its kind, and
//! without either it is a directory. One deliberate difference: a `..` inside a file name does not put a file outside
//! of its directory.

mod directory;
mod error;
mod glob;

use std::fmt;
use std::sync::Arc;

pub use self::error::PathPatternError;
use self::glob::Glob;
use super::go_regex::{Pattern, PatternBudget};
use super::work::{Exhausted, Work};

/// One entry of `includePaths` or `excludePaths`.
#[derive(Clone, Debug)]
pub struct PathPattern(Kind);

#[derive(Clone, Debug)]
enum Kind {
    /// A directory, lexically cleaned, and everything below it.
    Directory(Box<str>),
    Glob(Glob),
    Regex(Arc<Pattern>),
}

impl PathPattern {
    /// Parses a pattern. Prefixes are case-sensitive and nothing is trimmed; a directory is never an error.
    ///
    /// # Errors
    /// When a glob or a regular expression is invalid.
    pub fn parse(pattern: &str, budget: &mut PatternBudget) -> Result<Self, PathPatternError> {
        let kind = if let Some(glob) = pattern.strip_prefix("glob:") {
            Kind::Glob(Glob::parse(glob)?)
        } else if let Some(regex) = pattern.strip_prefix("regex:").or_else(|| pattern.strip_prefix("regexp:")) {
            Kind::Regex(budget.compile(regex)?)
        } else {
            Kind::Directory(directory::clean(pattern).into())
        };
        Ok(Self(kind))
    }

    /// Whether the pattern covers the path; `None` when a glob takes too many steps to decide.
    fn decide(&self, path: &str, work: &mut Work) -> Result<Option<bool>, Exhausted> {
        match &self.0 {
            Kind::Directory(base) => {
                work.read(path.len())?;
                Ok(Some(directory::contains(base, path)))
            }
            Kind::Glob(glob) => glob.decide(path, work),
            Kind::Regex(regex) => regex.is_match(path, work).map(Some),
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Directory(base) => f.write_str(base),
            Kind::Glob(glob) => write!(f, "glob:{}", glob.as_str()),
            Kind::Regex(regex) => write!(f, "regex:{}", regex.as_str()),
        }
    }
}

/// `includePaths` and `excludePaths` of one subscription.
#[derive(Clone, Debug, Default)]
pub struct PathFilter {
    /// Without any, every path is included.
    pub include: Box<[PathPattern]>,
    /// What is excluded although it is included.
    pub exclude: Box<[PathPattern]>,
}

impl PathFilter {
    /// The first of the paths that is included and not excluded.
    ///
    /// # Errors
    /// [`Exhausted`] when finding out takes more steps than are left.
    pub fn first_selected<'p, P: AsRef<str>>(
        &self,
        paths: &'p [P],
        work: &mut Work,
    ) -> Result<Option<&'p str>, Exhausted> {
        for path in paths.iter().map(AsRef::as_ref) {
            if self.selects(path, work)? {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    /// A glob that cannot be decided selects: a refresh too many is harmless, one too few loses a push.
    fn selects(&self, path: &str, work: &mut Work) -> Result<bool, Exhausted> {
        work.spend(1)?;
        let mut any = |patterns: &[PathPattern], undecided| {
            for pattern in patterns {
                if pattern.decide(path, work)?.unwrap_or(undecided) {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        Ok((self.include.is_empty() || any(&self.include, true)?) && !any(&self.exclude, false)?)
    }
}

#[cfg(test)]
mod tests;
