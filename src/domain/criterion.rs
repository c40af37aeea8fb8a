//! What a target of a `generic` receiver's action has to be, with every template already evaluated: pure.

use std::fmt;

use super::small_map::SmallMap;
use super::target::TargetKind;

/// The labels of an object.
pub type Labels = SmallMap<Box<str>>;

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

/// How many objects the criteria of one request may still look at. Without it, the number of criteria times that of
/// objects would be the tenants' to choose.
#[derive(Debug)]
pub struct Looks(usize);

/// The criteria of a request would look at more objects than it is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyLooks;

impl Default for Looks {
    /// Some tenths of a second at worst. The first action may use half of it: ten criteria that name nothing but
    /// labels, over 100,000 objects.
    fn default() -> Self {
        Self(2_000_000)
    }
}

impl Looks {
    /// Takes half of what is left.
    #[must_use]
    pub const fn take_half(&mut self) -> Self {
        let half = self.0 / 2;
        self.0 -= half;
        Self(half)
    }

    /// Adds what was not needed of another one.
    pub const fn give_back(&mut self, rest: &Self) {
        self.0 += rest.0;
    }

    /// The looks that are left.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.0
    }

    /// Those of the candidates that are selected. `weight` says how many looks one takes.
    ///
    /// # Errors
    /// [`TooManyLooks`] when that takes more looks than are left.
    pub fn select<T>(
        &mut self,
        candidates: impl Iterator<Item = T>,
        weight: impl Fn(&T) -> usize,
        selects: impl Fn(&T) -> bool,
    ) -> Result<Vec<T>, TooManyLooks> {
        let mut selected = Vec::new();
        for candidate in candidates {
            self.0 = self.0.checked_sub(weight(&candidate)).ok_or(TooManyLooks)?;
            if selects(&candidate) {
                selected.push(candidate);
            }
        }
        Ok(selected)
    }
}

impl Criterion {
    /// The value by which a selected object must be found in an index, if the criterion names one.
    #[must_use]
    pub fn indexed_by(&self, index: Index) -> Option<&str> {
        let requirement = self.indices.iter().find(|r| r.index == index && r.must_be_there);
        requirement.map(|requirement| requirement.value.as_str())
    }

    /// How many looks an object takes that has so many values in the index: ordinary criteria take one.
    #[must_use]
    pub fn weight(&self, indexed: usize) -> usize {
        let values = |requirement: &LabelRequirement| match requirement {
            LabelRequirement::In(_, values) | LabelRequirement::NotIn(_, values) => 1 + values.len(),
            LabelRequirement::Exists(_) | LabelRequirement::DoesNotExist(_) => 1,
        };
        1 + self.labels.iter().map(values).sum::<usize>() / 16 + self.indices.len() * indexed / 16
    }

    /// The first requirement that an object of the kind does not meet. `indexed_by` says whether it has a value in an
    /// index.
    pub fn unmet(&self, name: &str, labels: &Labels, indexed_by: impl Fn(Index, &str) -> bool) -> Option<Unmet<'_>> {
        let named = self.name.as_deref().filter(|wanted| *wanted != name).map(Unmet::Name);
        named
            .or_else(|| self.labels.iter().find(|requirement| !requirement.is_met(labels)).map(Unmet::Label))
            // As in Kargo, nothing is indexed by an empty value.
            .or_else(|| {
                self.indices.iter().find(|r| indexed_by(r.index, &r.value) != r.must_be_there).map(Unmet::Index)
            })
    }
}

/// A requirement that an object does not meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmet<'a> {
    /// Its name is another one.
    Name(&'a str),
    /// What its labels must be.
    Label(&'a LabelRequirement),
    /// What it must be indexed by.
    Index(&'a IndexRequirement),
}

impl fmt::Display for Unmet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "its name is not {name:?}"),
            Self::Label(LabelRequirement::In(key, values)) => write!(f, "its label {key} is none of {values:?}"),
            Self::Label(LabelRequirement::NotIn(key, values)) => write!(f, "its label {key} is one of {values:?}"),
            Self::Label(LabelRequirement::Exists(key)) => write!(f, "it has no label {key}"),
            Self::Label(LabelRequirement::DoesNotExist(key)) => write!(f, "it has a label {key}"),
            Self::Index(IndexRequirement { index, must_be_there, value }) => {
                let not = if *must_be_there { "not " } else { "" };
                match index {
                    Index::SubscribedUrls => write!(f, "{value:?} is {not}among its repositories"),
                    Index::PullRequestUrl => write!(f, "{value:?} is {not}among the pull requests it waits for"),
                }
            }
        }
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
        let is_indexed = |index, value: &str| index == Index::SubscribedUrls && value == "quay.io/a/b";
        criterion.unmet("storefront", &has, is_indexed).is_none()
    }

    #[test]
    fn a_request_looks_at_no_more_objects_than_it_may() {
        let mut looks = Looks(5);
        assert_eq!(looks.select(0..3, |_| 1, |n| *n > 0), Ok(vec![1, 2]));
        assert_eq!(looks.select(0..2, |_| 1, |_| false), Ok(vec![]));
        assert_eq!(looks.select(0..1, |_| 1, |_| true), Err(TooManyLooks));
        assert_eq!(looks.select(0..0, |_| 1, |_| true), Ok(vec![]));
    }

    #[test]
    fn what_is_not_met_is_said_in_words() {
        let values = || vec!["web".to_owned()];
        let index = |must_be_there| IndexRequirement { index: Index::SubscribedUrls, must_be_there, value: "u".into() };
        for (unmet, words) in [
            (Unmet::Name("a"), r#"its name is not "a""#),
            (Unmet::Label(&LabelRequirement::In("team".into(), values())), r#"its label team is none of ["web"]"#),
            (Unmet::Label(&LabelRequirement::NotIn("team".into(), values())), r#"its label team is one of ["web"]"#),
            (Unmet::Label(&LabelRequirement::Exists("team".into())), "it has no label team"),
            (Unmet::Label(&LabelRequirement::DoesNotExist("team".into())), "it has a label team"),
            (Unmet::Index(&index(true)), r#""u" is not among its repositories"#),
            (Unmet::Index(&index(false)), r#""u" is among its repositories"#),
        ] {
            assert_eq!(unmet.to_string(), words);
        }
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
