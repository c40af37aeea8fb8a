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

pub use error::SelectorError;
pub use reason::{Finding, Judgement, Reason};

use super::event::ChangedFiles;
use super::go_regex::Pattern;
use super::path_pattern::PathFilter;
use super::semver::{Constraint, Strictness, Version};

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

/// Which tags qualify by pattern and, if they have to be versions, by constraint.
#[derive(Clone, Debug, Default)]
pub struct TagRule {
    /// Without any, every tag is allowed.
    pub allow: Box<[Arc<Pattern>]>,
    /// What is excluded although it is allowed.
    pub ignore: Box<[Arc<Pattern>]>,
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
    /// qualifies unseen. `changed_files` count for Git only, and only when all of them are known.
    pub fn judge<'a>(
        &'a self,
        qualifiers: &'a [String],
        changed_files: &'a ChangedFiles,
        default_branch: Option<&'a str>,
    ) -> Judgement<'a> {
        let mut rejected = None;
        for qualifier in qualifiers {
            let finding = self.examine(qualifier, default_branch);
            if finding.qualifies() {
                return self.judge_paths(finding, changed_files);
            }
            rejected.get_or_insert(finding);
        }
        match rejected {
            None => Judgement { matched: true, reason: Reason::NoQualifier },
            Some(finding) => {
                let reason = Reason::NoneQualifies { first: finding, others: qualifiers.len() - 1 };
                Judgement { matched: false, reason }
            }
        }
    }

    fn judge_paths<'a>(&'a self, finding: Finding<'a>, changed_files: &'a ChangedFiles) -> Judgement<'a> {
        let reason = match (self.paths(), changed_files) {
            (None, _) => Reason::Qualifies { finding, path: None },
            (Some(_), ChangedFiles::Unknown) => Reason::QualifiesUnseen { finding },
            (Some(paths), ChangedFiles::Known(files)) => match paths.first_selected(files) {
                Some(path) => Reason::Qualifies { finding, path: Some(path) },
                None => Reason::NoPathSelected { finding, changed: files.len() },
            },
        };
        Judgement { matched: !matches!(reason, Reason::NoPathSelected { .. }), reason }
    }

    /// The path filter, where there is one.
    fn paths(&self) -> Option<&PathFilter> {
        match self {
            Self::Git(git) => git.paths.as_deref(),
            Self::Image(_) | Self::Chart(_) => None,
        }
    }

    fn examine<'a>(&'a self, qualifier: &'a str, default_branch: Option<&'a str>) -> Finding<'a> {
        match self {
            Self::Git(git) => git.refs.examine(qualifier, default_branch),
            Self::Image(ImageSelector::Tag(rule)) => rule.examine(qualifier),
            Self::Image(ImageSelector::Digest(tag)) if **tag == *qualifier => Finding::SubscribedTag { tag },
            Self::Image(ImageSelector::Digest(tag)) => Finding::OtherTag { tag: qualifier, subscribed: tag },
            Self::Chart(chart) => chart.examine(qualifier),
        }
    }
}

impl RefRule {
    fn examine<'a>(&'a self, name: &'a str, default_branch: Option<&'a str>) -> Finding<'a> {
        match self {
            Self::Tag(rule) => match name.strip_prefix("refs/tags/") {
                Some(tag) => rule.examine(tag),
                None => Finding::NotATag { name },
            },
            Self::Branch(subscribed) => match name.strip_prefix("refs/heads/") {
                Some(branch) => examine_branch(branch, subscribed.as_deref(), default_branch),
                None => Finding::NotABranch { name },
            },
        }
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
    fn examine<'a>(&'a self, tag: &'a str) -> Finding<'a> {
        let first_match = |patterns: &'a [Arc<Pattern>]| patterns.iter().find(|pattern| pattern.is_match(tag));
        if let Some(by) = first_match(&self.ignore) {
            return Finding::IgnoredTag { tag, by: by.as_str() };
        }
        let allowed = first_match(&self.allow);
        if allowed.is_none() && !self.allow.is_empty() {
            return Finding::TagNotAllowed { tag, patterns: self.allow.len() };
        }
        match &self.version {
            Some(rule) => rule.examine(tag, tag),
            None => Finding::AllowedTag { tag, by: allowed.map(|pattern| pattern.as_str()) },
        }
    }
}

impl VersionRule {
    fn examine<'a>(&'a self, tag: &'a str, version: &str) -> Finding<'a> {
        examine_version(tag, version, self.strictness, self.constraint.as_ref())
    }
}

impl ChartSelector {
    fn examine<'a>(&'a self, tag: &'a str) -> Finding<'a> {
        let version = if tag.contains('_') { Cow::Owned(tag.replace('_', "+")) } else { Cow::Borrowed(tag) };
        examine_version(tag, &version, Strictness::Lenient, self.constraint.as_ref())
    }
}

/// Judges a version that may be spelled differently from its tag.
fn examine_version<'a>(
    tag: &'a str,
    version: &str,
    strictness: Strictness,
    constraint: Option<&'a Constraint>,
) -> Finding<'a> {
    let Some(version) = Version::parse(version, strictness) else {
        return match strictness {
            Strictness::Strict if Version::parse(version, Strictness::Lenient).is_some() => Finding::NotStrict { tag },
            Strictness::Strict | Strictness::Lenient => Finding::NotAVersion { tag },
        };
    };
    match constraint {
        None => Finding::Version { tag },
        Some(constraint) if constraint.matches(&version) => Finding::Satisfies { tag, constraint },
        Some(constraint) if version.is_prerelease() && !constraint.admits_prereleases() => {
            Finding::PreRelease { tag, constraint }
        }
        Some(constraint) => Finding::Unsatisfied { tag, constraint },
    }
}

#[cfg(test)]
mod tests;
