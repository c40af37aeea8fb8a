//! What the notifications of one registration have to be, and by what ours are recognised.

use std::sync::Arc;

use super::plan::{Seen, Whose};
use crate::api::registration::RegistrationSpec;
use crate::domain::owner::Owner;
use crate::domain::scope::{ObjectKey, Scope};
use crate::domain::secret::Secret;
use crate::hooks::{Hook, HookUrl};
use crate::tables::routes::Route;

/// Events that Gitea notifies, as one.
const GITEA_EVENTS: &[&str] = &["create,delete,pull_request,push"];

/// Former URLs that are remembered.
const MOST_FORMER: usize = 8;

/// The two senders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// Quay, which switches notifications off.
    Quay,
    /// Gitea, which does not.
    Gitea,
}

impl Sender {
    /// The sender of a spec.
    #[must_use]
    pub const fn of(spec: &RegistrationSpec) -> Self {
        if spec.quay.is_some() { Self::Quay } else { Self::Gitea }
    }

    /// The receiver's kind, which is the last part of its URL but one.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Quay => "quay",
            Self::Gitea => "gitea",
        }
    }

    /// What it is called in sentences.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Quay => "Quay",
            Self::Gitea => "Gitea",
        }
    }
}

/// What the notifications have to be.
#[derive(Clone)]
pub struct Aim {
    /// Where they are registered.
    pub sender: Sender,
    /// Their title.
    pub title: Arc<str>,
    /// The URL that they call; `None` while the receiver is not served.
    pub url: Option<HookUrl>,
    /// The receiver that serves it.
    pub receiver: (Owner, Arc<str>),
    /// What the receiver may refresh.
    pub scope: Scope,
    /// With what they are signed.
    pub secret: Option<Secret>,
    /// The events that they are about.
    pub events: &'static [&'static str],
    /// URLs that were called before, the latest last. A sender without titles shows nothing else of ours.
    pub former: Vec<HookUrl>,
    /// What all URLs of this operator's receivers of the kind begin with.
    pub place: Box<str>,
}

impl Aim {
    /// The aim of a registration that has no URL yet.
    #[must_use]
    pub fn new(key: &ObjectKey, sender: Sender, events: &[String], receiver: (Owner, Arc<str>), base: &str) -> Self {
        let scope = receiver.0.scope();
        let place = without_user(&format!("{base}/{}/", sender.kind())).into_owned().into_boxed_str();
        let title = format!("quayside: {key}").into();
        let (url, secret, events) = (None, None, events_of(sender, events));
        Self { sender, title, url, receiver, scope, secret, events, former: Vec::new(), place }
    }

    /// The receiver is served by this route. Returns whether the URL is another one than before.
    pub fn served_by(&mut self, route: &Route, url: HookUrl) -> bool {
        self.scope = route.scope.clone();
        self.secret = (self.sender == Sender::Gitea).then(|| route.settings.secret.clone());
        let is_new = self.url.as_ref() != Some(&url);
        if is_new {
            self.former.retain(|former| *former != url);
            self.former.extend(self.url.replace(url));
            let surplus = self.former.len().saturating_sub(MOST_FORMER);
            self.former.drain(..surplus);
        }
        is_new
    }

    /// A notification as the planner sees it.
    #[must_use]
    pub fn seen<'h>(&self, hook: &'h Hook) -> Seen<'h> {
        let whose = self.whose(hook);
        // How Gitea lists its events differs between versions; what matters is that it is ours.
        let event = if self.sender == Sender::Gitea { GITEA_EVENTS[0] } else { &hook.event };
        Seen { id: &hook.id, event, failures: hook.failures, is_active: hook.active, whose }
    }

    fn whose(&self, hook: &Hook) -> Whose {
        let is_ours = match &hook.title {
            Some(title) => **title == *self.title && self.is_receivers(&hook.url),
            None => {
                self.sender == Sender::Gitea
                    && (self.url.as_ref() == Some(&hook.url) || self.former.contains(&hook.url))
            }
        };
        match is_ours {
            true if self.url.as_ref() == Some(&hook.url) => Whose::Current,
            true => Whose::Former,
            false => Whose::Other,
        }
    }

    /// Whether a URL is, or was, that of a receiver of this operator.
    fn is_receivers(&self, url: &HookUrl) -> bool {
        let known = self.url.as_ref() == Some(url) || self.former.contains(url);
        let digest = without_user(url.expose());
        known
            || digest
                .strip_prefix(&*self.place)
                .is_some_and(|digest| digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()))
    }
}

/// The events, in the order of a table of our own.
fn events_of(sender: Sender, chosen: &[String]) -> &'static [&'static str] {
    if sender == Sender::Gitea {
        return GITEA_EVENTS;
    }
    let has = |event: &str| chosen.iter().any(|chosen| chosen == event);
    match (has("repo_push"), has("repo_mirror_sync_success")) {
        (true, true) => &["repo_push", "repo_mirror_sync_success"],
        (false, true) => &["repo_mirror_sync_success"],
        (_, false) => &["repo_push"],
    }
}

/// A URL without user and password.
fn without_user(url: &str) -> std::borrow::Cow<'_, str> {
    let Some((scheme, rest)) = url.split_once("://") else { return url.into() };
    let authority = rest.find('/').map_or(rest, |end| &rest[..end]);
    match authority.rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]).into(),
        None => url.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://hooks.example.com/in";

    fn url(base: &str, digit: char) -> HookUrl {
        HookUrl::parse(&format!("{base}/quay/{}", digit.to_string().repeat(64))).unwrap()
    }

    fn aim() -> Aim {
        let receiver = (Owner::ProjectConfig(Arc::from("northwind")), Arc::from("quay"));
        let mut aim = Aim::new(&ObjectKey::new("northwind", "quay"), Sender::Quay, &[], receiver, BASE);
        aim.url = Some(url(BASE, 'a'));
        aim
    }

    fn whose(aim: &Aim, title: Option<&str>, url: HookUrl) -> Whose {
        let title = title.map(str::to_owned);
        let hook = Hook { id: "1".to_owned(), title, url, event: "repo_push".to_owned(), failures: 0, active: true };
        aim.seen(&hook).whose
    }

    #[test]
    fn ours_are_known_by_title_and_url() {
        let (aim, title) = (aim(), Some("quayside: northwind/quay"));
        assert_eq!(whose(&aim, title, url(BASE, 'a')), Whose::Current);
        assert_eq!(whose(&aim, title, url(BASE, 'b')), Whose::Former);
        let with_user = HookUrl::parse(&format!("https://mira:p%40ss@hooks.example.com/in/quay/{}", "c".repeat(64)));
        assert_eq!(whose(&aim, title, with_user.unwrap()), Whose::Former);
        for (title, url) in [
            (None, url(BASE, 'a')),
            (Some("quayside: northwind/other"), url(BASE, 'a')),
            (title, url("https://hooks.staging.example.com/in", 'a')),
            (title, url("https://hooks.example.com/in/deeper", 'a')),
            (title, HookUrl::parse("https://hooks.example.com/in/quay/short").unwrap()),
        ] {
            assert_eq!(whose(&aim, title, url), Whose::Other);
        }
    }

    #[test]
    fn a_sender_without_titles_shows_ours_by_urls_that_we_remember() {
        let mut aim = Aim { sender: Sender::Gitea, ..aim() };
        aim.former.push(url(BASE, 'b'));
        assert_eq!(whose(&aim, None, url(BASE, 'a')), Whose::Current);
        assert_eq!(whose(&aim, None, url(BASE, 'b')), Whose::Former);
        assert_eq!(whose(&aim, None, url(BASE, 'c')), Whose::Other);
    }

    #[test]
    fn events_are_those_chosen_or_pushes() {
        let events =
            |chosen: &[&str]| events_of(Sender::Quay, &chosen.iter().map(|e| (*e).to_owned()).collect::<Vec<_>>());
        assert_eq!(events(&[]), ["repo_push"]);
        assert_eq!(events(&["repo_mirror_sync_success"]), ["repo_mirror_sync_success"]);
        assert_eq!(events(&["repo_mirror_sync_success", "repo_push"]).len(), 2);
    }
}
