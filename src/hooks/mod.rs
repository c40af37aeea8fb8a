//! Webhooks on the hosts that send them: listing, making, removing, testing and enabling them through the APIs.
//!
//! [`Host`] is what all hosts have in common; [`quay`] and [`gitea`] speak two of them. A call is one attempt, below
//! the rate that the host allows: when to try again is the caller's affair. What a host answers is untrusted: bodies
//! are bounded, names and ids are checked before they become part of a path, and pages end.

mod client;
mod endpoint;
pub mod gitea;
mod network;
mod pace;
pub mod quay;
mod refusal;
mod repository;
mod url;

use futures::future::BoxFuture;

pub use endpoint::{BadEndpoint, Endpoint};
pub use network::{BadSetup, Network};
pub use refusal::Refusal;
pub use repository::is_repository;
pub use url::{BadUrl, HookUrl};

use crate::domain::secret::Secret;

/// One webhook of a repository, whoever made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// What the host calls it. Keep it out of logs and statuses: an admin of any repository of a Quay who knows the id
    /// can read the hook, its URL included.
    pub id: String,
    /// The name that its maker gave it. `None` where there is none, also on a Gitea before 1.26, which has no names.
    pub title: Option<String>,
    /// Where it is sent.
    pub url: HookUrl,
    /// What it announces, as the host calls it, such as `repo_push`. A hook of Gitea has several events: here they are
    /// in alphabetical order, separated by commas.
    pub event: String,
    /// Attempts in a row that have failed. Quay's only: Gitea does not count.
    pub failures: u32,
    /// Whether the host sends it. Quay does not after three failures, until the hook is enabled again.
    pub active: bool,
}

/// A webhook that is to be made.
#[derive(Clone, Copy)]
pub struct NewHook<'a> {
    /// The name by which its maker recognises it; at most 255 characters.
    pub title: &'a str,
    /// Where it is to be sent.
    pub url: &'a HookUrl,
    /// As in [`Hook::event`]: for Quay one event, for Gitea several with commas between them.
    pub event: &'a str,
    /// What the host signs its requests with. Quay signs nothing and ignores it.
    pub secret: Option<&'a Secret>,
}

/// What the token may do with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everything that is needed: its webhooks can be read and changed.
    Admin,
    /// It sees the repository, but not its webhooks.
    NotAdmin,
}

/// The answer of a host, when it has come.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, Refusal>>;

/// The API of one host, with one token.
///
/// A repository is named as in the host's own URLs, such as `northwind/storefront`; Quay's names may have more parts,
/// and case counts.
pub trait Host: Send + Sync {
    /// Whether the repository exists and what the token may do with it. Ask this first: it is the one call that tells
    /// all cases apart. Quay answers [`Self::list`] of a deleted repository with an empty list.
    fn inspect<'a>(&'a self, repository: &'a str) -> Answer<'a, Access>;

    /// All webhooks of the repository, in no order, whoever made them. Other means of notification (mail, chat) and
    /// what cannot be read are left out.
    fn list<'a>(&'a self, repository: &'a str) -> Answer<'a, Vec<Hook>>;

    /// Makes a webhook. Never twice by itself, but a host takes the same hook any number of times and then sends each
    /// event as often: list before, and after a [`Refusal::Unreachable`], which may have come too late.
    fn create<'a>(&'a self, repository: &'a str, hook: NewHook<'a>) -> Answer<'a, Hook>;

    /// Removes a webhook, with the events that wait for it. It is no error if it is gone already, nor if the whole
    /// repository is.
    fn delete<'a>(&'a self, repository: &'a str, id: &'a str) -> Answer<'a, ()>;

    /// Makes the host send a webhook again, and sets its failures to 0. On Quay each is a line in the audit log of the
    /// repository, also if nothing was wrong. [`Refusal::HookGone`] if there is no such hook.
    fn enable<'a>(&'a self, repository: &'a str, id: &'a str) -> Answer<'a, ()>;

    /// Asks for a test event. Quay sends it up to 10 s later, and never to a hook that is switched off.
    /// [`Refusal::HookGone`] if there is no such hook.
    fn test<'a>(&'a self, repository: &'a str, id: &'a str) -> Answer<'a, ()>;

    /// The repositories of a namespace (an organization or a user) that the token sees, as `NAMESPACE/NAME`, each once.
    fn repositories<'a>(&'a self, namespace: &'a str) -> Answer<'a, Vec<String>>;
}
