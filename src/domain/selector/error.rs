//! Why a subscription has no usable selector, with what to write instead.

use thiserror::Error;

use crate::domain::go_regex::RegexError;
use crate::domain::path_pattern::PathPatternError;
use crate::domain::semver::ConstraintError;

/// A mistake in a subscription that decodes. Kargo's controller reports it too, and discovers nothing until it is
/// corrected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SelectorError {
    /// `allowTags` or `ignoreTags`.
    #[error("{field} is deprecated and refused by Kargo since 1.11; use {field}Regexes")]
    Deprecated {
        /// The field that must be emptied.
        field: &'static str,
    },
    /// An entry of `allowTagsRegexes` or `ignoreTagsRegexes`.
    #[error("{field}: {pattern:?} is not a regular expression in Go's syntax: {cause}")]
    Regex {
        /// The list.
        field: &'static str,
        /// The entry.
        pattern: Box<str>,
        /// What is wrong with it.
        cause: RegexError,
    },
    /// An entry of `includePaths` or `excludePaths`.
    #[error("{field}: {pattern:?} is not a path pattern: {cause}")]
    Path {
        /// The list.
        field: &'static str,
        /// The entry.
        pattern: Box<str>,
        /// What is wrong with it.
        cause: PathPatternError,
    },
    /// `constraint` or `semverConstraint`.
    #[error("{field}: {cause}")]
    Constraint {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        cause: ConstraintError,
    },
    /// An unknown selection strategy. Names are case-sensitive.
    #[error("{field} {given:?} is unknown; use one of {known}")]
    UnknownStrategy {
        /// The field.
        field: &'static str,
        /// Its value.
        given: Box<str>,
        /// The strategies there are.
        known: &'static str,
    },
    /// `platform`.
    #[error("platform {given:?} is not of the form os/architecture; write for example \"linux/amd64\"")]
    Platform {
        /// Its value.
        given: Box<str>,
    },
    /// `repoURL` of an image.
    #[error("repoURL {given:?} is not an image repository; write for example \"ghcr.io/example/app\"")]
    ImageReference {
        /// Its value.
        given: Box<str>,
    },
    /// `repoURL` of a chart without one of the three schemes.
    #[error("repoURL {given:?} must begin with \"oci://\", \"https://\" or \"http://\", in lower case")]
    ChartScheme {
        /// Its value.
        given: Box<str>,
    },
    /// `repoURL` of a chart behind `oci://`.
    #[error("repoURL {given:?} is not a chart repository; write oci://registry/repository, in lower case")]
    ChartReference {
        /// Its value.
        given: Box<str>,
    },
}

impl SelectorError {
    /// Whether the subscription may be right, and there was merely no room for its patterns.
    #[must_use]
    pub fn is_lack_of_room(&self) -> bool {
        match self {
            Self::Regex { cause, .. } | Self::Path { cause: PathPatternError::Regex(cause), .. } => {
                cause.is_lack_of_room()
            }
            _ => false,
        }
    }
}
