//! Which projects a receiver of the whole cluster may refresh, where that is narrowed down: pure.
//!
//! Kargo's CRD has no field for it, so it is said in annotations, see [`ProjectFilter::parse`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::criterion::Labels;
use super::label;
use super::scope::Scope;

/// The annotation with the names of projects, separated by commas.
pub const PROJECTS: &str = "quayside.dev/projects";
/// The annotation with a label selector for the projects' namespaces, as `kubectl get -l` takes it.
pub const PROJECT_SELECTOR: &str = "quayside.dev/project-selector";

/// Narrows the cluster down to some of its projects. Without anything set it does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectFilter {
    names: Option<BTreeSet<Box<str>>>,
    labels: Option<Vec<Requirement>>,
}

/// A requirement on one label: it is there with one of the values (any, if none is given), or it is not.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: Box<str>,
    values: Vec<Box<str>>,
    must_match: bool,
}

impl ProjectFilter {
    /// Reads the two annotations. With both, a project has to be named and to have the labels.
    ///
    /// # Errors
    /// What is wrong with an annotation, for a person.
    pub fn parse(projects: Option<&str>, selector: Option<&str>) -> Result<Self, String> {
        let names = projects.map(|text| text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(Into::into));
        let names: Option<BTreeSet<Box<str>>> = names.map(Iterator::collect);
        if names.as_ref().is_some_and(BTreeSet::is_empty) {
            return Err(format!(
                "the annotation {PROJECTS} names no project; name some, separated by commas, or remove it"
            ));
        }
        Ok(Self { names, labels: selector.map(requirements).transpose()? })
    }

    /// Whether every project is within reach.
    #[must_use]
    pub const fn is_all(&self) -> bool {
        self.names.is_none() && self.labels.is_none()
    }

    /// Whether the labels of namespaces play a role.
    #[must_use]
    pub const fn looks_at_labels(&self) -> bool {
        self.labels.is_some()
    }

    /// What is within reach, given the labels of all namespaces.
    #[must_use]
    pub fn scope(&self, namespaces: &BTreeMap<Box<str>, Labels>) -> Scope {
        let named = |name: &str| self.names.as_ref().is_none_or(|names| names.contains(name));
        match &self.labels {
            None if self.names.is_none() => Scope::Cluster,
            // A project that does not exist yet is within reach as soon as it does.
            None => Scope::Projects(Arc::new(self.names.clone().unwrap_or_default())),
            Some(requirements) => {
                let selected = namespaces.iter().filter(|(name, labels)| {
                    named(name) && requirements.iter().all(|requirement| requirement.is_met(labels))
                });
                Scope::Projects(Arc::new(selected.map(|(name, _)| name.clone()).collect()))
            }
        }
    }
}

impl Requirement {
    fn is_met(&self, labels: &Labels) -> bool {
        let matches = |value: &str| self.values.is_empty() || self.values.iter().any(|wanted| **wanted == *value);
        labels.get(&self.key).is_some_and(|value| matches(value)) == self.must_match
    }
}

/// Reads `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b,c)`, `a` and `!a`, separated by commas.
fn requirements(text: &str) -> Result<Vec<Requirement>, String> {
    let wrong = |part: &str| {
        format!(
            "the annotation {PROJECT_SELECTOR} is not a label selector at {part:?}; write for example team=web,env!=dev or \
             team in (web, api)"
        )
    };
    let mut found = Vec::new();
    for part in split(text) {
        let part = part.trim();
        let requirement = requirement(part).ok_or_else(|| wrong(part))?;
        if !label::is_key(&requirement.key) {
            return Err(wrong(part));
        }
        found.push(requirement);
    }
    Ok(found)
}

fn requirement(part: &str) -> Option<Requirement> {
    let of =
        |key: &str, values: Vec<Box<str>>, must_match| Some(Requirement { key: key.trim().into(), values, must_match });
    if let Some(list) = part.strip_suffix(')') {
        let (head, list) = list.split_once('(')?;
        let (key, operator) = head.trim().rsplit_once(' ')?;
        let values: Vec<Box<str>> = list.split(',').map(|value| value.trim().into()).collect();
        return match operator {
            "in" => of(key, values, true),
            "notin" => of(key, values, false),
            _ => None,
        };
    }
    if let Some((key, value)) = part.split_once("!=") {
        return of(key, vec![value.trim().into()], false);
    }
    if let Some((key, value)) = part.split_once('=') {
        return of(key, vec![value.strip_prefix('=').unwrap_or(value).trim().into()], true);
    }
    match part.strip_prefix('!') {
        Some(key) => of(key, Vec::new(), false),
        None => of(part, Vec::new(), true),
    }
}

/// The parts between commas that are not within parentheses.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut begin, mut depth) = (Vec::new(), 0, 0_i32);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b',' if depth == 0 => {
                parts.push(&text[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[begin..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespaces() -> BTreeMap<Box<str>, Labels> {
        let namespace = |name: &str, labels: &[(&str, &str)]| {
            (name.into(), labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect())
        };
        BTreeMap::from([
            namespace("web", &[("team", "web"), ("env", "prod")]),
            namespace("web-dev", &[("team", "web"), ("env", "dev")]),
            namespace("api", &[("team", "api")]),
            namespace("plain", &[]),
        ])
    }

    fn reached(projects: Option<&str>, selector: Option<&str>) -> Vec<String> {
        let scope = ProjectFilter::parse(projects, selector).unwrap().scope(&namespaces());
        let names = ["web", "web-dev", "api", "plain", "new"];
        names.iter().filter(|name| scope.covers(name)).map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn without_annotations_everything_is_within_reach() {
        assert!(ProjectFilter::parse(None, None).unwrap().is_all());
        assert_eq!(reached(None, None).len(), 5);
    }

    #[test]
    fn projects_are_reached_by_name_by_label_or_by_both() {
        assert_eq!(reached(Some("web, new"), None), ["web", "new"]);
        for (selector, expected) in [
            ("team=web,env!=dev", vec!["web"]),
            ("team==web", vec!["web", "web-dev"]),
            ("team in (web, api)", vec!["web", "web-dev", "api"]),
            ("team notin (web,api)", vec!["plain"]),
            ("env", vec!["web", "web-dev"]),
            ("!env", vec!["api", "plain"]),
            ("env!=dev", vec!["web", "api", "plain"]),
            ("team in (web),!env", vec![]),
        ] {
            assert_eq!(reached(None, Some(selector)), expected, "{selector}");
        }
        assert_eq!(reached(Some("web-dev,api"), Some("team=web")), ["web-dev"]);
    }

    #[test]
    fn what_cannot_be_read_says_where_and_what_to_write() {
        for selector in ["", "team=web,", "in (a)", "team within (a)", "=web", "te am=web", "team in (a"] {
            let error = ProjectFilter::parse(None, Some(selector)).unwrap_err();
            assert!(error.contains("team=web,env!=dev"), "{selector}: {error}");
        }
        assert!(ProjectFilter::parse(Some(" , "), None).unwrap_err().contains("names no project"));
    }
}
