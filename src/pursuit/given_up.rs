//! Events on Warehouses whose pushes are given up.

use super::Outcome;
use crate::domain::target::Target;
use crate::events::{About, Note};

/// Says that a push is not pursued any longer although Kargo has not come across it; `None` for the other ends.
/// `message` is Kargo's, fit to be shown; empty when there was none.
pub(super) fn note(target: &Target, outcome: Outcome, message: &str) -> Option<Note> {
    let (reason, text) = match outcome {
        Outcome::NotLooked if message.is_empty() => {
            ("PushNotLookedFor", "Kargo handled a refresh without looking".to_owned())
        }
        Outcome::NotLooked => ("PushNotLookedFor", format!("Kargo cannot discover what was pushed: {message}")),
        Outcome::NotHandled => (
            "RefreshNotHandled",
            format!("Kargo does not take a refresh up; is its controller for this shard running?{message}"),
        ),
        Outcome::LookedNotListed => (
            "PushNotListed",
            format!(
                "Kargo has looked and does not list what was pushed; discoveryLimit, platform or expressionFilter may \
                 leave it out{message}"
            ),
        ),
        Outcome::Seen | Outcome::Looked | Outcome::Handled | Outcome::Gone | Outcome::Untracked => return None,
    };
    let about = About::Target(target.clone());
    Some(Note { about, part: None, is_warning: true, reason: reason.into(), action: "Refresh", text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::scope::ObjectKey;

    #[test]
    fn an_event_names_the_object_and_what_is_wrong() {
        let target = Target::warehouse(ObjectKey::new("northwind", "storefront"));
        let note = |outcome| super::note(&target, outcome, "503");
        let given_up = note(Outcome::NotLooked).unwrap();
        assert_eq!(given_up.text, "Kargo cannot discover what was pushed: 503");
        assert_eq!((&*given_up.reason, given_up.about), ("PushNotLookedFor", About::Target(target.clone())));
        assert_eq!(note(Outcome::Seen), None);
    }
}
