//! Which repositories of a sender Warehouses subscribe to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::book::Name;
use crate::domain::alias::HostAliases;
use crate::domain::repo::full_image_name;
use crate::domain::scope::{ObjectKey, Scope};
use crate::domain::subscription::{Subscription, SubscriptionKind};
use crate::tables::warehouses::SubscriptionIndex;

/// The names under which a sender's repositories stand in Warehouses.
pub struct Names<'a> {
    /// Host, and port if the endpoint has one, as in the names of images.
    pub authority: &'a str,
    /// Host alone, as in the identity of a Git repository.
    pub host: &'a str,
    /// The path of the web interface, as it stands in the URLs of Git repositories; empty for the root.
    pub path: &'a str,
    /// Whether it holds Git repositories; else images and charts.
    pub is_git: bool,
    /// Other names of registries.
    pub aliases: [&'a HostAliases; 2],
}

/// The Warehouses that subscribe to each repository, by its name in lower case.
pub type Subscribers = BTreeMap<Name, BTreeSet<ObjectKey>>;

impl Names<'_> {
    /// The repositories of the sender that Warehouses within the scope subscribe to.
    #[must_use]
    pub fn subscribed(&self, index: &SubscriptionIndex, scope: &Scope) -> Subscribers {
        let mut found = Subscribers::new();
        for warehouse in index.reached(scope) {
            for subscription in warehouse.subscriptions.iter().flatten() {
                for name in self.of(subscription) {
                    found.entry(Arc::from(name)).or_default().insert(warehouse.key.clone());
                }
            }
        }
        found
    }

    /// What the sender calls the repository of a subscription, if it is the sender's.
    fn of(&self, subscription: &Subscription) -> Vec<String> {
        if self.is_git {
            let identity = subscription.identity.as_deref().filter(|_| subscription.kind == SubscriptionKind::Git);
            return identity.and_then(|identity| self.of_git(identity)).into_iter().collect();
        }
        let repository = &subscription.repository;
        let pushed = self.aliases.iter().flat_map(|aliases| aliases.pushed_as(repository));
        let full = full_image_name(repository).filter(|_| subscription.kind != SubscriptionKind::Git);
        full.into_iter().chain(pushed).filter_map(|name| below(&name, self.authority)).collect()
    }

    fn of_git(&self, identity: &str) -> Option<String> {
        let rest = below(identity, self.host)?;
        let path = self.path.trim_matches('/');
        let name = if path.is_empty() { rest } else { below(&rest, path)? };
        (name.matches('/').count() == 1).then_some(name)
    }
}

/// What stands below a place, if it has the form of a repository or of more.
fn below(name: &str, place: &str) -> Option<String> {
    let head = name.get(..place.len()).filter(|head| head.eq_ignore_ascii_case(place));
    let rest = name[head?.len()..].strip_prefix('/')?;
    rest.contains('/').then(|| rest.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::criterion::Labels;

    fn index(warehouses: &[(&str, &str, &str)]) -> SubscriptionIndex {
        let index = SubscriptionIndex::default();
        for (namespace, name, subscriptions) in warehouses {
            let spec = format!(r#"{{"subscriptions":[{subscriptions}]}}"#);
            index.apply(&ObjectKey::new(namespace, name), Some(1), Labels::new(), &spec);
        }
        index
    }

    fn image(repository: &str) -> String {
        format!(r#"{{"image":{{"repoURL":"{repository}"}}}}"#)
    }

    fn found(names: &Names<'_>, index: &SubscriptionIndex, scope: &Scope) -> Vec<String> {
        let subscribed = names.subscribed(index, scope).into_iter();
        subscribed.map(|(name, keys)| format!("{name}: {}", keys.len())).collect()
    }

    #[test]
    fn repositories_under_the_host_or_an_alias_of_it_are_found_within_the_scope() {
        let both = format!("{},{}", image("quay.corp:8443/northwind/web"), image("quay.io/northwind/other"));
        let chart = r#"{"chart":{"repoURL":"oci://Quay.corp:8443/northwind/charts/web"}}"#;
        let git = r#"{"git":{"repoURL":"https://quay.corp:8443/northwind/code"}}"#;
        let alias = image("quay.example.com/northwind/web");
        let index = index(&[
            ("a", "both", &both),
            ("a", "chart", chart),
            ("a", "git", git),
            ("a", "alias", &alias),
            ("b", "web", &image("quay.corp:8443/northwind/b")),
            ("a", "none", &image("quay.corp:8443/top")),
        ]);
        let aliases = HostAliases::parse("quay.corp:8443=quay.example.com").unwrap();
        let none = HostAliases::default();
        let names = Names {
            authority: "Quay.corp:8443",
            host: "quay.corp",
            path: "",
            is_git: false,
            aliases: [&none, &aliases],
        };
        let a = Scope::Project(Arc::from("a"));
        assert_eq!(found(&names, &index, &a), ["northwind/charts/web: 1", "northwind/web: 2"]);
        assert_eq!(found(&names, &index, &Scope::Cluster).len(), 3);
    }

    #[test]
    fn git_repositories_are_found_in_every_spelling_and_below_the_path_of_the_host() {
        let git = |url: &str| format!(r#"{{"git":{{"repoURL":"{url}"}}}}"#);
        let index = index(&[
            ("a", "https", &git("https://git.corp:3000/Northwind/web.git")),
            ("a", "ssh", &git("git@git.corp:northwind/web.git")),
            ("a", "below", &git("https://git.corp/forge/northwind/api")),
            ("a", "image", &image("git.corp/northwind/image")),
        ]);
        let none = HostAliases::default();
        let names =
            |path| Names { authority: "git.corp:3000", host: "git.corp", path, is_git: true, aliases: [&none, &none] };
        assert_eq!(found(&names(""), &index, &Scope::Cluster), ["northwind/web: 2"]);
        assert_eq!(found(&names("/forge"), &index, &Scope::Cluster), ["northwind/api: 1"]);
    }
}
