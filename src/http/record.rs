//! What the journal keeps of a delivery.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::answer::Answer;
use super::state::Hooks;
use crate::delivery::Judgement;
use crate::domain::target::Target;
use crate::journal::Url;
use crate::journal::record::{Names, NotRefreshed, Record, Refresh, Step};
use crate::tables::retired::Meant;
use crate::tables::routes::{Route, Standing};
use crate::tables::warehouses::Refusal;

/// What the record of a request to a retired URL says; its sender learns nothing.
const RETIRED: &str =
    "the URL belongs to a secret that is no longer in force; register the current one with the sender";

/// A delivery that is over.
pub(super) struct Over<'a> {
    pub(super) id: &'a str,
    pub(super) route: &'a Route,
    /// When it had arrived, or was refused.
    pub(super) arrived: Timestamp,
    pub(super) answer: &'a Answer,
    /// From its arrival to the answer; `None` when the body was never read.
    pub(super) took: Option<Duration>,
    /// What it came to; `None` when it was refused before that.
    pub(super) judgement: Option<&'a Judgement>,
    /// What is refreshed because of it.
    pub(super) targets: &'a [Target],
    /// What of that is not written yet; sorted.
    pub(super) unfinished: &'a [Target],
}

impl Over<'_> {
    /// Puts it into the journal.
    pub(super) fn keep(&self, hooks: &Hooks) {
        if !hooks.journal.remembers() {
            return;
        }
        let Self { route, targets, .. } = *self;
        let key = (route.owner.clone(), Arc::clone(&route.receiver), Url::Served);
        let now = hooks.clock.now();
        hooks.journal.keep(&key, self.record(now), targets);
        // One that was written before the journal knew of it has found nothing to note.
        for target in self.unfinished.iter().filter(|target| !hooks.refresher.owes(target)) {
            hooks.journal.advance(target, self.arrived, &Step::Written, now);
        }
    }

    fn record(&self, now: Timestamp) -> Record {
        let Self { id, route, arrived, answer, took, judgement, targets, unfinished } = *self;
        let refreshes = targets.iter().take(Record::MOST_NAMES).map(|target| {
            let mut refresh = Refresh::owed(target);
            if unfinished.binary_search(target).is_err() {
                refresh.advance(&Step::Written, now);
            }
            refresh
        });
        let (repositories, qualifiers) = names(judgement);
        Record {
            id: id.to_owned(),
            time: arrived,
            kind: route.kind().to_string(),
            declared_in: route.owner.kind().to_owned(),
            project: route.owner.project().to_owned(),
            receiver: route.receiver.to_string(),
            previous_url: route.standing != Standing::Current,
            event: judgement.map(|judgement| judgement.event().to_owned()).unwrap_or_default(),
            repositories,
            qualifiers,
            status: answer.status().as_u16(),
            outcome: answer.outcome.as_str().to_owned(),
            message: answer.body.message().to_owned(),
            duration_ms: took.map(|took| took.as_secs_f64() * 1000.0),
            subscribed: match judgement {
                Some(Judgement::Push { selection, .. }) => selection.subscribed,
                _ => 0,
            },
            matched: targets.len(),
            refreshes: refreshes.collect(),
            not_refreshed: match judgement {
                Some(Judgement::Push { selection, .. }) => selection.refusals.iter().map(not_refreshed).collect(),
                _ => Vec::new(),
            },
            ..Record::default()
        }
    }
}

/// The selection keeps the first few reasons only, however many subscriptions there are.
fn not_refreshed(refusal: &Refusal) -> NotRefreshed {
    let Refusal { warehouse, repository, reason } = refusal;
    let (namespace, name) = (warehouse.namespace.to_string(), warehouse.name.to_string());
    NotRefreshed { namespace, name, repository: repository.clone(), reason: reason.clone() }
}

/// Puts a request into the journal that came to a URL which is no longer served.
pub(super) fn keep_retired(hooks: &Hooks, meant: &Meant, answer: &Answer, time: Timestamp) {
    let Meant { owner, receiver, kind } = meant;
    let record = Record {
        id: hooks.ids.next(),
        time,
        kind: kind.to_string(),
        declared_in: owner.kind().to_owned(),
        project: owner.project().to_owned(),
        receiver: receiver.to_string(),
        previous_url: true,
        status: answer.status().as_u16(),
        outcome: answer.outcome.as_str().to_owned(),
        message: RETIRED.to_owned(),
        ..Record::default()
    };
    hooks.journal.keep(&(owner.clone(), Arc::clone(receiver), Url::Retired), record, &[]);
}

/// The repositories and the tags or refs that it names.
fn names(judgement: Option<&Judgement>) -> (Names, Names) {
    match judgement {
        Some(Judgement::Push { events, .. }) => {
            let repositories = events.iter().flat_map(|event| &event.repositories);
            let qualifiers = events.iter().flat_map(|event| &event.qualifiers);
            (repositories.collect(), qualifiers.collect())
        }
        Some(Judgement::Ignored(ignored)) => (Names::of(&ignored.repositories), Names::of(&ignored.qualifiers)),
        Some(Judgement::PullRequest { event, .. }) => (Names::default(), Names::of(std::slice::from_ref(&event.url))),
        Some(Judgement::Rejected(_) | Judgement::Actions(_)) | None => Default::default(),
    }
}
