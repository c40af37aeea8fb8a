//! A subscription, decoded.

use std::fmt;

use crate::domain::event::ChangedFiles;
use crate::domain::selector::{Judgement, Reason, Selector, SelectorError};
use crate::domain::work::Work;

/// What a subscription subscribes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SubscriptionKind {
    /// A Git repository.
    Git,
    /// An image repository.
    Image,
    /// A chart repository.
    Chart,
}

impl SubscriptionKind {
    /// The name of the kind, which is the key it has in a Warehouse.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Git => "git",
            Self::Image => "image",
            Self::Chart => "chart",
        }
    }
}

impl fmt::Display for SubscriptionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A constraint under the name that it has in another kind of subscription, or had in an older version of Kargo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MisnamedConstraint {
    /// `semverConstraint` of an image.
    OfImage,
    /// `constraint` of a Git repository or a chart.
    OfOthers,
}

/// One subscription of a Warehouse.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// What it subscribes to.
    pub kind: SubscriptionKind,
    /// The normalised URL under which it is looked up.
    pub repository: Box<str>,
    /// What all spellings of a Git repository have in common; see [`git_identity`](crate::domain::repo::git_identity).
    pub identity: Option<Box<str>>,
    /// A constraint that Kargo does not read.
    pub(super) misnamed: Option<MisnamedConstraint>,
    /// Whether Kargo keeps the digest that a tag had when it was first found.
    pub caches_tags: bool,
    /// What qualifies for it, unless it has a mistake.
    pub selector: Result<Selector, SelectorError>,
}

impl Subscription {
    /// Whether an event about this repository concerns the subscription, and why; see [`Selector::judge`]. With a
    /// mistake in the subscription, only an event that names no qualifier does, as that one is not looked at any
    /// closer. Where there was merely no room for its patterns, every event does.
    pub fn judge<'a>(
        &'a self,
        qualifiers: &'a [String],
        changed_files: &'a ChangedFiles,
        default_branch: Option<&'a str>,
        work: &mut Work,
    ) -> Judgement<'a> {
        match &self.selector {
            Ok(selector) => selector.judge(qualifiers, changed_files, default_branch, work),
            Err(_) if qualifiers.is_empty() => Judgement { matched: true, reason: Reason::NoQualifier },
            Err(error) if error.is_lack_of_room() => Judgement { matched: true, reason: Reason::Unread { error } },
            Err(error) => Judgement { matched: false, reason: Reason::Unusable { error } },
        }
    }

    /// The reason of a judgement about it in words for a person, with what the subscription says in vain.
    #[must_use]
    pub fn explained(&self, judgement: &Judgement<'_>) -> String {
        let in_vain = match self.misnamed {
            None => "",
            Some(MisnamedConstraint::OfImage) => {
                "; semverConstraint of an image is an old field that Kargo does not read: write constraint"
            }
            Some(MisnamedConstraint::OfOthers) => {
                "; constraint is a field of images, which Kargo does not read here: write semverConstraint"
            }
        };
        format!("{}{in_vain}", judgement.reason)
    }
}
