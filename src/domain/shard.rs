//! Which namespaces an installation serves, where several share a cluster: pure.
//!
//! By names, not by labels: a name never changes, so an object belongs to one installation for as long as it lives, and
//! no watch has to wait for another one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name of a namespace, in bytes.
const MAX_NAME: usize = 63;
/// Names that a field selector lists at most: the whole selector is part of a URL.
const MAX_SELECTED: usize = 32;

/// The name of a namespace, or the beginning of names with an asterisk behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    text: String,
    is_beginning: bool,
}

/// A text is not a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write the name of a namespace, or the beginning of names with * behind it, such as team-a-*")]
pub struct InvalidPattern;

/// Settings that contradict each other, or leave something open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidShard {
    /// A pattern that selects nothing.
    #[error("--namespaces has {0}, all of which --excluded-namespaces excludes: leave one of the two out")]
    NothingLeft(Pattern),
    /// Nobody might serve the receivers of the cluster, or two installations.
    #[error(
        "--namespaces or --excluded-namespaces is given without --cluster-receivers: say on or off. One installation of a \
         cluster serves the receivers of ClusterConfigs and ClusterReceivers, and they reach its namespaces only"
    )]
    ClusterReceivers,
}

/// The part of a cluster that an installation serves; by default all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Shard {
    /// Only these namespaces; none: all.
    namespaces: Vec<Pattern>,
    /// None of these namespaces.
    excluded_namespaces: Vec<Pattern>,
    /// Also the objects of the cluster.
    cluster_receivers: bool,
}

impl Default for Shard {
    fn default() -> Self {
        Self { namespaces: Vec::new(), excluded_namespaces: Vec::new(), cluster_receivers: true }
    }
}

impl Shard {
    /// The namespaces that are named, all if none is, without those excluded, and the objects of the cluster if so
    /// decided.
    ///
    /// # Errors
    /// When a name is excluded at once, or when nothing is said about the objects of the cluster and it matters.
    pub fn new(
        namespaces: Vec<Pattern>,
        excluded_namespaces: Vec<Pattern>,
        cluster_receivers: Option<bool>,
    ) -> Result<Self, InvalidShard> {
        let is_excluded = |pattern: &&Pattern| excluded_namespaces.iter().any(|other| other.covers(pattern));
        if let Some(pattern) = namespaces.iter().find(is_excluded) {
            return Err(InvalidShard::NothingLeft(pattern.clone()));
        }
        let shard = Self { namespaces, excluded_namespaces, cluster_receivers: cluster_receivers.unwrap_or(true) };
        if cluster_receivers.is_none() && !shard.is_whole() {
            return Err(InvalidShard::ClusterReceivers);
        }
        Ok(shard)
    }

    /// Whether it serves the objects of a namespace.
    #[must_use]
    pub fn serves(&self, namespace: &str) -> bool {
        let within = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(namespace));
        (self.namespaces.is_empty() || within(&self.namespaces)) && !within(&self.excluded_namespaces)
    }

    /// Whether it serves an object of this namespace; `None`: of the cluster.
    #[must_use]
    pub fn serves_object(&self, namespace: Option<&str>) -> bool {
        namespace.map_or(self.cluster_receivers, |namespace| self.serves(namespace))
    }

    /// Whether it serves all namespaces.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.namespaces.is_empty() && self.excluded_namespaces.is_empty()
    }

    /// What the API server can leave out by itself. Its selectors know neither "one of" nor beginnings, so that what
    /// passes them may still be another installation's.
    #[must_use]
    pub fn field_selector(&self) -> Option<String> {
        if let [Pattern { text, is_beginning: false }] = self.namespaces.as_slice() {
            return Some(format!("metadata.namespace={text}"));
        }
        let excluded = self.excluded_namespaces.iter().filter(|pattern| !pattern.is_beginning).take(MAX_SELECTED);
        let terms: Vec<_> = excluded.map(|Pattern { text, .. }| format!("metadata.namespace!={text}")).collect();
        (!terms.is_empty()).then(|| terms.join(","))
    }

    /// The same for Secrets: the receivers of the cluster have theirs in any namespace.
    #[must_use]
    pub fn secret_selector(&self) -> Option<String> {
        self.field_selector().filter(|_| !self.cluster_receivers)
    }
}

impl fmt::Display for Shard {
    /// As it follows "serves".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |patterns: &[Pattern]| patterns.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match self.namespaces.as_slice() {
            [] => f.write_str("all namespaces")?,
            some => write!(f, "the namespaces {}", list(some))?,
        }
        if !self.excluded_namespaces.is_empty() {
            write!(f, " without {}", list(&self.excluded_namespaces))?;
        }
        f.write_str(if self.cluster_receivers { " and the receivers of the cluster" } else { "" })
    }
}

impl Pattern {
    fn matches(&self, name: &str) -> bool {
        if self.is_beginning { name.starts_with(&self.text) } else { name == self.text }
    }

    /// Whether it matches whatever the other one matches.
    fn covers(&self, other: &Self) -> bool {
        if self.is_beginning { other.text.starts_with(&self.text) } else { self == other }
    }
}

impl FromStr for Pattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let text = text.trim();
        let beginning = text.strip_suffix('*');
        let name = beginning.unwrap_or(text);
        let is_part = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        let is_edge_valid = !name.starts_with('-') && (beginning.is_some() || !name.ends_with('-'));
        if name.is_empty() || name.len() > MAX_NAME || !is_part || !is_edge_valid {
            return Err(InvalidPattern);
        }
        Ok(Self { text: name.to_owned(), is_beginning: beginning.is_some() })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.text, if self.is_beginning { "*" } else { "" })
    }
}

impl TryFrom<String> for Pattern {
    type Error = InvalidPattern;

    fn try_from(text: String) -> Result<Self, InvalidPattern> {
        text.parse()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn patterns(texts: &[&str]) -> Vec<Pattern> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn shard(namespaces: &[&str], excluded: &[&str]) -> Shard {
        Shard::new(patterns(namespaces), patterns(excluded), Some(false)).unwrap()
    }

    #[test]
    fn it_serves_what_is_named_and_not_excluded() {
        let whole = Shard::new(Vec::new(), Vec::new(), None).unwrap();
        assert_eq!(whole, Shard::default());
        assert!(whole.serves("anything") && whole.serves_object(None) && whole.is_whole());
        let some = shard(&["web", "team-a-*"], &["team-a-secret"]);
        for (name, is_served) in [
            ("web", true),
            ("web-2", false),
            ("team-a-", true),
            ("team-a-shop", true),
            ("team-a", false),
            ("team-a-secret", false),
            ("team-b-shop", false),
        ] {
            assert_eq!(some.serves(name), is_served, "{name}");
            assert_eq!(some.serves_object(Some(name)), is_served, "{name}");
        }
        assert!(!some.serves_object(None));
    }

    #[test]
    fn patterns_are_names_or_beginnings_of_names() {
        for text in ["a", "team-a", "team-a-*", "0*", &"x".repeat(63)] {
            assert_eq!(text.parse::<Pattern>().unwrap().to_string(), text);
        }
        for text in ["", "*", "-a", "a-", "A", "a*b", "a**", "a.b", "a/b", "*a", &"x".repeat(64)] {
            assert_eq!(text.parse::<Pattern>(), Err(InvalidPattern), "{text}");
        }
    }

    #[test]
    fn what_contradicts_itself_or_leaves_a_question_is_refused() {
        let new = |names: &[&str], excluded: &[&str], cluster| Shard::new(patterns(names), patterns(excluded), cluster);
        for (names, excluded) in [(["a", "b"], ["b", "c"]), (["a", "team-a-*"], ["team-*", "c"])] {
            let refused = new(&names, &excluded, Some(true)).unwrap_err();
            assert_eq!(refused, InvalidShard::NothingLeft(names[1].parse().unwrap()));
        }
        assert!(new(&["team-*"], &["team-a", "team-b-*"], Some(true)).is_ok());
        assert_eq!(new(&["a"], &[], None), Err(InvalidShard::ClusterReceivers));
        assert_eq!(new(&[], &["a"], None), Err(InvalidShard::ClusterReceivers));
    }

    #[test]
    fn the_api_server_leaves_out_what_its_selectors_can_say() {
        let selector = |namespaces: &[&str], excluded: &[&str]| shard(namespaces, excluded).field_selector();
        assert_eq!(Shard::default().field_selector(), None);
        assert_eq!(selector(&["a"], &["b"]).as_deref(), Some("metadata.namespace=a"));
        assert_eq!(selector(&["a", "b"], &[]), None);
        assert_eq!(selector(&["a-*"], &[]), None);
        let with_cluster = Shard::new(patterns(&["a"]), Vec::new(), Some(true)).unwrap();
        assert_eq!(with_cluster.secret_selector(), None, "the system namespace is another one");
        assert_eq!(shard(&["a"], &[]).secret_selector().as_deref(), Some("metadata.namespace=a"));
        let both = "metadata.namespace!=a,metadata.namespace!=b";
        assert_eq!(selector(&[], &["a", "c-*", "b"]).as_deref(), Some(both));
        let many: Vec<_> = (0..100).map(|number| format!("n{number}")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert_eq!(selector(&[], &many).unwrap().matches("!=").count(), MAX_SELECTED);
    }

    #[test]
    fn it_survives_json() {
        let some = shard(&["web", "team-a-*"], &["team-a-secret"]);
        let text = serde_json::to_string(&some).unwrap();
        assert_eq!(serde_json::from_str::<Shard>(&text).unwrap(), some);
        assert_eq!(some.to_string(), "the namespaces web, team-a-* without team-a-secret");
    }

    proptest! {
        #[test]
        fn a_list_and_its_exclusion_divide_the_cluster(
            texts in prop::collection::vec("[ab]{1,3}\\*?", 1..4),
            name in "[ab]{1,5}",
        ) {
            let texts: Vec<_> = texts.iter().map(String::as_str).collect();
            let (one, other) = (shard(&texts, &[]), shard(&[], &texts));
            prop_assert!(one.serves(&name) != other.serves(&name));
            for shard in [one, other] {
                let selector = shard.field_selector().unwrap_or_default();
                let passes = selector.split(',').filter(|term| !term.is_empty()).all(|term| match term.split_once("!=") {
                    Some((_, excluded)) => excluded != name,
                    None => term.strip_prefix("metadata.namespace=") == Some(name.as_str()),
                });
                prop_assert!(passes || !shard.serves(&name), "{} hides {}", selector, name);
            }
        }
    }
}
