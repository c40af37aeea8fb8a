//! Which subscriptions an event's repositories concern.

use super::Subscription;
use crate::domain::repo::git_identity;

/// The repositories that an event is about, in the forms by which subscriptions are found and compared.
pub struct Repositories<'a> {
    urls: Vec<&'a str>,
    identities: Vec<String>,
}

impl<'a> Repositories<'a> {
    /// Of these normalised URLs.
    #[must_use]
    pub fn new(urls: &'a [String]) -> Self {
        let mut all: Vec<&str> = urls.iter().map(String::as_str).collect();
        all.sort_unstable();
        let mut identities: Vec<String> = urls.iter().filter_map(|url| git_identity(url)).collect();
        identities.sort_unstable();
        identities.dedup();
        Self { urls: all, identities }
    }

    /// Their URLs.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        self.urls.iter().copied()
    }

    /// What all spellings of one of them have in common, where it may be one of Git.
    pub fn identities(&self) -> impl Iterator<Item = &str> {
        self.identities.iter().map(String::as_str)
    }

    /// Everything under which a subscription to one of them may be found.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.urls().chain(self.identities())
    }

    /// Whether the subscription is to one of them: under the same URL or, for Git, under another spelling of it.
    #[must_use]
    pub fn include(&self, subscription: &Subscription) -> bool {
        let is_ours = |identity: &str| self.identities.binary_search_by(|ours| ours.as_str().cmp(identity)).is_ok();
        self.urls.binary_search(&&*subscription.repository).is_ok()
            || subscription.identity.as_deref().is_some_and(is_ours)
    }
}
