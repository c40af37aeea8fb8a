//! What Kargo has discovered in the repositories of a Warehouse, and whether a push is among it.

use serde::Deserialize;

use super::event::PushEvent;
use super::repo::{git_identity, normalize_chart, normalize_git, normalize_image};
use super::selector::Selector;
use super::subscription::{Repositories, Subscription, SubscriptionKind};
use super::work::Work;

/// Whether Kargo lists what was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// Everything that a subscription accepts is listed.
    Listed,
    /// Something that a subscription accepts is not listed.
    Missing,
    /// The push does not say precisely enough what to look for.
    Unknown,
}

/// The artifacts in `status.discoveredArtifacts`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Artifacts {
    images: Option<Vec<Image>>,
    charts: Option<Vec<Chart>>,
    git: Option<Vec<Git>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Image {
    #[serde(rename = "repoURL")]
    repo_url: String,
    references: Option<Vec<Reference>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Reference {
    tag: String,
    digest: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Chart {
    #[serde(rename = "repoURL")]
    repo_url: String,
    versions: Option<Vec<String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Git {
    #[serde(rename = "repoURL")]
    repo_url: String,
    commits: Option<Vec<Commit>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Commit {
    id: String,
    tag: String,
}

impl Artifacts {
    /// Reads the text of `status.discoveredArtifacts`; `None` when it cannot be read.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Whether everything is listed that the events are about and that one of the subscriptions accepts.
    #[must_use]
    pub fn listing<'s>(&self, subscriptions: impl Iterator<Item = &'s Subscription>, events: &[PushEvent]) -> Listing {
        let about: Vec<_> = events.iter().map(|event| (Repositories::new(&event.repositories), event)).collect();
        let (mut listing, mut work) = (Listing::Unknown, Work::default());
        for subscription in subscriptions {
            for (_, event) in about.iter().filter(|(repositories, _)| repositories.include(subscription)) {
                for qualifier in &event.qualifiers {
                    if !accepts(subscription, qualifier, event, &mut work) {
                        continue;
                    }
                    match self.lists(subscription, qualifier, event) {
                        Some(true) => listing = Listing::Listed,
                        Some(false) => return Listing::Missing,
                        None => {}
                    }
                }
            }
        }
        listing
    }

    /// Whether a tag, version or ref is listed; `None` when the event does not say enough.
    fn lists(&self, subscription: &Subscription, qualifier: &str, event: &PushEvent) -> Option<bool> {
        let repository = &subscription.repository;
        match subscription.kind {
            SubscriptionKind::Image => {
                let images =
                    self.images.iter().flatten().filter(|image| *normalize_image(&image.repo_url) == **repository);
                let mut tagged =
                    images.flat_map(|image| image.references.iter().flatten()).filter(|found| found.tag == qualifier);
                let has_any = subscription.caches_tags || !names_digest(event);
                let is_pushed = |found: &Reference| has_any || event.ids.contains(&found.digest);
                Some(tagged.any(is_pushed))
            }
            SubscriptionKind::Chart => {
                // An OCI tag cannot hold the plus sign of a version.
                let version = qualifier.replace('_', "+");
                let charts =
                    self.charts.iter().flatten().filter(|chart| *normalize_chart(&chart.repo_url) == **repository);
                let mut versions = charts.flat_map(|chart| chart.versions.iter().flatten());
                Some(versions.any(|found| *found == version || found == qualifier))
            }
            SubscriptionKind::Git => {
                let mut commits = self.git.iter().flatten().filter(|git| is_same(&git.repo_url, subscription));
                let mut any =
                    |wanted: &dyn Fn(&Commit) -> bool| commits.any(|git| git.commits.iter().flatten().any(wanted));
                match qualifier.strip_prefix("refs/tags/") {
                    Some(tag) => Some(any(&|commit| commit.tag == tag)),
                    None if event.ids.is_empty() => None,
                    None if any(&|commit| event.ids.contains(&commit.id)) => Some(true),
                    // The head itself may be excluded where only some paths count.
                    None => (!filters_paths(subscription)).then_some(false),
                }
            }
        }
    }
}

fn accepts(subscription: &Subscription, qualifier: &String, event: &PushEvent, work: &mut Work) -> bool {
    // A subscription with a mistake discovers nothing.
    subscription.selector.as_ref().is_ok_and(|selector| {
        let (qualifiers, branch) = (std::slice::from_ref(qualifier), event.default_branch.as_deref());
        selector.judge(qualifiers, &event.changed_files, branch, work).matched
    })
}

fn filters_paths(subscription: &Subscription) -> bool {
    matches!(&subscription.selector, Ok(Selector::Git(git)) if git.paths.is_some())
}

fn names_digest(event: &PushEvent) -> bool {
    event.ids.iter().any(|id| id.contains(':'))
}

fn is_same(url: &str, subscription: &Subscription) -> bool {
    let normalized = normalize_git(url);
    *normalized == *subscription.repository
        || subscription.identity.is_some() && git_identity(&normalized).as_deref() == subscription.identity.as_deref()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::go_regex::PatternBudget;
    use crate::domain::subscription;

    fn listing(subscriptions: &Value, repository: &str, qualifiers: &[&str], ids: &[&str]) -> Listing {
        let artifacts = json!({
            "discoveredAt": "2026-08-21T17:51:41Z",
            "images": [{"repoURL": "quay.io/a/b", "platform": "linux/amd64", "references": [
                {"tag": "1.1.0", "digest": "sha256:11", "createdAt": "2026-08-21T17:51:41Z", "annotations": {"x": "y"}},
                {"tag": "1.0.0", "digest": "sha256:10"},
            ]}],
            "charts": [{"repoURL": "oci://quay.io/a/chart", "versions": ["2.0.0+build.1", "1.0.0"]}],
            "git": [{"repoURL": "https://github.com/a/b.git", "commits": [
                {"id": "c2", "branch": "main", "subject": "two"}, {"id": "c1", "tag": "v1.0.0"},
            ]}],
        });
        let spec = json!({"subscriptions": subscriptions});
        let subscriptions: Vec<_> = subscription::subscriptions(&spec, &mut PatternBudget::new("northwind"))
            .into_iter()
            .map(Result::unwrap)
            .collect();
        let texts = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        let event = PushEvent::new("push".into(), texts(&[repository]), texts(qualifiers)).with_ids(texts(ids));
        Artifacts::decode(&artifacts.to_string()).unwrap().listing(subscriptions.iter(), &[event])
    }

    #[test]
    fn an_image_is_listed_by_its_tag_and_by_its_digest_where_the_push_names_one() {
        let image = |tags: &[&str], ids: &[&str]| {
            listing(&json!([{"image": {"repoURL": "quay.io/a/b", "constraint": "^1.0.0"}}]), "quay.io/a/b", tags, ids)
        };
        assert_eq!(image(&["1.1.0"], &[]), Listing::Listed);
        assert_eq!(image(&["1.2.0"], &[]), Listing::Missing);
        assert_eq!(image(&["1.0.0", "1.2.0"], &[]), Listing::Missing);
        assert_eq!(image(&["1.0.0", "2.0.0"], &[]), Listing::Listed, "what no subscription accepts does not count");
        assert_eq!(image(&["1.1.0"], &["sha256:11"]), Listing::Listed);
        assert_eq!(image(&["1.1.0"], &["sha256:99"]), Listing::Missing, "the tag was pushed again");
        assert_eq!(image(&[], &[]), Listing::Unknown);
        let digest = json!([{"image": {
            "repoURL": "quay.io/a/b", "imageSelectionStrategy": "Digest", "constraint": "1.1.0",
        }}]);
        assert_eq!(listing(&digest, "quay.io/a/b", &["1.1.0"], &["sha256:11"]), Listing::Listed);
        assert_eq!(listing(&digest, "quay.io/a/b", &["1.1.0"], &["sha256:12"]), Listing::Missing);
        let cached = json!([{"image": {"repoURL": "quay.io/a/b", "constraint": "^1.0.0", "cacheByTag": true}}]);
        assert_eq!(
            listing(&cached, "quay.io/a/b", &["1.1.0"], &["sha256:99"]),
            Listing::Listed,
            "Kargo keeps the first"
        );
    }

    #[test]
    fn every_subscription_that_accepts_the_push_must_list_it() {
        let both = json!([
            {"image": {"repoURL": "quay.io/a/b"}},
            {"chart": {"repoURL": "oci://quay.io/a/b"}},
        ]);
        assert_eq!(listing(&both, "quay.io/a/b", &["1.1.0"], &[]), Listing::Missing);
    }

    #[test]
    fn a_chart_is_listed_by_its_version_however_its_tag_spells_the_plus_sign() {
        let chart = |tag: &str| {
            listing(&json!([{"chart": {"repoURL": "oci://quay.io/a/chart"}}]), "quay.io/a/chart", &[tag], &[])
        };
        assert_eq!(chart("2.0.0_build.1"), Listing::Listed);
        assert_eq!(chart("1.0.0"), Listing::Listed);
        assert_eq!(chart("3.0.0"), Listing::Missing);
    }

    #[test]
    fn a_commit_is_listed_by_its_id_and_a_git_tag_by_its_name() {
        let git = |strategy: &str, reference: &str, ids: &[&str]| {
            let subscription = json!([{"git": {"repoURL": "git@github.com:a/b", "commitSelectionStrategy": strategy}}]);
            listing(&subscription, "https://github.com/a/b", &[reference], ids)
        };
        assert_eq!(git("", "refs/heads/main", &["c2"]), Listing::Listed);
        assert_eq!(git("", "refs/heads/main", &["c3"]), Listing::Missing);
        assert_eq!(git("", "refs/heads/main", &[]), Listing::Unknown);
        let filtered = json!([{"git": {"repoURL": "https://github.com/a/b", "includePaths": ["src"]}}]);
        assert_eq!(listing(&filtered, "https://github.com/a/b", &["refs/heads/main"], &["c2"]), Listing::Listed);
        assert_eq!(listing(&filtered, "https://github.com/a/b", &["refs/heads/main"], &["c3"]), Listing::Unknown);
        assert_eq!(git("SemVer", "refs/tags/v1.0.0", &["c9"]), Listing::Listed);
        assert_eq!(git("SemVer", "refs/tags/v1.1.0", &[]), Listing::Missing);
    }

    #[test]
    fn what_cannot_be_read_is_nothing() {
        assert!(Artifacts::decode("[[").is_none());
        assert!(Artifacts::decode(r#"{"images": null, "git": [{"repoURL": "a", "commits": null}]}"#).is_some());
    }
}
