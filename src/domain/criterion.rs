//! What a target of a `generic` receiver's action has to be, with every template already evaluated: pure.

use std::collections::BTreeMap;

use super::target::TargetKind;

/// The labels of an object.
pub type Labels = BTreeMap<Box<str>, Box<str>>;

/// Selects objects of one kind that meet all of its requirements. Without any requirement it selects them all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Criterion {
    /// The kind of the objects.
    pub kind: TargetKind,
    /// The name an object must have.
    pub name: Option<String>,
    /// What its labels must be.
    pub labels: Vec<LabelRequirement>,
    /// What it must be indexed by.
    pub indices: Vec<IndexRequirement>,
}

/// A requirement on one label, with Kubernetes' operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelRequirement {
    /// The label is there and has one of the values.
    In(String, Vec<String>),
    /// The label is not there, or has none of the values.
    NotIn(String, Vec<String>),
    /// The label is there.
    Exists(String),
    /// The label is not there.
    DoesNotExist(String),
}

/// A requirement on what an object is indexed by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexRequirement {
    /// The index.
    pub index: Index,
    /// Whether the value must be there, or must not.
    pub must_be_there: bool,
    /// The value.
    pub value: String,
}

/// What objects are indexed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Index {
    /// A Warehouse by the normalised repositories it subscribes to.
    SubscribedUrls,
    /// A running Promotion by the pull requests it waits for.
    PullRequestUrl,
}

impl Criterion {
    /// Whether an object of the kind meets every requirement. `indexed_by` says whether it has a value in an index.
    pub fn selects(&self, name: &str, labels: &Labels, indexed_by: impl Fn(Index, &str) -> bool) -> bool {
        self.name.as_deref().is_none_or(|wanted| wanted == name)
            && self.labels.iter().all(|requirement| requirement.is_met(labels))
            // As in Kargo, nothing is indexed by an empty value.
            && self.indices.iter().all(|r| indexed_by(r.index, &r.value) == r.must_be_there)
    }
}

impl LabelRequirement {
    fn is_met(&self, labels: &Labels) -> bool {
        let is_one_of = |key: &str, values: &[String]| {
            labels.get(key).is_some_and(|value| values.iter().any(|wanted| **wanted == **value))
        };
        match self {
            Self::In(key, values) => is_one_of(key, values),
            Self::NotIn(key, values) => !is_one_of(key, values),
            Self::Exists(key) => labels.contains_key(key.as_str()),
            Self::DoesNotExist(key) => !labels.contains_key(key.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selects(labels: Vec<LabelRequirement>, indices: Vec<IndexRequirement>, name: Option<&str>) -> bool {
        let criterion = Criterion { kind: TargetKind::Warehouse, name: name.map(str::to_owned), labels, indices };
        let has = Labels::from([("team".into(), "web".into())]);
        criterion.selects("storefront", &has, |index, value| index == Index::SubscribedUrls && value == "quay.io/a/b")
    }

    #[test]
    fn every_requirement_must_be_met() {
        let team = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>();
        let key = || "team".to_owned();
        let in_web = || LabelRequirement::In(key(), team(&["api", "web"]));
        let url = |value: &str, must_be_there| IndexRequirement {
            index: Index::SubscribedUrls,
            must_be_there,
            value: value.to_owned(),
        };
        assert!(selects(vec![], vec![], None));
        assert!(selects(vec![in_web()], vec![url("quay.io/a/b", true)], Some("storefront")));
        assert!(!selects(vec![in_web()], vec![url("quay.io/a/b", true)], Some("other")));
        assert!(!selects(vec![LabelRequirement::NotIn(key(), team(&["web"]))], vec![], None));
        assert!(selects(vec![LabelRequirement::NotIn("zone".to_owned(), team(&["web"]))], vec![], None));
        assert!(!selects(vec![in_web(), LabelRequirement::DoesNotExist(key())], vec![], None));
        assert!(selects(vec![LabelRequirement::Exists(key())], vec![url("quay.io/a/c", false)], None));
        assert!(!selects(vec![], vec![url("quay.io/a/b", true), url("quay.io/a/c", true)], None));
    }
}
