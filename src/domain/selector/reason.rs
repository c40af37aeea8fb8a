//! Why an event qualifies for a subscription or not, in a form that costs nothing until it is printed.

use std::fmt;

use super::SelectorError;
use crate::domain::semver::{Constraint, Strictness, without_leading_zeros};

/// The most characters of a name that a reason repeats. It may stand beside every subscription, and names may be as
/// long as a body.
const QUOTED: usize = 256;

/// A name in quotes, cut where it is longer than any that is real.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(QUOTED) {
            None => write!(f, "{:?}", self.0),
            Some((end, _)) => write!(f, "{:?}… ({} bytes)", &self.0[..end], self.0.len()),
        }
    }
}

/// The verdict about one event and one subscription.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Judgement<'a> {
    /// Whether the event concerns the subscription.
    pub matched: bool,
    /// Why; a sentence when displayed.
    pub reason: Reason<'a>,
}

/// Why an event concerns a subscription or not.
#[derive(Clone, Copy, Debug)]
pub enum Reason<'a> {
    /// The event does not say what was pushed.
    NoQualifier,
    /// A qualifier is what the subscription listens to.
    Qualifies {
        /// What speaks for it.
        finding: Finding<'a>,
        /// The changed file that was selected, where the subscription filters them.
        path: Option<&'a str>,
    },
    /// A qualifier is what the subscription listens to. The subscription filters by path, but the event does not list
    /// all files that changed.
    QualifiesUnseen {
        /// What speaks for it.
        finding: Finding<'a>,
    },
    /// No qualifier is what the subscription listens to.
    NoneQualifies {
        /// What speaks against the first one.
        first: Finding<'a>,
        /// How many more there are.
        others: usize,
    },
    /// A qualifier is, but none of the changed files.
    NoPathSelected {
        /// What speaks for the qualifier.
        finding: Finding<'a>,
        /// How many files changed.
        changed: usize,
    },
    /// Finding out would take more work than one request may cause.
    Undecided,
    /// There was no room for the patterns of the subscription.
    Unread {
        /// What there was no room for.
        error: &'a SelectorError,
    },
    /// The subscription has a mistake, so nothing qualifies for it.
    Unusable {
        /// The mistake.
        error: &'a SelectorError,
    },
}

impl Reason<'_> {
    /// The reason as a word from a closed set, for answers and counts.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoQualifier => "no_qualifier",
            Self::Qualifies { finding, .. }
            | Self::QualifiesUnseen { finding }
            | Self::NoneQualifies { first: finding, .. } => finding.code(),
            Self::NoPathSelected { .. } => "no_path_selected",
            Self::Undecided => "undecided",
            Self::Unread { .. } => "no_room_for_patterns",
            Self::Unusable { .. } => "invalid_subscription",
        }
    }
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoQualifier => f.write_str("no qualifier in the event: every subscriber is refreshed"),
            Self::Qualifies { finding, path: None } => finding.fmt(f),
            Self::Qualifies { finding, path: Some(path) } => {
                write!(f, "{finding}, and the changed file {} is selected", Quoted(path))
            }
            Self::QualifiesUnseen { finding } => write!(
                f,
                "{finding}; includePaths and excludePaths are not applied, because the event's list of changed files is \
                 missing or incomplete"
            ),
            Self::NoneQualifies { first, others: 0 } => first.fmt(f),
            Self::NoneQualifies { first, others } => write!(f, "{first}, nor does any of {others} more qualify"),
            Self::NoPathSelected { finding, changed: 1 } => {
                write!(f, "{finding}, but includePaths and excludePaths do not select the changed file")
            }
            Self::NoPathSelected { finding, changed } => {
                write!(f, "{finding}, but includePaths and excludePaths select none of the {changed} changed files")
            }
            Self::Undecided => f.write_str(
                "the event names more than one request may have compared with patterns, so the subscription is \
                 refreshed without a comparison",
            ),
            Self::Unread { error } => {
                write!(f, "the subscription is refreshed without a comparison, as its patterns are not kept: {error}")
            }
            Self::Unusable { error } => write!(f, "the subscription is unusable: {error}"),
        }
    }
}

/// What one qualifier is to a subscription.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Finding<'a> {
    SubscribedBranch { branch: &'a str },
    DefaultBranch { branch: &'a str, known: bool },
    AllowedTag { tag: &'a str, by: Option<&'a str> },
    SubscribedTag { tag: &'a str },
    Version { tag: &'a str },
    Satisfies { tag: &'a str, constraint: &'a Constraint },

    TooLong { bytes: usize, longest: usize },
    NotABranch { name: &'a str },
    OtherBranch { branch: &'a str, subscribed: &'a str },
    NotDefaultBranch { branch: &'a str, default: Option<&'a str> },
    NotATag { name: &'a str },
    IgnoredTag { tag: &'a str, by: &'a str },
    TagNotAllowed { tag: &'a str, patterns: usize },
    OtherTag { tag: &'a str, subscribed: &'a str },
    NotAVersion { tag: &'a str },
    NotStrict { tag: &'a str },
    PreRelease { tag: &'a str, constraint: &'a Constraint },
    Unsatisfied { tag: &'a str, constraint: &'a Constraint },
}

impl Finding<'_> {
    const fn code(&self) -> &'static str {
        match self {
            Self::SubscribedBranch { .. } => "subscribed_branch",
            Self::DefaultBranch { .. } => "default_branch",
            Self::AllowedTag { .. } => "allowed_tag",
            Self::SubscribedTag { .. } => "subscribed_tag",
            Self::Version { .. } | Self::Satisfies { .. } => "accepted_version",
            Self::TooLong { .. } => "too_long",
            Self::NotABranch { .. } => "not_a_branch",
            Self::OtherBranch { .. } | Self::NotDefaultBranch { .. } => "other_branch",
            Self::NotATag { .. } => "not_a_tag",
            Self::IgnoredTag { .. } => "ignored_tag",
            Self::TagNotAllowed { .. } => "tag_not_allowed",
            Self::OtherTag { .. } => "other_tag",
            Self::NotAVersion { .. } | Self::NotStrict { .. } => "not_a_semantic_version",
            Self::PreRelease { .. } => "pre_release",
            Self::Unsatisfied { .. } => "constraint_not_satisfied",
        }
    }

    /// Whether the qualifier is what the subscription listens to.
    #[must_use]
    pub fn qualifies(&self) -> bool {
        match self {
            Self::SubscribedBranch { .. }
            | Self::DefaultBranch { .. }
            | Self::AllowedTag { .. }
            | Self::SubscribedTag { .. }
            | Self::Version { .. }
            | Self::Satisfies { .. } => true,
            Self::TooLong { .. }
            | Self::NotABranch { .. }
            | Self::OtherBranch { .. }
            | Self::NotDefaultBranch { .. }
            | Self::NotATag { .. }
            | Self::IgnoredTag { .. }
            | Self::TagNotAllowed { .. }
            | Self::OtherTag { .. }
            | Self::NotAVersion { .. }
            | Self::NotStrict { .. }
            | Self::PreRelease { .. }
            | Self::Unsatisfied { .. } => false,
        }
    }
}

impl fmt::Display for Finding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::SubscribedBranch { branch } => write!(f, "branch {} is the subscribed one", Quoted(branch)),
            Self::DefaultBranch { branch, known: true } => write!(f, "branch {} is the default branch", Quoted(branch)),
            Self::DefaultBranch { branch, known: false } => {
                write!(f, "branch {} is taken for the default branch, which the event does not name", Quoted(branch))
            }
            Self::AllowedTag { tag, by: None } => write!(f, "tag {} qualifies, as every tag does", Quoted(tag)),
            Self::AllowedTag { tag, by: Some(by) } => {
                write!(f, "tag {} is allowed by allowTagsRegexes {by:?}", Quoted(tag))
            }
            Self::SubscribedTag { tag } => write!(f, "tag {} is the subscribed one", Quoted(tag)),
            Self::Version { tag } => write!(f, "tag {} is a semantic version", Quoted(tag)),
            Self::Satisfies { tag, constraint } => write!(f, "tag {} satisfies {:?}", Quoted(tag), constraint.as_str()),

            Self::TooLong { bytes, longest } => write!(
                f,
                "a name of {bytes} bytes is not compared with patterns and constraints, as it has more than {longest} \
                 characters"
            ),
            Self::NotABranch { name } => write!(f, "{} is not a branch (refs/heads/…)", Quoted(name)),
            Self::OtherBranch { branch, subscribed } => {
                write!(f, "branch {} is not the subscribed branch {subscribed:?}", Quoted(branch))
            }
            Self::NotDefaultBranch { branch, default: Some(default) } => {
                write!(f, "branch {} is not the default branch {}", Quoted(branch), Quoted(default))
            }
            Self::NotDefaultBranch { branch, default: None } => write!(
                f,
                "branch {} is neither \"main\" nor \"master\", and the event does not name the default branch",
                Quoted(branch)
            ),
            Self::NotATag { name } => write!(f, "{} is not a tag (refs/tags/…)", Quoted(name)),
            Self::IgnoredTag { tag, by } => write!(f, "tag {} is excluded by ignoreTagsRegexes {by:?}", Quoted(tag)),
            Self::TagNotAllowed { tag, patterns: 1 } => {
                write!(f, "tag {} does not match allowTagsRegexes", Quoted(tag))
            }
            Self::TagNotAllowed { tag, patterns } => {
                write!(f, "tag {} matches none of the {patterns} allowTagsRegexes", Quoted(tag))
            }
            Self::OtherTag { tag, subscribed } => {
                write!(f, "tag {} is not the subscribed tag {subscribed:?}", Quoted(tag))
            }
            Self::NotAVersion { tag } => match without_leading_zeros(tag, Strictness::Lenient) {
                Some(plain) => write!(
                    f,
                    "tag {tag:?} is not a semantic version, because its pre-release has a leading zero; tag {plain:?} would be"
                ),
                None => write!(f, "tag {tag:?} is not a semantic version"),
            },
            Self::NotStrict { tag } => match without_leading_zeros(tag, Strictness::Strict) {
                Some(plain) => write!(
                    f,
                    "tag {tag:?} has a leading zero, which strictSemvers does not accept; tag {plain:?} instead, or set \
                     strictSemvers to false"
                ),
                None => {
                    write!(f, "tag {tag:?} is not a semantic version of the form X.Y.Z, which strictSemvers asks for")
                }
            },
            Self::PreRelease { tag, constraint } => write!(
                f,
                "tag {} is a pre-release, which constraint {:?} leaves out (write for example \">=1.0.0-0\")",
                Quoted(tag),
                constraint.as_str()
            ),
            Self::Unsatisfied { tag, constraint } => {
                write!(f, "tag {} does not satisfy constraint {:?}", Quoted(tag), constraint.as_str())
            }
        }
    }
}
