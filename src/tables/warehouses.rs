//! The table of subscriptions: repository → Warehouses with compiled selectors.
//!
//! Written by the Warehouse watch, read by every delivery. Selectors are compiled here, when a Warehouse changes, never
//! while a sender waits. One broken subscription excludes itself only.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use parking_lot::RwLock;
use serde_json::Value;

use crate::domain::criterion::{Criterion, Index, Labels, Looks, TooManyLooks, Unmet};
use crate::domain::event::PushEvent;
use crate::domain::scope::{ObjectKey, Scope, within_reach};
use crate::domain::subscription::{self, Repositories, Subscription, SubscriptionError};

/// The index. Readers take the lock for the time of one look-up; nobody holds it across an await.
#[derive(Default)]
pub struct SubscriptionIndex {
    tables: RwLock<Tables>,
}

#[derive(Default)]
struct Tables {
    /// In order, so that those of a project stand together.
    warehouses: BTreeMap<ObjectKey, Arc<Warehouse>>,
    /// By normalised URL. Images, charts and Git repositories share one space, as in Kargo: what was pushed to
    /// `quay.io/a/b` concerns whoever subscribes to that string in whatever role. Git repositories are found by their
    /// identity as well; whoever is found is asked again what it subscribes to.
    by_repository: HashMap<Arc<str>, Vec<Arc<Warehouse>>>,
    totals: BTreeMap<&'static str, usize>,
    rejected: usize,
}

/// What one Warehouse subscribes to.
pub struct Warehouse {
    /// Namespace and name.
    pub key: ObjectKey,
    /// In the order of the spec; an entry that cannot be understood says why.
    pub subscriptions: Box<[Result<Subscription, SubscriptionError>]>,
    labels: Labels,
    /// `metadata.generation`, which changes with the spec only.
    generation: Option<i64>,
}

/// The Warehouses that an event concerns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// To be refreshed; sorted and distinct.
    pub warehouses: Vec<ObjectKey>,
    /// How many Warehouses within reach subscribe to one of the repositories.
    pub subscribed: usize,
    /// Why subscriptions to the repositories did not match, by reason.
    pub not_matched: BTreeMap<&'static str, usize>,
}

/// What is in the index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Warehouses.
    pub warehouses: usize,
    /// Subscriptions by kind.
    pub by_kind: BTreeMap<&'static str, usize>,
    /// Subscriptions that accept no tag because they cannot be understood.
    pub rejected: usize,
}

impl Warehouse {
    /// Decodes the text of a Warehouse's `spec`. It never fails: what cannot be understood is an entry that says so.
    #[must_use]
    pub fn decode(key: ObjectKey, spec: &str) -> Self {
        let subscriptions = match serde_json::from_str::<Value>(spec) {
            Ok(spec) => subscription::subscriptions(&spec).into_boxed_slice(),
            Err(_) => Box::new([Err(SubscriptionError::too_deep())]),
        };
        Self { key, subscriptions, labels: Labels::new(), generation: None }
    }

    /// The first requirement of a criterion for Warehouses that this one does not meet.
    #[must_use]
    pub fn unmet<'a>(&self, criterion: &'a Criterion) -> Option<Unmet<'a>> {
        criterion.unmet(&self.key.name, &self.labels, |index, value| {
            let mut subscriptions = self.subscriptions.iter().flatten();
            index == Index::SubscribedUrls && subscriptions.any(|subscription| subscription.repository == value)
        })
    }

    /// Everything under which the Warehouse is found, each once.
    fn keys(&self) -> Vec<&str> {
        let subscriptions = self.subscriptions.iter().flatten();
        let mut keys: Vec<&str> =
            subscriptions.flat_map(|s| s.identity.as_deref().into_iter().chain([s.repository.as_str()])).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

impl SubscriptionIndex {
    /// Adds a Warehouse or replaces what was known about it. Broken subscriptions are logged.
    ///
    /// Most changes of a Warehouse are its status and our own annotation; with a `generation` and labels that are known
    /// already nothing is decoded.
    pub fn apply(&self, key: &ObjectKey, generation: Option<i64>, labels: Labels, spec: &str) {
        if generation.is_some() && self.is_known(key, generation, &labels) {
            return;
        }
        // Decoded outside the lock: compiling may take a while.
        let mut warehouse = Warehouse::decode(key.clone(), spec);
        for (subscription, problem) in problems(&warehouse) {
            tracing::warn!(warehouse = %key, subscription, problem, "subscription cannot be evaluated, it accepts no tag");
        }
        (warehouse.generation, warehouse.labels) = (generation, labels);
        let mut tables = self.tables.write();
        tables.remove(key);
        tables.insert(Arc::new(warehouse));
    }

    fn is_known(&self, key: &ObjectKey, generation: Option<i64>, labels: &Labels) -> bool {
        let tables = self.tables.read();
        let is_same = |known: &&Arc<Warehouse>| known.generation == generation && known.labels == *labels;
        tables.warehouses.get(key).is_some_and(|known| is_same(&known))
    }

    /// Removes a Warehouse.
    pub fn remove(&self, key: &ObjectKey) {
        self.tables.write().remove(key);
    }

    /// Every Warehouse, by namespace and name.
    #[must_use]
    pub fn keys(&self) -> HashSet<ObjectKey> {
        self.tables.read().warehouses.keys().cloned().collect()
    }

    /// The Warehouses within reach that one of the events concerns.
    #[must_use]
    pub fn select(&self, scope: &Scope, events: &[PushEvent]) -> Selection {
        let mut selection = Selection::default();
        let tables = self.tables.read();
        let mut subscribed = Vec::new();
        for event in events {
            let about = Repositories::new(&event.repositories);
            let found = about.keys().filter_map(|key| tables.by_repository.get(key)).flatten();
            let mut found: Vec<_> = found.filter(|warehouse| scope.covers(&warehouse.key.namespace)).collect();
            found.sort_unstable_by(|a, b| a.key.cmp(&b.key));
            found.dedup_by(|a, b| a.key == b.key);
            subscribed.extend(found.into_iter().filter(|warehouse| selection.add(warehouse, &about, event)));
        }
        subscribed.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        subscribed.dedup_by(|a, b| a.key == b.key);
        selection.subscribed = subscribed.len();
        selection.warehouses.sort_unstable();
        selection.warehouses.dedup();
        selection
    }

    /// The Warehouses within reach that a criterion selects, in no particular order.
    ///
    /// # Errors
    /// [`TooManyLooks`] when that takes more looks than there are.
    pub fn selected_by(
        &self,
        scope: &Scope,
        criterion: &Criterion,
        looks: &mut Looks,
    ) -> Result<Vec<ObjectKey>, TooManyLooks> {
        let tables = self.tables.read();
        let selects = |warehouse: &&Arc<Warehouse>| {
            scope.covers(&warehouse.key.namespace) && warehouse.unmet(criterion).is_none()
        };
        // Whoever must subscribe to a repository is found by it, and whoever has a name in a project by that.
        let selected = match (criterion.indexed_by(Index::SubscribedUrls), scope, &criterion.name) {
            (_, Scope::Project(project), Some(name)) => {
                looks.select(tables.warehouses.get(&ObjectKey::new(project, name)).into_iter(), selects)?
            }
            (Some(repository), _, _) => {
                looks.select(tables.by_repository.get(repository).into_iter().flatten(), selects)?
            }
            (None, _, _) => looks.select(within_reach(&tables.warehouses, scope).map(|(_, it)| it), selects)?,
        };
        Ok(selected.into_iter().map(|warehouse| warehouse.key.clone()).collect())
    }

    /// Every Warehouse, by namespace and name.
    #[must_use]
    pub fn warehouses(&self) -> Vec<Arc<Warehouse>> {
        self.tables.read().warehouses.values().cloned().collect()
    }

    /// What is in the index.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let tables = self.tables.read();
        Totals { warehouses: tables.warehouses.len(), by_kind: tables.totals.clone(), rejected: tables.rejected }
    }
}

impl Selection {
    /// Adds the Warehouse if one of its subscriptions to the repositories accepts the event; notes why the others do not.
    /// Says whether it subscribes to them at all.
    fn add(&mut self, warehouse: &Warehouse, about: &Repositories<'_>, event: &PushEvent) -> bool {
        let (mut subscribed, mut matched) = (false, false);
        for subscription in warehouse.subscriptions.iter().flatten().filter(|s| about.include(s)) {
            subscribed = true;
            match not_matched(subscription, event) {
                None => matched = true,
                Some(reason) => *self.not_matched.entry(reason).or_default() += 1,
            }
        }
        if matched {
            self.warehouses.push(warehouse.key.clone());
        }
        subscribed
    }
}

/// Whether a subscription is concerned by one of the events, and why, in words for a person.
#[must_use]
pub fn explain(subscription: &Subscription, events: &[PushEvent]) -> (bool, String) {
    let mut explanation = (false, "another repository than the one the event is about".to_owned());
    for event in events.iter().filter(|event| Repositories::new(&event.repositories).include(subscription)) {
        let PushEvent { qualifiers, changed_files, default_branch, .. } = event;
        let judgement = subscription.judge(qualifiers, changed_files, default_branch.as_deref());
        explanation = (judgement.matched, subscription.explained(&judgement));
        if judgement.matched {
            break;
        }
    }
    explanation
}

/// Why a subscription to the pushed repository does not accept the event; `None` when it does.
fn not_matched(subscription: &Subscription, event: &PushEvent) -> Option<&'static str> {
    let PushEvent { qualifiers, changed_files, default_branch, .. } = event;
    let judgement = subscription.judge(qualifiers, changed_files, default_branch.as_deref());
    (!judgement.matched).then(|| judgement.reason.code())
}

fn problems(warehouse: &Warehouse) -> impl Iterator<Item = (usize, String)> + '_ {
    warehouse.subscriptions.iter().enumerate().filter_map(|(index, subscription)| match subscription {
        Ok(Subscription { selector: Ok(_), .. }) => None,
        Ok(Subscription { selector: Err(error), .. }) => Some((index, error.to_string())),
        Err(error) => Some((index, error.to_string())),
    })
}

impl Tables {
    fn insert(&mut self, warehouse: Arc<Warehouse>) {
        for key in warehouse.keys() {
            match self.by_repository.get_mut(key) {
                Some(subscribers) => subscribers.push(Arc::clone(&warehouse)),
                None => drop(self.by_repository.insert(Arc::from(key), vec![Arc::clone(&warehouse)])),
            }
        }
        self.count(&warehouse, 1);
        self.warehouses.insert(warehouse.key.clone(), warehouse);
    }

    fn remove(&mut self, key: &ObjectKey) {
        let Some(warehouse) = self.warehouses.remove(key) else {
            return;
        };
        self.count(&warehouse, -1);
        for found_by in warehouse.keys() {
            if let Some(subscribers) = self.by_repository.get_mut(found_by) {
                subscribers.retain(|subscriber| subscriber.key != *key);
                if subscribers.is_empty() {
                    self.by_repository.remove(found_by);
                }
            }
        }
    }

    fn count(&mut self, warehouse: &Warehouse, sign: isize) {
        for subscription in warehouse.subscriptions.iter().flatten() {
            let total = self.totals.entry(subscription.kind.as_str()).or_default();
            *total = total.saturating_add_signed(sign);
        }
        let rejected = isize::try_from(problems(warehouse).count()).unwrap_or(isize::MAX);
        self.rejected = self.rejected.saturating_add_signed(rejected * sign);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::criterion::{IndexRequirement, LabelRequirement};
    use crate::domain::target::TargetKind;

    fn event(repository: &str, tags: &[&str]) -> PushEvent {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        PushEvent::new("repo_push".into(), vec![repository.to_owned()], tags)
    }

    fn image(repository: &str, constraint: &str) -> Value {
        json!({"image": {"repoURL": repository, "constraint": constraint}})
    }

    fn index(warehouses: &[(&str, &str, Value)]) -> SubscriptionIndex {
        let index = SubscriptionIndex::default();
        for (namespace, name, subscriptions) in warehouses {
            index.apply(
                &ObjectKey::new(namespace, name),
                None,
                Labels::new(),
                &json!({"subscriptions": subscriptions}).to_string(),
            );
        }
        index
    }

    fn names(selection: &Selection) -> Vec<String> {
        selection.warehouses.iter().map(ToString::to_string).collect()
    }

    fn project(name: &str) -> Scope {
        Scope::Project(Arc::from(name))
    }

    #[test]
    fn only_accepting_subscribers_within_reach_are_selected() {
        let index = index(&[
            ("a", "one", json!([image("quay.io/x/y", "^1.0.0")])),
            ("a", "two", json!([image("quay.io/x/y", "^2.0.0")])),
            ("a", "other", json!([image("quay.io/x/z", "^1.0.0")])),
            ("b", "one", json!([image("quay.io/x/y", "^1.0.0")])),
        ]);
        let selection = index.select(&project("a"), &[event("quay.io/x/y", &["1.4.2"])]);
        assert_eq!(names(&selection), ["a/one"]);
        assert_eq!(selection.subscribed, 2);
        assert_eq!(selection.not_matched.values().sum::<usize>(), 1);
        assert_eq!(names(&index.select(&Scope::Cluster, &[event("quay.io/x/y", &["1.4.2"])])), ["a/one", "b/one"]);
        assert_eq!(names(&index.select(&project("a"), &[event("quay.io/x/y", &[])])), ["a/one", "a/two"]);
    }

    #[test]
    fn the_qualifiers_of_one_event_do_not_count_for_another() {
        let index = index(&[
            ("a", "one", json!([image("quay.io/x/y", "^1.0.0")])),
            ("a", "two", json!([image("quay.io/x/z", "^2.0.0")])),
        ]);
        let crossed = [event("quay.io/x/y", &["2.0.0"]), event("quay.io/x/z", &["1.0.0"])];
        let selection = index.select(&Scope::Cluster, &crossed);
        assert_eq!((names(&selection).len(), selection.subscribed), (0, 2));
        let straight = [event("quay.io/x/y", &["1.0.0"]), event("quay.io/x/z", &["2.0.0"])];
        assert_eq!(names(&index.select(&Scope::Cluster, &straight)), ["a/one", "a/two"]);
        for warehouse in index.warehouses() {
            let subscription = warehouse.subscriptions[0].as_ref().unwrap();
            assert!(explain(subscription, &straight).0 && !explain(subscription, &crossed).0);
        }
    }

    #[test]
    fn every_spelling_of_a_git_repository_is_found_and_nothing_else_that_looks_like_it() {
        let git = |repository: &str| json!([{"git": {"repoURL": repository, "branch": "main"}}]);
        let index = index(&[
            ("a", "https", git("https://git.example.com/x/y.git")),
            ("a", "scp", git("git@git.example.com:x/y.git")),
            ("a", "port", git("ssh://git@git.example.com:2222/x/y")),
            ("a", "user", git("http://mira@git.example.com/X/Y/")),
            ("a", "other", git("git@git.example.com:x/z.git")),
            ("a", "image", json!([{"image": {"repoURL": "git.example.com/x/y", "imageSelectionStrategy": "Lexical"}}])),
            ("a", "chart", json!([{"chart": {"repoURL": "oci://git.example.com/x/y"}}])),
        ]);
        let pushed = |urls: &[&str]| {
            let urls = urls.iter().map(|url| (*url).to_owned()).collect();
            index.select(&project("a"), &[PushEvent::new("push".into(), urls, vec!["refs/heads/main".to_owned()])])
        };
        let all = ["a/https", "a/port", "a/scp", "a/user"];
        for url in ["https://git.example.com/x/y", "ssh://git@git.example.com/x/y", "ssh://git.example.com:7999/x/y"] {
            assert_eq!(names(&pushed(&[url])), all, "{url}");
        }
        // Of several spellings in one event each Warehouse counts once.
        let both = pushed(&["https://git.example.com/x/y", "ssh://git@git.example.com/x/y"]);
        assert_eq!((names(&both).len(), both.subscribed), (4, 4));
        let image = index.select(&project("a"), &[event("git.example.com/x/y", &["1.0.0"])]);
        assert_eq!((names(&image), image.subscribed), (vec!["a/chart".to_owned(), "a/image".to_owned()], 2));
    }

    #[test]
    fn a_broken_subscription_excludes_itself_only() {
        let bad = json!({"image": {"repoURL": "quay.io/x/y", "allowTagsRegexes": ["["]}});
        let index = index(&[
            ("a", "bad", json!([bad])),
            ("a", "both", json!([bad, image("quay.io/x/y", "^1.0.0")])),
            ("a", "odd", json!(["text", 7, {"image": []}, image("quay.io/x/y", "^1.0.0")])),
        ]);
        let selection = index.select(&project("a"), &[event("quay.io/x/y", &["1.4.2"])]);
        assert_eq!(names(&selection), ["a/both", "a/odd"]);
        assert_eq!(selection.not_matched["invalid_subscription"], 2);
        assert_eq!(index.totals().rejected, 5);
    }

    #[test]
    fn a_changed_or_deleted_warehouse_leaves_nothing_behind() {
        let index = index(&[("a", "one", json!([image("quay.io/x/y", "^1.0.0")]))]);
        let key = ObjectKey::new("a", "one");
        index.apply(&key, None, Labels::new(), &json!({"subscriptions": [image("quay.io/x/z", "^1.0.0")]}).to_string());
        assert!(names(&index.select(&Scope::Cluster, &[event("quay.io/x/y", &["1.0.0"])])).is_empty());
        assert_eq!(names(&index.select(&Scope::Cluster, &[event("quay.io/x/z", &["1.0.0"])])), ["a/one"]);
        index.remove(&key);
        assert_eq!(index.totals(), Totals { by_kind: BTreeMap::from([("image", 0)]), ..Totals::default() });
        assert!(index.tables.read().by_repository.is_empty());
    }

    #[test]
    fn a_known_generation_is_not_decoded_again() {
        let (index, key) = (SubscriptionIndex::default(), ObjectKey::new("a", "one"));
        let spec = |repository| json!({"subscriptions": [image(repository, "^1.0.0")]}).to_string();
        index.apply(&key, Some(1), Labels::new(), &spec("quay.io/x/y"));
        index.apply(&key, Some(1), Labels::new(), "not even JSON");
        assert_eq!(names(&index.select(&Scope::Cluster, &[event("quay.io/x/y", &["1.0.0"])])), ["a/one"]);
        index.apply(&key, Some(2), Labels::new(), &spec("quay.io/x/z"));
        assert!(names(&index.select(&Scope::Cluster, &[event("quay.io/x/y", &["1.0.0"])])).is_empty());
    }

    #[test]
    fn a_spec_nested_beyond_reason_is_one_broken_entry() {
        let spec = format!(r#"{{"subscriptions":{}{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
        let index = SubscriptionIndex::default();
        index.apply(&ObjectKey::new("a", "deep"), None, Labels::new(), &spec);
        assert_eq!(index.totals().rejected, 1);
    }

    #[test]
    fn a_criterion_selects_by_labels_even_when_only_they_change_and_by_repository() {
        let (index, key) = (SubscriptionIndex::default(), ObjectKey::new("a", "one"));
        let spec = json!({"subscriptions": [image("quay.io/x/y", "^1.0.0")]}).to_string();
        let labels = |team: &str| Labels::from([("team".into(), team.into())]);
        index.apply(&key, Some(1), labels("web"), &spec);
        index.apply(&key, Some(1), labels("api"), &spec);
        let criterion = |team: &str, repository: &str, must_be_there| Criterion {
            kind: TargetKind::Warehouse,
            name: None,
            labels: vec![LabelRequirement::In("team".to_owned(), vec![team.to_owned()])],
            indices: vec![IndexRequirement {
                index: Index::SubscribedUrls,
                must_be_there,
                value: repository.to_owned(),
            }],
        };
        let selected = |criterion| index.selected_by(&project("a"), &criterion, &mut Looks::default()).unwrap().len();
        assert_eq!(selected(criterion("api", "quay.io/x/y", true)), 1);
        assert_eq!(selected(criterion("web", "quay.io/x/y", true)), 0);
        assert_eq!(selected(criterion("api", "quay.io/x/y", false)), 0);
        assert_eq!(selected(criterion("api", "quay.io/x/z", false)), 1);
        let elsewhere = criterion("api", "quay.io/x/y", true);
        assert!(index.selected_by(&project("b"), &elsewhere, &mut Looks::default()).unwrap().is_empty());
    }
}
