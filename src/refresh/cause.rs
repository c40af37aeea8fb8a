//! Why a refresh is written, for people who look at the object: the value of an annotation beside the refresh.
//!
//! The value is a JSON object of plain words, so that it needs no escape whatever a sender sends, and has 512 bytes at
//! most. It never holds a path, a URL, or anything that a body names.

use std::sync::Arc;

/// Says why Quayside wrote the refresh annotation last. Nothing reads it but people.
pub const CAUSE_ANNOTATION: &str = "quayside.dev/last-refresh-cause";

/// A namespace, a slash, and the longest name that Kubernetes allows.
const LONGEST_NAME: usize = 63 + 1 + 253;
/// Senders' names for events, and ids of deliveries, are much shorter.
const LONGEST_WORD: usize = 64;

/// Why a refresh is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    text: Arc<str>,
    /// Whether a delivery asks, which matters more than what Quayside asks for by itself.
    is_delivery: bool,
}

impl Cause {
    /// A delivery to a receiver. `project` is empty for a receiver of the cluster, `event` where the sender has no name
    /// for it.
    #[must_use]
    pub fn delivery(id: &str, project: &str, receiver: &str, event: &str) -> Self {
        let name = [project, "/", receiver];
        let name = if project.is_empty() { &name[2..] } else { &name[..] };
        let text = text(
            "delivery",
            &[("delivery", &[id], LONGEST_WORD), ("receiver", name, LONGEST_NAME), ("event", &[event], LONGEST_WORD)],
        );
        Self { text, is_delivery: true }
    }

    /// A delivery of which the disk has kept the id alone.
    #[must_use]
    pub fn restored(id: &str) -> Self {
        Self { text: text("restored", &[("delivery", &[id], LONGEST_WORD)]), is_delivery: true }
    }

    /// No replica lived for a while, or a spool was lost.
    #[must_use]
    pub fn catch_up() -> Self {
        Self { text: text("catch-up", &[]), is_delivery: false }
    }

    /// Kargo has not looked, or does not list what this delivery pushed.
    #[must_use]
    pub fn follow_up(id: Option<&str>) -> Self {
        Self { text: text("follow-up", &[("delivery", &[id.unwrap_or_default()], LONGEST_WORD)]), is_delivery: false }
    }

    /// A notification of a registration was missing or disabled, so that pushes may have been missed.
    #[must_use]
    pub fn registration() -> Self {
        Self { text: text("registration", &[]), is_delivery: false }
    }

    /// The value of the annotation.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The cause of a PATCH that stands for both: that of the newest delivery, if there is one.
    fn over(self, older: &Self) -> Self {
        if older.is_delivery && !self.is_delivery { older.clone() } else { self }
    }
}

/// The causes for which one target owes a refresh, as far as the next PATCH needs them.
#[derive(Debug)]
pub(super) struct Causes {
    /// Of what the PATCH in flight, or the next one, stands for.
    owed: Cause,
    /// Of what has arrived since the PATCH in flight began.
    joined: Option<Cause>,
}

impl Causes {
    pub(super) const fn new(first: Cause) -> Self {
        Self { owed: first, joined: None }
    }

    /// Another request.
    pub(super) fn join(&mut self, cause: Cause) {
        self.joined = Some(match &self.joined {
            Some(older) => cause.over(older),
            None => cause,
        });
    }

    /// A PATCH begins, for all that has arrived so far.
    pub(super) fn begin(&mut self) -> Cause {
        if let Some(joined) = self.joined.take() {
            self.owed = joined.over(&self.owed);
        }
        self.owed.clone()
    }

    /// The PATCH is written; what has joined since is still owed.
    pub(super) fn written(&mut self) {
        if let Some(joined) = self.joined.take() {
            self.owed = joined;
        }
    }
}

/// A JSON object with the word and those members that are plain: name, parts of the value, and bytes at most.
fn text(cause: &str, members: &[(&str, &[&str], usize)]) -> Arc<str> {
    let mut text = String::with_capacity(128);
    text.extend([r#"{"cause":""#, cause, "\""]);
    for (name, parts, most) in members {
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        if (1..=*most).contains(&bytes) && parts.iter().all(|part| *part == "/" || is_plain(part)) {
            text.extend([",\"", *name, "\":\""]);
            text.extend(parts.iter().copied());
            text.push('"');
        }
    }
    text.push('}');
    text.into()
}

/// Whether it is of characters that names and words have, none of which JSON escapes.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._: ".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(id: &str) -> Cause {
        Cause::delivery(id, "northwind", "quay", "repo_push")
    }

    #[test]
    fn a_cause_names_delivery_receiver_and_event_or_what_quayside_does_by_itself() {
        assert_eq!(
            delivery("00c0ffee00000001").as_str(),
            r#"{"cause":"delivery","delivery":"00c0ffee00000001","receiver":"northwind/quay","event":"repo_push"}"#
        );
        assert_eq!(
            Cause::delivery("d1", "", "hub", "").as_str(),
            r#"{"cause":"delivery","delivery":"d1","receiver":"hub"}"#
        );
        assert_eq!(Cause::restored("d1").as_str(), r#"{"cause":"restored","delivery":"d1"}"#);
        assert_eq!(Cause::catch_up().as_str(), r#"{"cause":"catch-up"}"#);
        assert_eq!(Cause::follow_up(Some("d1")).as_str(), r#"{"cause":"follow-up","delivery":"d1"}"#);
        assert_eq!(Cause::follow_up(None).as_str(), r#"{"cause":"follow-up"}"#);
        assert_eq!(Cause::registration().as_str(), r#"{"cause":"registration"}"#);
    }

    #[test]
    fn what_is_not_plain_or_too_long_is_left_out_and_the_rest_is_bounded() {
        let hostile = ["\"", "a\\", "a\nb", "é", "a\u{0}", "{}", "https://h/quay/a", "/quay/a", "<script>"];
        for event in hostile {
            let cause = Cause::delivery("d1", "northwind", "quay", event);
            assert_eq!(
                cause.as_str(),
                r#"{"cause":"delivery","delivery":"d1","receiver":"northwind/quay"}"#,
                "{event:?}"
            );
            let cause = Cause::delivery("d1", "northwind", event, "push");
            assert_eq!(cause.as_str(), r#"{"cause":"delivery","delivery":"d1","event":"push"}"#, "{event:?}");
        }
        let [id, event] = ["d", "e"].map(|letter| letter.repeat(LONGEST_WORD));
        let longest = Cause::delivery(&id, &"p".repeat(63), &"r".repeat(253), &event);
        assert!(longest.as_str().len() <= 512, "{}", longest.as_str().len());
        let members: serde_json::Value = serde_json::from_str(longest.as_str()).unwrap();
        assert_eq!((members["delivery"].as_str(), members["event"].as_str()), (Some(&*id), Some(&*event)));
        let longer = Cause::delivery(&id, &"p".repeat(63), &"r".repeat(254), &"e".repeat(65));
        assert_eq!(longer.as_str(), format!(r#"{{"cause":"delivery","delivery":"{id}"}}"#));
    }

    #[test]
    fn a_patch_is_said_to_be_of_the_newest_delivery_that_it_stands_for() {
        let mut causes = Causes::new(delivery("d1"));
        causes.join(delivery("d2"));
        causes.join(Cause::catch_up());
        assert_eq!(causes.begin(), delivery("d2"), "a catch-up hides no delivery");
        causes.join(Cause::catch_up());
        assert_eq!(causes.begin(), delivery("d2"), "the PATCH before failed");
        causes.join(Cause::follow_up(None));
        causes.written();
        assert_eq!(causes.begin(), Cause::follow_up(None), "the delivery is answered");
        causes.join(Cause::registration());
        assert_eq!(causes.begin(), Cause::registration(), "of two others, the newest");
        causes.join(delivery("d3"));
        assert_eq!(causes.begin(), delivery("d3"));
    }
}
