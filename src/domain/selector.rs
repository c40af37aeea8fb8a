//! Whether a pushed tag, version or ref qualifies for a subscription.
//!
//! Owns the compiled selectors, one per subscription, and the reasons they give. The contract's source is what Kargo's
//! webhook server asks of its selectors: `MatchesRef` and `MatchesPaths` in `pkg/controller/git/commit`, `MatchesTag`
//! in `pkg/image`, `MatchesVersion` in `pkg/helm/chart`. Deliberate differences: a Git subscription without a branch
//! listens to the default branch the event names, and an underscore in a chart's tag is read as the plus sign that
//! OCI tags cannot contain.

mod error;
mod reason;

use std::borrow::Cow;
use std::sync::Arc;

use smallvec::SmallVec;

pub use error::SelectorError;
pub use reason::{Finding, Judgement, Reason};

use super::event::ChangedFiles;
use super::go_regex::Pattern;
use super::path_pattern::PathFilter;
use super::semver::{Constraint, Strictness, Version};
use super::work::{Exhausted, Work};

/// Longest tag that is compared with patterns and constraints, in characters. Registries allow no longer ones.
pub const MAX_TAG_LEN: usize = 128;
/// Longest ref of which that is true. File systems allow hardly longer ones.
pub const MAX_REF_LEN: usize = 1_024;

/// Steps for looking at a qualifier.
const LOOK: u64 = 8;
/// Steps for reading a version.
const VERSION: u64 = 100;

/// Branches taken for the default one when an event does not say which it is.
const DEFAULT_BRANCHES: [&str; 2] = ["main", "master"];

/// What one subscription listens to.
#[derive(Clone, Debug)]
pub enum Selector {
    /// Refs and changed files of a Git repository.
    Git(GitSelector),
    /// Tags of an image repository.
    Image(ImageSelector),
    /// Versions of a chart.
    Chart(ChartSelector),
}

/// Which refs and changed files of a Git repository qualify.
#[derive(Clone, Debug)]
pub struct GitSelector {
    /// Which refs qualify.
    pub refs: RefRule,
    /// Which changed files do; `None` for all of them.
    pub paths: Option<Box<PathFilter>>,
}

/// Which refs of a Git repository qualify.
#[derive(Clone, Debug)]
pub enum RefRule {
    /// The branch of this name, or the default branch.
    Branch(Option<Box<str>>),
    /// Tags.
    Tag(TagRule),
}

/// Which tags of an image repository qualify.
#[derive(Clone, Debug)]
pub enum ImageSelector {
    /// Tags by pattern or version.
    Tag(TagRule),
    /// Exactly this tag, which is moved from digest to digest.
    Digest(Box<str>),
}

/// Which versions of a chart qualify.
#[derive(Clone, Debug)]
pub struct ChartSelector {
    /// The constraint a version must satisfy, if any.
    pub constraint: Option<Constraint>,
}

/// Patterns of a field. There is rarely more than one.
pub type Patterns = SmallVec<[Arc<Pattern>; 1]>;

/// Which tags qualify by pattern and, if they have to be versions, by constraint.
#[derive(Clone, Debug, Default)]
pub struct TagRule {
    /// Without any, every tag is allowed.
    pub allow: Patterns,
    /// What is excluded although it is allowed.
    pub ignore: Patterns,
    /// Set when a tag must be a semantic version.
    pub version: Option<VersionRule>,
}

/// Which semantic versions qualify.
#[derive(Clone, Debug, Default)]
pub struct VersionRule {
    /// What counts as a version.
    pub strictness: Strictness,
    /// The constraint it must satisfy, if any.
    pub constraint: Option<Constraint>,
}

impl Selector {
    /// Whether an event qualifies, and why. `qualifiers` are the tags, versions or full refs it names; without any it
    /// qualifies unseen. `changed_files` count for Git only, and only when all of them are known. An event that takes
    /// more work than is left qualifies, too: a refresh too many is harmless, one too few loses a push.
    pub fn judge<'a>(
        &'a self,
        qualifiers: &'a [String],
        changed_files: &'a ChangedFiles,
        default_branch: Option<&'a str>,
        work: &mut Work,
    ) -> Judgement<'a> {
        let judgement = self.try_to_judge(qualifiers, changed_files, default_branch, work);
        judgement.unwrap_or(Judgement { matched: true, reason: Reason::Undecided })
    }

    fn try_to_judge<'a>(
        &'a self,
        qualifiers: &'a [String],
        changed_files: &'a ChangedFiles,
        default_branch: Option<&'a str>,
        work: &mut Work,
    ) -> Result<Judgement<'a>, Exhausted> {
        let mut rejected = None;
        for qualifier in qualifiers {
            let finding = self.examine(qualifier, default_branch, work)?;
            if finding.qualifies() {
                return self.judge_paths(finding, changed_files, work);
            }
            rejected.get_or_insert(finding);
        }
        Ok(match rejected {
            None => Judgement { matched: true, reason: Reason::NoQualifier },
            Some(finding) => {
                let reason = Reason::NoneQualifies { first: finding, others: qualifiers.len() - 1 };
                Judgement { matched: false, reason }
            }
        })
    }

    fn judge_paths<'a>(
        &'a self,
        finding: Finding<'a>,
        changed_files: &'a ChangedFiles,
        work: &mut Work,
    ) -> Result<Judgement<'a>, Exhausted> {
        let reason = match (self.paths(), changed_files) {
            (None, _) => Reason::Qualifies { finding, path: None },
            (Some(_), ChangedFiles::Unknown) => Reason::QualifiesUnseen { finding },
            (Some(paths), ChangedFiles::Known(files)) => match paths.first_selected(files, work)? {
                Some(path) => Reason::Qualifies { finding, path: Some(path) },
                None => Reason::NoPathSelected { finding, changed: files.len() },
            },
        };
        Ok(Judgement { matched: !matches!(reason, Reason::NoPathSelected { .. }), reason })
    }

    /// The path filter, where there is one.
    fn paths(&self) -> Option<&PathFilter> {
        match self {
            Self::Git(git) => git.paths.as_deref(),
            Self::Image(_) | Self::Chart(_) => None,
        }
    }

    fn examine<'a>(
        &'a self,
        qualifier: &'a str,
        default_branch: Option<&'a str>,
        work: &mut Work,
    ) -> Result<Finding<'a>, Exhausted> {
        // Names are compared from their beginning, so long ones that differ cost no more than short ones.
        work.spend(LOOK + qualifier.len() as u64 / 64)?;
        match self {
            Self::Git(git) => git.refs.examine(qualifier, default_branch, work),
            Self::Image(ImageSelector::Tag(rule)) => rule.examine(qualifier, MAX_TAG_LEN, work),
            Self::Image(ImageSelector::Digest(tag)) if **tag == *qualifier => Ok(Finding::SubscribedTag { tag }),
            Self::Image(ImageSelector::Digest(tag)) => Ok(Finding::OtherTag { tag: qualifier, subscribed: tag }),
            Self::Chart(chart) => chart.examine(qualifier, work),
        }
    }
}

impl RefRule {
    fn examine<'a>(
        &'a self,
        name: &'a str,
        default_branch: Option<&'a str>,
        work: &mut Work,
    ) -> Result<Finding<'a>, Exhausted> {
        Ok(match self {
            Self::Tag(rule) => match name.strip_prefix("refs/tags/") {
                Some(tag) => rule.examine(tag, MAX_REF_LEN - "refs/tags/".len(), work)?,
                None => Finding::NotATag { name },
            },
            Self::Branch(subscribed) => match name.strip_prefix("refs/heads/") {
                Some(branch) => examine_branch(branch, subscribed.as_deref(), default_branch),
                None => Finding::NotABranch { name },
            },
        })
    }
}

fn examine_branch<'a>(branch: &'a str, subscribed: Option<&'a str>, default_branch: Option<&'a str>) -> Finding<'a> {
    match (subscribed, default_branch.filter(|name| !name.is_empty())) {
        (Some(subscribed), _) if branch == subscribed => Finding::SubscribedBranch { branch },
        (Some(subscribed), _) => Finding::OtherBranch { branch, subscribed },
        (None, Some(default)) if branch == default => Finding::DefaultBranch { branch, known: true },
        (None, None) if DEFAULT_BRANCHES.contains(&branch) => Finding::DefaultBranch { branch, known: false },
        (None, default) => Finding::NotDefaultBranch { branch, default },
    }
}

impl TagRule {
    fn examine<'a>(&'a self, tag: &'a str, longest: usize, work: &mut Work) -> Result<Finding<'a>, Exhausted> {
        let compares = !self.ignore.is_empty() || !self.allow.is_empty() || self.version.is_some();
        if compares && is_longer(tag, longest) {
            return Ok(Finding::TooLong { bytes: tag.len(), longest });
        }
        if let Some(by) = first_match(&self.ignore, tag, work)? {
            return Ok(Finding::IgnoredTag { tag, by: by.as_str() });
        }
        let allowed = first_match(&self.allow, tag, work)?;
        if allowed.is_none() && !self.allow.is_empty() {
            return Ok(Finding::TagNotAllowed { tag, patterns: self.allow.len() });
        }
        match &self.version {
            Some(rule) => rule.examine(tag, work),
            None => Ok(Finding::AllowedTag { tag, by: allowed.map(|pattern| pattern.as_str()) }),
        }
    }
}

fn first_match<'a>(patterns: &'a [Arc<Pattern>], tag: &str, work: &mut Work) -> Result<Option<&'a Pattern>, Exhausted> {
    for pattern in patterns {
        if pattern.is_match(tag, work)? {
            return Ok(Some(pattern));
        }
    }
    Ok(None)
}

/// Whether a text has more characters; it is not counted to its end.
fn is_longer(text: &str, longest: usize) -> bool {
    text.len() > longest && text.chars().nth(longest).is_some()
}

impl VersionRule {
    fn examine<'a>(&'a self, tag: &'a str, work: &mut Work) -> Result<Finding<'a>, Exhausted> {
        examine_version(tag, tag, self.strictness, self.constraint.as_ref(), work)
    }
}

impl ChartSelector {
    fn examine<'a>(&'a self, tag: &'a str, work: &mut Work) -> Result<Finding<'a>, Exhausted> {
        if is_longer(tag, MAX_TAG_LEN) {
            return Ok(Finding::TooLong { bytes: tag.len(), longest: MAX_TAG_LEN });
        }
        let version = if tag.contains('_') { Cow::Owned(tag.replace('_', "+")) } else { Cow::Borrowed(tag) };
        examine_version(tag, &version, Strictness::Lenient, self.constraint.as_ref(), work)
    }
}

/// Judges a version that may be spelled differently from its tag.
fn examine_version<'a>(
    tag: &'a str,
    version: &str,
    strictness: Strictness,
    constraint: Option<&'a Constraint>,
    work: &mut Work,
) -> Result<Finding<'a>, Exhausted> {
    work.spend(VERSION + constraint.map_or(0, |constraint| constraint.as_str().len() as u64))?;
    let Some(version) = Version::parse(version, strictness) else {
        return Ok(match strictness {
            Strictness::Strict if Version::parse(version, Strictness::Lenient).is_some() => Finding::NotStrict { tag },
            Strictness::Strict | Strictness::Lenient => Finding::NotAVersion { tag },
        });
    };
    Ok(match constraint {
        None => Finding::Version { tag },
        Some(constraint) if constraint.matches(&version) => Finding::Satisfies { tag, constraint },
        Some(constraint) if version.is_prerelease() && !constraint.admits_prereleases() => {
            Finding::PreRelease { tag, constraint }
        }
        Some(constraint) => Finding::Unsatisfied { tag, constraint },
    })
}

#[cfg(test)]
mod tests;
