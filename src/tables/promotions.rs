//! The table of Promotions: pull request → Promotions that wait for it.
//!
//! Written by the Promotion watch, read by the deliveries that concern pull requests, and by the actions of `generic`
//! receivers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::RwLock;
use serde_json::Value;

use crate::domain::criterion::{Criterion, Index, Labels, Looks, TooManyLooks};
use crate::domain::promotion::pull_request_urls;
use crate::domain::repo::pull_request_identity;
use crate::domain::scope::{ObjectKey, Scope, within_reach};

/// The index. Readers take the lock for the time of one look-up; nobody holds it across an await.
#[derive(Default)]
pub struct PromotionIndex {
    tables: RwLock<Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// In order, so that those of a project stand together.
    promotions: BTreeMap<ObjectKey, Promotion>,
    /// By what the spellings of a pull request's address have in common.
    by_pull_request: HashMap<Box<str>, Vec<ObjectKey>>,
}

struct Promotion {
    labels: Labels,
    pull_requests: Box<[Arc<str>]>,
}

impl PromotionIndex {
    /// Adds a Promotion or replaces what was known about it. `spec` and `status` are their texts; what cannot be
    /// understood waits for nothing.
    pub fn apply(&self, key: &ObjectKey, labels: Labels, spec: &str, status: &str) {
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
        // Most Promotions have ended, and their steps need not be read.
        let status = read(status);
        let urls = if status["phase"] == "Running" { pull_request_urls(&read(spec), &status) } else { Vec::new() };
        let mut tables = self.tables.write();
        tables.remove(key);
        tables.insert(key, labels, urls);
    }

    /// Removes a Promotion.
    pub fn remove(&self, key: &ObjectKey) {
        self.tables.write().remove(key);
    }

    /// The Promotions within reach that wait for a pull request, sorted.
    #[must_use]
    pub fn waiting_for(&self, scope: &Scope, url: &str) -> Vec<ObjectKey> {
        let tables = self.tables.read();
        let identity = pull_request_identity(url);
        let waiting = tables.by_pull_request.get(&*identity).into_iter().flatten();
        let mut found: Vec<ObjectKey> = waiting.filter(|key| scope.covers(&key.namespace)).cloned().collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The Promotions within reach that a criterion selects, in no particular order.
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
        let selects = |(key, promotion): &(&ObjectKey, &Promotion)| {
            scope.covers(&key.namespace)
                && criterion
                    .unmet(&key.name, &promotion.labels, |index, value| {
                        index == Index::PullRequestUrl && promotion.pull_requests.iter().any(|url| **url == *value)
                    })
                    .is_none()
        };
        let weight = |(_, promotion): &(&ObjectKey, &Promotion)| criterion.weight(promotion.pull_requests.len());
        let selected = match criterion.indexed_by(Index::PullRequestUrl) {
            Some(url) => {
                let waiting = tables.by_pull_request.get(&*pull_request_identity(url)).into_iter().flatten();
                looks.select(waiting.filter_map(|key| tables.promotions.get_key_value(key)), weight, selects)?
            }
            None => looks.select(
                within_reach(scope, |first| tables.promotions.range(first..), |(key, _)| key),
                weight,
                selects,
            )?,
        };
        Ok(selected.into_iter().map(|(key, _)| key.clone()).collect())
    }

    /// Every Promotion, by namespace and name.
    #[must_use]
    pub fn keys(&self) -> Vec<ObjectKey> {
        self.tables.read().promotions.keys().cloned().collect()
    }

    /// How many Promotions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tables.read().promotions.len()
    }
}

impl Waiting {
    fn insert(&mut self, key: &ObjectKey, labels: Labels, urls: Vec<String>) {
        let pull_requests: Box<[Arc<str>]> = urls.into_iter().map(Arc::from).collect();
        for url in &pull_requests {
            let waiting = self.by_pull_request.entry(pull_request_identity(url).into()).or_default();
            if waiting.last() != Some(key) {
                waiting.push(key.clone());
            }
        }
        self.promotions.insert(key.clone(), Promotion { labels, pull_requests });
    }

    fn remove(&mut self, key: &ObjectKey) {
        for url in self.promotions.remove(key).map(|promotion| promotion.pull_requests).unwrap_or_default() {
            let identity = pull_request_identity(&url);
            if let Some(waiting) = self.by_pull_request.get_mut(&*identity) {
                waiting.retain(|waiting| waiting != key);
                if waiting.is_empty() {
                    self.by_pull_request.remove(&*identity);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: &str = r#"{"steps":[{"uses":"git-wait-for-pr","as":"wait"}]}"#;

    fn status(url: &str) -> String {
        format!(r#"{{"phase":"Running","state":{{"wait":{{"pr":{{"url":"{url}"}}}}}}}}"#)
    }

    #[test]
    fn a_running_promotion_is_found_by_its_pull_request_within_reach_until_it_ends() {
        let (index, key) = (PromotionIndex::default(), ObjectKey::new("northwind", "p"));
        index.apply(&key, Labels::new(), SPEC, &status("https://h/pr/1"));
        assert_eq!(index.waiting_for(&Scope::Cluster, "https://h/pr/1"), std::slice::from_ref(&key));
        assert!(index.waiting_for(&Scope::Project("other".into()), "https://h/pr/1").is_empty());
        assert!(index.waiting_for(&Scope::Cluster, "").is_empty());
        index.apply(&key, Labels::new(), SPEC, r#"{"phase":"Succeeded"}"#);
        assert!(index.waiting_for(&Scope::Cluster, "https://h/pr/1").is_empty());
        assert!(index.tables.read().by_pull_request.is_empty());
        assert_eq!(index.keys(), [key]);
    }

    #[test]
    fn a_pull_request_is_found_under_every_spelling_of_its_address() {
        let (index, key) = (PromotionIndex::default(), ObjectKey::new("northwind", "p"));
        index.apply(&key, Labels::new(), SPEC, &status("https://dev.azure.com/org/shop/_git/web/pullrequest/7"));
        for spelling in [
            "https://dev.azure.com/org/shop/_git/web/pullrequest/7#view=discussion",
            "https://Org.visualstudio.com/DefaultCollection/shop/_git/web/pullrequest/7/",
        ] {
            assert_eq!(index.waiting_for(&Scope::Cluster, spelling), std::slice::from_ref(&key), "{spelling}");
        }
        index.remove(&key);
        assert!(index.tables.read().by_pull_request.is_empty());
    }
}
