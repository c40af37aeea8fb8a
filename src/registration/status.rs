//! What the status of a registration should say: pure.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::MOST_REPOSITORIES;
use super::aim::Sender;
use super::book::{Book, Page};
use super::objects::Object;
use super::plan::State;
use super::reach::Subscribers;
use crate::api::RegistrationStatus;
use crate::api::condition::{self, READY, Wanted};
use crate::api::registration::RepositoryStatus;
use crate::controller::status::merge_patch;
use crate::hooks::Refusal;
use crate::tables::notifications::Notification;

/// Condition type: the sender accepts the token.
const TOKEN_VALID: &str = "TokenValid";
/// Condition type: the sender answers as it should.
const REACHABLE: &str = "Reachable";

/// How old a `lastChecked` may become while nothing else changes.
const STALE: SignedDuration = SignedDuration::from_mins(10);

/// What keeps a registration from its work, in words for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// One word.
    pub reason: &'static str,
    /// What is wrong, and what to do.
    pub message: String,
}

impl Problem {
    pub(super) fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// The smallest patch that brings the status up to date; `None` when it is already.
pub fn patch(object: &Object, book: &Book, problem: Option<&Problem>, now: Timestamp) -> Option<Value> {
    let current: Option<RegistrationStatus> = serde_json::from_str(&object.status).unwrap_or_default();
    let current = current.unwrap_or_default();
    let is_waiting = problem.is_none() && book.trouble().is_none() && counts(book)[State::Pending as usize] > 0;
    if is_waiting && !current.conditions.is_empty() {
        // A new leader does not take back what its predecessor said before it has looked.
        return None;
    }
    let mut desired = desired(object, book, problem, &current, now);
    if is_same_but_for_checks(&current, &desired) {
        let checked = current.repositories.iter().filter_map(|entry| entry.last_checked.as_deref()?.parse().ok());
        let oldest: Option<Timestamp> = checked.min();
        if oldest.is_none_or(|oldest| now.duration_since(oldest) < STALE) {
            desired.repositories.clone_from(&current.repositories);
        }
    }
    merge_patch(&current, &desired)
}

fn is_same_but_for_checks(current: &RegistrationStatus, desired: &RegistrationStatus) -> bool {
    let without = |status: &RegistrationStatus| {
        let mut status = status.clone();
        status.repositories.iter_mut().for_each(|entry| entry.last_checked = None);
        status
    };
    without(current) == without(desired)
}

fn desired(
    object: &Object,
    book: &Book,
    problem: Option<&Problem>,
    current: &RegistrationStatus,
    now: Timestamp,
) -> RegistrationStatus {
    let mut status = RegistrationStatus { conditions: current.conditions.clone(), ..RegistrationStatus::default() };
    let counts = counts(book);
    let of = |state: State| counts[state as usize];
    let healthy = of(State::Healthy) + of(State::Rotating);
    status.observed_generation = object.generation;
    status.registered = Some(healthy + of(State::Failing) + of(State::Disabled));
    (status.healthy, status.failing) = (Some(healthy), Some(of(State::Failing)));
    (status.disabled, status.healed) =
        (Some(of(State::Disabled)), Some(i64::try_from(book.healed()).unwrap_or(i64::MAX)));
    let mut pages: Vec<_> = book.pages().collect();
    pages.sort_by_key(|page| page.state);
    pages.truncate(MOST_REPOSITORIES);
    status.repositories = pages.iter().map(entry).collect();
    let (is_ready, reason, message) = ready(book, problem, &counts);
    let mut set = |type_: &'static str, holds, reason, message: String| {
        let wanted =
            Wanted { type_: type_.into(), status: holds, reason, message, observed_generation: object.generation };
        condition::set(&mut status.conditions, wanted, now);
    };
    set(READY, is_ready, reason, message);
    match book.trouble() {
        Some(refusal @ Refusal::TokenUnusable) => set(TOKEN_VALID, false, refusal.reason(), refusal.to_string()),
        Some(refusal) => set(REACHABLE, false, refusal.reason(), refusal.to_string()),
        None if problem.is_none() && book.has_looked() => {
            set(TOKEN_VALID, true, "Accepted", "the sender accepts the token".to_owned());
            set(REACHABLE, true, "Answers", "the sender answers".to_owned());
        }
        None => {}
    }
    status
}

/// What keeps the whole registration from its work, then the repositories whose notification is, or was, in trouble.
pub fn notifications(
    book: &Book,
    problem: Option<&Problem>,
    sender: Sender,
    subscribers: &Subscribers,
) -> Vec<Notification> {
    let sender = sender.label();
    let trouble = || Some(("Refused", book.trouble()?.to_string()));
    let whole = problem.map(|problem| (problem.reason, problem.message.clone())).or_else(trouble);
    let whole = whole.map(|(state, message)| Notification {
        sender,
        repository: String::new(),
        state,
        works: true,
        message,
        disabled: None,
        healed: None,
        warehouses: subscribers.values().flatten().cloned().collect(),
    });
    let is_worth_a_word = |page: &Page<'_>| {
        page.repository.disabled.is_some()
            || page.repository.healed.is_some()
            || matches!(page.state, State::Refused | State::Disabled | State::Failing)
    };
    let mut pages: Vec<_> = book.pages().filter(is_worth_a_word).collect();
    pages.sort_by_key(|page| page.state);
    pages.truncate(MOST_REPOSITORIES);
    let notification = |page: &Page<'_>| Notification {
        sender,
        repository: page.name.to_string(),
        state: page.state.as_str(),
        works: !matches!(page.state, State::Refused | State::Disabled),
        message: message(page),
        disabled: page.repository.disabled,
        healed: page.repository.healed,
        warehouses: subscribers.get(&*page.name.to_ascii_lowercase()).cloned().unwrap_or_default(),
    };
    whole.into_iter().chain(pages.iter().map(notification)).collect()
}

/// Repositories by state.
pub fn counts(book: &Book) -> [i64; State::ALL.len()] {
    let mut counts = [0; State::ALL.len()];
    book.pages().for_each(|page| counts[page.state as usize] += 1);
    counts
}

fn ready(book: &Book, problem: Option<&Problem>, counts: &[i64]) -> (bool, &'static str, String) {
    let of = |state: State| counts[state as usize];
    let many = |count: i64, text: &str| {
        if count == 1 { format!("1 repository {text}") } else { format!("{count} repositories {text}") }
    };
    if let Some(Problem { reason, message }) = problem {
        return (false, reason, message.clone());
    }
    if let Some(refusal) = book.trouble() {
        return (false, refusal.reason(), refusal.to_string());
    }
    let first = book.pages().find_map(|page| Some((page.name, page.refusal?)));
    if let Some((name, refusal)) = first {
        let refused = many(of(State::Refused), "without a notification");
        return (false, refusal.reason(), format!("{refused}, such as {name}: {refusal}"));
    }
    if of(State::Disabled) > 0 {
        return (
            false,
            "Disabled",
            format!(
                "{}; see status.repositories",
                many(of(State::Disabled), "with a notification that is switched off")
            ),
        );
    }
    if of(State::Pending) > 0 {
        return (false, "Registering", many(of(State::Pending), "to be looked at for the first time"));
    }
    if book.len() == 0 {
        return (
            true,
            "Registered",
            "no Warehouse within reach subscribes to a repository of this sender, and none is listed".to_owned(),
        );
    }
    (true, "Registered", many(book.pages().count().try_into().unwrap_or(i64::MAX), "registered"))
}

fn entry(page: &Page<'_>) -> RepositoryStatus {
    let time = |time: Option<Timestamp>| time.map(|time| format!("{time:.0}"));
    RepositoryStatus {
        repository: page.name.to_string(),
        state: page.state.as_str().to_owned(),
        failures: page.repository.failures.into(),
        last_checked: time(page.repository.checked),
        last_healed: time(page.repository.healed),
        message: message(page),
    }
}

fn message(page: &Page<'_>) -> String {
    if let Some(refusal) = page.refusal {
        return refusal.to_string();
    }
    let text = match page.state {
        State::Disabled if page.repository.is_in_vain() => {
            "switched off again and again: the sender cannot reach the receiver; check the base URL, Ingress and certificate \
             from its side"
        }
        State::Disabled => "switched off by the sender after three failures",
        State::Failing => "its last deliveries failed; the sender tries again",
        State::Rotating => "the URL has changed: the old notification stays until the new one is proven",
        State::Leaving => "no Warehouse subscribes to it any more, or the registration is being deleted",
        State::Refused | State::Pending | State::Healthy => "",
    };
    match page.repository.disabled.filter(|_| page.state == State::Disabled) {
        Some(since) => format!("{text} (seen at {since:.0})"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::{Duration, Instant};

    use serde_json::json;

    use super::*;
    use crate::domain::scope::ObjectKey;
    use crate::registration::book::{Name, Turn};
    use crate::registration::plan::{Moment, Seen, Whose, Wish};
    use crate::registration::rules::Rules;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    fn object(status: &Value) -> Object {
        Object {
            key: ObjectKey::new("northwind", "quay"),
            uid: String::new(),
            generation: Some(2),
            version: None,
            finalizers: Vec::new(),
            is_deleting: false,
            spec: Err(String::new()),
            status: status.to_string().into(),
        }
    }

    fn book(repositories: usize) -> (Book, Instant) {
        let now = Instant::now();
        let mut book = Book::new(Rules { beat: Duration::from_secs(30) }, now);
        let wanted: BTreeSet<_> =
            (0..repositories).map(|number| Name::from(format!("northwind/{number:04}"))).collect();
        book.want(&wanted, now);
        (book, now)
    }

    /// Looks at every repository that is due; those with these names are refused or have failed.
    fn look(book: &mut Book, now: Instant, wall: Timestamp, gone: &[&str], failed: &[(&str, u32)]) {
        while let Turn::Look(name) = book.next(now) {
            let failures = failed.iter().find(|(failed, _)| **failed == *name).map_or(0, |(_, failures)| *failures);
            let whose = Whose::Current;
            let hook = Seen { id: "1", event: "repo_push", failures, is_active: failures < 3, whose };
            let wish = Wish { events: &["repo_push"], heals: false, queues: true, is_probe: false };
            book.plan(&name, &[hook], &wish, Moment { steady: now, wall });
            let ended = if gone.contains(&&*name) { Err(Refusal::RepositoryGone) } else { Ok(()) };
            book.end(&name, ended, now);
        }
    }

    fn ready(status: &Value) -> (String, String) {
        let conditions = status["conditions"].as_array().unwrap();
        let ready = conditions.iter().find(|condition| condition["type"] == "Ready").unwrap();
        (ready["status"].as_str().unwrap().to_owned(), ready["message"].as_str().unwrap().to_owned())
    }

    #[test]
    fn those_in_trouble_come_first_and_no_more_than_two_hundred_are_listed() {
        let (mut book, now) = book(300);
        look(&mut book, now, at(0), &["northwind/0299"], &[("northwind/0298", 3), ("northwind/0297", 1)]);
        let status = patch(&object(&Value::Null), &book, None, at(0)).unwrap()["status"].clone();
        let listed = status["repositories"].as_array().unwrap();
        let states: Vec<_> = listed.iter().take(4).map(|entry| entry["state"].as_str().unwrap()).collect();
        assert_eq!((listed.len(), states.as_slice()), (200, &["Refused", "Disabled", "Failing", "Healthy"][..]));
        let counts = json!([299, 297, 1, 1, 0]);
        let found = ["registered", "healthy", "failing", "disabled", "healed"].map(|field| status[field].clone());
        assert_eq!(json!(found), counts);
        let (is_ready, message) = ready(&status);
        assert_eq!(is_ready, "False");
        assert!(message.contains("northwind/0299: the repository does not exist"), "{message}");
    }

    #[test]
    fn a_status_is_written_when_something_differs_and_otherwise_every_ten_minutes() {
        let (mut book, now) = book(2);
        look(&mut book, now, at(0), &[], &[]);
        let status = patch(&object(&Value::Null), &book, None, at(0)).unwrap()["status"].clone();
        assert_eq!(ready(&status), ("True".to_owned(), "2 repositories registered".to_owned()));
        let (now, later) = (now + Duration::from_secs(30), at(30));
        look(&mut book, now, later, &[], &[]);
        assert_eq!(patch(&object(&status), &book, None, later), None);
        let (now, later) = (now + Duration::from_secs(30), at(601));
        look(&mut book, now, later, &[], &[]);
        let changed = patch(&object(&status), &book, None, later).unwrap();
        assert_eq!(changed["status"].as_object().unwrap().keys().collect::<Vec<_>>(), ["repositories"]);
        let problem = Problem::new("SecretNotFound", "the Secret is missing");
        let changed = patch(&object(&status), &book, Some(&problem), later).unwrap();
        assert_eq!(ready(&changed["status"]), ("False".to_owned(), "the Secret is missing".to_owned()));
    }

    #[test]
    fn a_refused_token_and_an_unreachable_sender_have_conditions_of_their_own() {
        for (refusal, type_) in
            [(Refusal::TokenUnusable, TOKEN_VALID), (Refusal::Unreachable("refused".to_owned()), REACHABLE)]
        {
            let (mut book, now) = book(1);
            look(&mut book, now, at(0), &[], &[]);
            let status = patch(&object(&Value::Null), &book, None, at(0)).unwrap()["status"].clone();
            assert_eq!(status["conditions"].as_array().unwrap().iter().filter(|c| c["status"] == "True").count(), 3);
            let now = now + Duration::from_secs(30);
            let Turn::Look(name) = book.next(now) else { panic!("it is due") };
            book.end(&name, Err(refusal.clone()), now);
            let status = patch(&object(&status), &book, None, at(30)).unwrap()["status"].clone();
            let conditions = status["conditions"].as_array().unwrap();
            let found = conditions.iter().find(|condition| condition["type"] == type_).unwrap();
            assert_eq!((found["status"].as_str(), found["reason"].as_str()), (Some("False"), Some(refusal.reason())));
        }
    }
}
