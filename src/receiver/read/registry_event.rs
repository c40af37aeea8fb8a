//! What the senders of registry events have in common: tables that say what each event means, and lenient reading for
//! the kinds that Kargo lacks.
//!
//! Read leniently, a member of another type counts as missing. Some senders repeat what is refused for ever and hold
//! back everything behind it.

use std::borrow::Cow;

use crate::domain::event::{IgnoredEvent, PushEvent, Verdict};
use crate::receiver::read::json::{Malformed, Object, Value};
use crate::receiver::read::media_type;

/// Why a push to a registry that neither the event nor the configuration names asks for nothing.
pub(in crate::receiver) const NO_HOST: &str = "it names no usable registry host; set registryHost on the receiver";

/// Why a push to a repository that the event does not name asks for nothing.
pub(in crate::receiver) const NO_REPOSITORY: &str =
    "the event names no repository; check that the sender's message is not cut or rewritten on its way";

/// The name of an event that has none.
pub(in crate::receiver) const UNKNOWN: &str = "unknown";

/// Names of events that are not in a table are cut to this many characters.
const MAX_NAME: usize = 64;

/// Why such an event asks for nothing.
pub(in crate::receiver) const NOT_KNOWN: &str = "this version does not know this type of event";

/// What a type of event means.
#[derive(Clone, Copy)]
pub(in crate::receiver) enum Meaning {
    /// Something was pushed.
    Push,
    /// Nothing to do, and why.
    Nothing(&'static str),
}

/// The names in a table of events.
pub(in crate::receiver) const fn names<T, const N: usize>(events: &[(&'static str, T); N]) -> [&'static str; N] {
    let mut names = [""; N];
    let mut index = 0;
    while index < N {
        names[index] = events[index].0;
        index += 1;
    }
    names
}

/// The event of that name in a table, and what it means.
pub(in crate::receiver) fn named<T: Copy>(events: &[(&'static str, T)], name: &str) -> Option<(&'static str, T)> {
    events.iter().find(|(known, _)| *known == name).copied()
}

/// An event that is not in the table of its kind, under the sender's name for it.
pub(in crate::receiver) fn unlisted(name: &str, because: &'static str) -> Verdict {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect();
    let event = if shown.is_empty() { Cow::Borrowed(UNKNOWN) } else { Cow::Owned(shown) };
    Verdict::Ignored(IgnoredEvent::new(event, because))
}

/// The members of a body.
///
/// # Errors
/// [`Malformed`] when the body is anything but a JSON object.
pub(in crate::receiver) fn members(text: &str) -> Result<Object<'_>, Malformed> {
    Value::parse(text)?.object()
}

/// The text of a member; empty where there is none.
pub(in crate::receiver) fn text(object: &Object<'_>, key: &str) -> String {
    object.last(key).and_then(Value::string).unwrap_or_default()
}

/// The members of a member; none where there is none.
pub(in crate::receiver) fn object<'a>(object: &Object<'a>, key: &str) -> Object<'a> {
    object.last(key).and_then(|value| value.object().ok()).unwrap_or_default()
}

/// An artifact in a registry, as far as the event describes it.
#[derive(Default)]
pub(in crate::receiver) struct Artifact {
    /// The registry's host with its port; empty when unknown.
    pub(in crate::receiver) host: String,
    /// The repository below the host.
    pub(in crate::receiver) repository: String,
    /// The type of what was pushed; empty when unknown.
    pub(in crate::receiver) media_type: String,
    /// The tag, or the digest where nothing was tagged. Empty when unknown.
    pub(in crate::receiver) reference: String,
    /// The digest of what was pushed; empty when unknown.
    pub(in crate::receiver) digest: String,
}

impl Artifact {
    /// The event about it, without any repository when the host or the repository is not known.
    pub(in crate::receiver) fn event(&self, event: &'static str) -> PushEvent {
        let Self { host, repository, media_type, reference, digest } = self;
        let repositories = match (host.as_str(), repository.as_str()) {
            ("", _) | (_, "") => Vec::new(),
            _ => media_type::repositories(&format!("{host}/{repository}"), media_type),
        };
        PushEvent::new(event.into(), repositories, vec![reference.clone()]).with_digests(vec![digest.clone()])
    }

    /// What an event of that meaning comes to.
    pub(in crate::receiver) fn judged(&self, event: &'static str, meaning: Meaning) -> Verdict {
        match meaning {
            Meaning::Push => self.pushed(event),
            Meaning::Nothing(because) => self.ignored(event, because),
        }
    }

    /// What it comes to that it was pushed.
    pub(in crate::receiver) fn pushed(&self, event: &'static str) -> Verdict {
        if self.host.is_empty() {
            return self.ignored(event, NO_HOST);
        }
        if self.repository.is_empty() {
            return self.ignored(event, NO_REPOSITORY);
        }
        Verdict::of_tags(self.event(event))
    }

    /// An event about it that asks for nothing.
    pub(in crate::receiver) fn ignored(&self, event: &'static str, because: &'static str) -> Verdict {
        Verdict::Ignored(IgnoredEvent::about(self.event(event), because))
    }
}

/// An event that names nothing of interest.
pub(in crate::receiver) fn ignored(event: &'static str, because: &'static str) -> Verdict {
    Verdict::Ignored(IgnoredEvent::new(event.into(), because))
}

#[cfg(test)]
pub(in crate::receiver) mod tests;
