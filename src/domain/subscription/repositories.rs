//! Which subscriptions an event's repositories concern.

use super::Subscription;
use crate::domain::repo::git_identity;

/// The repositories that an event is about, in the forms by which subscriptions are found and compared.
pub struct Repositories<'a> {
    urls: &'a [String],
    identities: Vec<String>,
}

impl<'a> Repositories<'a> {
    /// Of these normalised URLs.
    #[must_use]
    pub fn new(urls: &'a [String]) -> Self {
        let mut identities: Vec<String> = urls.iter().filter_map(|url| git_identity(url)).collect();
        identities.dedup();
        Self { urls, identities }
    }

    /// Everything under which a subscription to one of them may be found: its URL and, for Git, its identity.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.urls.iter().chain(&self.identities).map(String::as_str)
    }

    /// Whether the subscription is to one of them: under the same URL or, for Git, under another spelling of it.
    #[must_use]
    pub fn include(&self, subscription: &Subscription) -> bool {
        let same_identity = |identity: &str| self.identities.iter().any(|ours| ours == identity);
        self.urls.contains(&subscription.repository) || subscription.identity.as_deref().is_some_and(same_identity)
    }
}
