//! From the fields of a subscription to its compiled selector.

use serde_json::Value;

use super::entry::{MisnamedConstraint, Subscription, SubscriptionKind};
use super::error::SubscriptionProblem;
use super::fields::Fields;
use super::oci_reference;
use crate::domain::go_regex::PatternBudget;
use crate::domain::path_pattern::{PathFilter, PathPattern};
use crate::domain::repo::{git_identity, is_image_reference, normalize_chart, normalize_git, normalize_image};
use crate::domain::selector::{
    ChartSelector, GitSelector, ImageSelector, Patterns, RefRule, Selector, SelectorError, TagRule, VersionRule,
};
use crate::domain::semver::{Constraint, Strictness};

type Decoded = Result<Option<Subscription>, SubscriptionProblem>;

pub(super) fn git(fields: &Fields<'_>, budget: &mut PatternBudget) -> Decoded {
    let tags = TagFields::read(fields, "semverConstraint")?;
    let url = fields.text("repoURL")?;
    let strategy = fields.text("commitSelectionStrategy")?;
    let branch = fields.text("branch")?;
    let include = fields.texts("includePaths")?;
    let exclude = fields.texts("excludePaths")?;
    fields.text("expressionFilter")?;
    fields.flag("insecureSkipTLSVerify")?;
    fields.integer("discoveryLimit")?;

    let selector = || {
        let paths = if include.is_empty() && exclude.is_empty() {
            None
        } else {
            let include = path_patterns("includePaths", &include, budget)?;
            Some(Box::new(PathFilter { include, exclude: path_patterns("excludePaths", &exclude, budget)? }))
        };
        let refs = match strategy {
            "" | "NewestFromBranch" => RefRule::Branch(Some(branch).filter(|name| !name.is_empty()).map(Into::into)),
            "NewestTag" | "Lexical" => RefRule::Tag(tags.rule(budget)?),
            "SemVer" => RefRule::Tag(tags.versions(budget)?),
            other => {
                return Err(SelectorError::UnknownStrategy {
                    field: "commitSelectionStrategy",
                    given: other.into(),
                    known: "NewestFromBranch, NewestTag, Lexical and SemVer",
                });
            }
        };
        Ok(Selector::Git(GitSelector { refs, paths }))
    };
    Ok(subscription(SubscriptionKind::Git, url, normalize_git, misnamed(fields, "semverConstraint"), selector))
}

pub(super) fn image(fields: &Fields<'_>, budget: &mut PatternBudget) -> Decoded {
    let tags = TagFields::read(fields, "constraint")?;
    let url = fields.text("repoURL")?;
    let strategy = fields.text("imageSelectionStrategy")?;
    let platform = fields.text("platform")?;
    fields.flag("insecureSkipTLSVerify")?;
    fields.integer("discoveryLimit")?;

    let selector = || {
        if !platform.is_empty() && !platform.contains('/') {
            return Err(SelectorError::Platform { given: platform.into() });
        }
        if !is_image_reference(&normalize_image(url)) {
            return Err(SelectorError::ImageReference { given: url.into() });
        }
        Ok(Selector::Image(match strategy {
            "" | "SemVer" => ImageSelector::Tag(tags.versions(budget)?),
            "Lexical" | "NewestBuild" => ImageSelector::Tag(tags.rule(budget)?),
            "Digest" => ImageSelector::Digest(tags.constraint.into()),
            other => {
                return Err(SelectorError::UnknownStrategy {
                    field: "imageSelectionStrategy",
                    given: other.into(),
                    known: "SemVer, Lexical, NewestBuild and Digest",
                });
            }
        }))
    };
    let decoded = subscription(SubscriptionKind::Image, url, normalize_image, misnamed(fields, "constraint"), selector);
    let caches_tags = fields.get("cacheByTag").and_then(Value::as_bool).unwrap_or_default();
    Ok(decoded.map(|subscription| Subscription { caches_tags, ..subscription }))
}

pub(super) fn chart(fields: &Fields<'_>) -> Decoded {
    let url = fields.text("repoURL")?;
    let semver_constraint = fields.text("semverConstraint")?;
    fields.text("name")?;
    fields.integer("discoveryLimit")?;

    let selector = || {
        if let Some(reference) = url.strip_prefix("oci://") {
            if !oci_reference::is_valid(reference) {
                return Err(SelectorError::ChartReference { given: url.into() });
            }
        } else if !url.starts_with("https://") && !url.starts_with("http://") {
            return Err(SelectorError::ChartScheme { given: url.into() });
        }
        Ok(Selector::Chart(ChartSelector { constraint: constraint("semverConstraint", semver_constraint)? }))
    };
    Ok(subscription(SubscriptionKind::Chart, url, normalize_chart, misnamed(fields, "semverConstraint"), selector))
}

/// Puts a subscription together, unless it has no URL and nothing can be compared with it.
fn subscription(
    kind: SubscriptionKind,
    url: &str,
    normalize: fn(&str) -> String,
    misnamed: Option<MisnamedConstraint>,
    selector: impl FnOnce() -> Result<Selector, SelectorError>,
) -> Option<Subscription> {
    if url.is_empty() {
        return None;
    }
    let repository = normalize(url).into_boxed_str();
    let identity = if kind == SubscriptionKind::Git { git_identity(&repository).map(Into::into) } else { None };
    Some(Subscription { kind, repository, identity, misnamed, caches_tags: false, selector: selector() })
}

/// A constraint under another name than `meant`, when there is none under that.
fn misnamed(fields: &Fields<'_>, meant: &str) -> Option<MisnamedConstraint> {
    let (other, mistake) = match meant {
        "constraint" => ("semverConstraint", MisnamedConstraint::OfImage),
        _ => ("constraint", MisnamedConstraint::OfOthers),
    };
    let is_set = |name| fields.get(name).is_some_and(|value| value.as_str() != Some(""));
    (is_set(other) && !is_set(meant)).then_some(mistake)
}

/// The fields about tags that Git and image subscriptions share.
struct TagFields<'v> {
    constraint_field: &'static str,
    constraint: &'v str,
    strict: bool,
    allow: Vec<&'v str>,
    ignore: Vec<&'v str>,
    /// The deprecated fields that are in use.
    deprecated: Option<&'static str>,
}

impl<'v> TagFields<'v> {
    fn read(fields: &Fields<'v>, constraint_field: &'static str) -> Result<Self, SubscriptionProblem> {
        let allow_tags = fields.text("allowTags")?;
        let ignore_tags = fields.texts("ignoreTags")?;
        Ok(Self {
            constraint_field,
            constraint: fields.text(constraint_field)?,
            strict: fields.flag("strictSemvers")?,
            allow: fields.texts("allowTagsRegexes")?,
            ignore: fields.texts("ignoreTagsRegexes")?,
            deprecated: match (allow_tags.is_empty(), ignore_tags.is_empty()) {
                (false, _) => Some("allowTags"),
                (true, false) => Some("ignoreTags"),
                (true, true) => None,
            },
        })
    }

    fn rule(&self, budget: &mut PatternBudget) -> Result<TagRule, SelectorError> {
        if let Some(field) = self.deprecated {
            return Err(SelectorError::Deprecated { field });
        }
        Ok(TagRule {
            allow: regexes("allowTagsRegexes", &self.allow, budget)?,
            ignore: regexes("ignoreTagsRegexes", &self.ignore, budget)?,
            version: None,
        })
    }

    fn versions(&self, budget: &mut PatternBudget) -> Result<TagRule, SelectorError> {
        let strictness = if self.strict { Strictness::Strict } else { Strictness::Lenient };
        let constraint = constraint(self.constraint_field, self.constraint)?;
        Ok(TagRule { version: Some(VersionRule { strictness, constraint }), ..self.rule(budget)? })
    }
}

fn regexes(field: &'static str, patterns: &[&str], budget: &mut PatternBudget) -> Result<Patterns, SelectorError> {
    let compile = |pattern: &&str| {
        budget.compile(pattern).map_err(|cause| SelectorError::Regex { field, pattern: (*pattern).into(), cause })
    };
    patterns.iter().map(compile).collect()
}

fn path_patterns(
    field: &'static str,
    patterns: &[&str],
    budget: &mut PatternBudget,
) -> Result<Box<[PathPattern]>, SelectorError> {
    let parse = |pattern: &&str| {
        PathPattern::parse(pattern, budget).map_err(|cause| SelectorError::Path {
            field,
            pattern: (*pattern).into(),
            cause,
        })
    };
    patterns.iter().map(parse).collect()
}

fn constraint(field: &'static str, text: &str) -> Result<Option<Constraint>, SelectorError> {
    if text.is_empty() {
        return Ok(None);
    }
    Constraint::parse(text).map(Some).map_err(|cause| SelectorError::Constraint { field, cause })
}
