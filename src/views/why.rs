//! "Why did nothing happen?" for one Warehouse: the tables and the journal as seen from it, and one sentence.

mod reach;
mod trouble;

use std::sync::Arc;

use super::model::{About, Reach, Subscription, Warehouse};
use crate::domain::event::PushEvent;
use crate::domain::repo::git_identity;
use crate::domain::subscription::Repositories;
use crate::domain::work::Work;
use crate::journal::record::{Record, Refresh, State};
use crate::journal::words::clock;
use crate::tables::routes::Route;
use crate::tables::warehouses::{Pushes, Warehouse as Known};
use reach::merge_calls;
pub(super) use reach::{calls, reaches};
use trouble::{capitalised, trouble};

/// Deliveries that are listed for a Warehouse.
const MOST_DELIVERIES: usize = 20;

/// Receivers that do not reach a Warehouse, of which the answer names the reason.
const MOST_REASONS: usize = 5;

/// What it subscribes to.
pub(super) fn subscriptions(warehouse: &Known) -> Vec<Subscription> {
    let one = |entry: &Result<crate::domain::subscription::Subscription, _>| match entry {
        Ok(known) => Subscription {
            kind: known.kind.to_string(),
            repository: known.repository.to_string(),
            problem: known.selector.as_ref().err().map(ToString::to_string),
        },
        Err(error) => Subscription { problem: Some(format!("{error}")), ..Subscription::default() },
    };
    warehouse.subscriptions.iter().map(one).collect()
}

/// What a delivery has to do with the Warehouse; `None` when nothing.
pub(super) fn about(record: &Record, warehouse: &Known, routes: &[Arc<Route>]) -> Option<About> {
    let (namespace, name) = (&*warehouse.key.namespace, &*warehouse.key.name);
    let within_reach = covers(record, namespace, routes);
    let tell = |refreshes, because| Some(About { delivery: record.clone(), within_reach, refreshes, because });
    let is_it = |it: &&Refresh| it.kind == "Warehouse" && it.namespace == namespace && it.name == name;
    if let Some(refresh) = record.refreshes.iter().find(is_it) {
        return tell(true, progress(refresh));
    }
    let names = Repositories::new(&record.repositories.first);
    let mut subscribed = warehouse.subscriptions.iter().flatten().filter(|entry| names.include(entry)).peekable();
    if subscribed.peek().is_none() {
        return nearly(record, warehouse).and_then(|because| tell(false, because));
    }
    if !within_reach {
        let of = if record.project.is_empty() { "the projects that it is narrowed down to" } else { &*record.project };
        return tell(false, format!("receiver {} refreshes Warehouses of {of} only", record.receiver));
    }
    let own = record.not_refreshed.iter().find(|it| it.namespace == namespace && it.name == name);
    let because = match own {
        Some(own) => own.reason.clone(),
        None if record.matched + record.subscribed > 0 => {
            let event = PushEvent::new(
                record.event.clone().into(),
                record.repositories.first.clone(),
                record.qualifiers.first.clone(),
            );
            let (events, mut work) = ([event], Work::default());
            let pushes = Pushes::new(&events);
            subscribed.next().map(|entry| pushes.explain(entry, &mut work).1).unwrap_or_default()
        }
        None => record.message.clone(),
    };
    tell(false, because)
}

/// Whether the receiver of a delivery covers a namespace. One that is no longer served is judged by its project alone.
fn covers(record: &Record, namespace: &str, routes: &[Arc<Route>]) -> bool {
    let is_it = |route: &&Arc<Route>| {
        *route.receiver == *record.receiver
            && route.owner.kind() == record.declared_in
            && route.owner.project() == record.project
    };
    match routes.iter().find(is_it) {
        Some(route) => route.scope.covers(namespace),
        None => record.project.is_empty() || record.project == namespace,
    }
}

/// Why an event about another repository is worth a look: it differs in its host only.
fn nearly(record: &Record, warehouse: &Known) -> Option<String> {
    for named in &record.repositories.first {
        // The spellings of a Git repository differ in more than the host.
        let identity = git_identity(named);
        let (host, path) = host_and_path(identity.as_deref().unwrap_or(named));
        for entry in warehouse.subscriptions.iter().flatten() {
            let subscribed = entry.identity.as_deref().unwrap_or(&entry.repository);
            let (subscribed_host, subscribed_path) = host_and_path(subscribed);
            if path == subscribed_path && host != subscribed_host && !path.is_empty() {
                return Some(format!(
                    "the event names {named}, the Warehouse subscribes to {}; if both are one registry, add the alias \
                     {host}={subscribed_host}",
                    entry.repository
                ));
            }
        }
    }
    None
}

fn host_and_path(repository: &str) -> (&str, &str) {
    let rest = repository.split_once("://").map_or(repository, |(_, rest)| rest);
    rest.split_once('/').unwrap_or((rest, ""))
}

/// How far a refresh has come, in words.
#[must_use]
pub fn progress(refresh: &Refresh) -> String {
    let what = match refresh.state {
        State::Owed => "the annotation is not written yet; it is repeated until it is",
        State::Written => "the annotation is written; Kargo has not taken it up yet",
        State::Handled if !refresh.because.is_empty() => {
            "Kargo took the refresh up, but its discovery failed; it is asked again"
        }
        State::Handled => "Kargo has taken the refresh up and has not reported a discovery since",
        State::Looked => "Kargo has asked the repositories since",
        State::Seen => "Kargo lists what was pushed",
        State::LookedNotListed => "Kargo has asked the repositories and does not list what was pushed",
        State::NotLooked => "Kargo took the refresh up, but its discovery failed",
        State::NotHandled => "Kargo has not taken the refresh up; its controller may be down or sharded elsewhere",
    };
    if refresh.because.is_empty() { what.to_owned() } else { format!("{what}: {}", refresh.because) }
}

/// Keeps the most telling deliveries, the newest first.
pub(super) fn most_telling(mut about: Vec<About>) -> Vec<About> {
    about.sort_by(|a, b| (b.delivery.time, &b.delivery.id).cmp(&(a.delivery.time, &a.delivery.id)));
    about.truncate(MOST_DELIVERIES);
    about
}

/// One sentence that answers "why did nothing happen?".
#[must_use]
pub fn answer(view: &Warehouse) -> String {
    let (namespace, name) = (&view.namespace, &view.name);
    if !view.found && view.elsewhere {
        return format!(
            "This installation of Quayside does not serve the namespace {namespace} (--namespaces, --excluded-namespaces), so it \
             refreshes nothing there; ask the one that does"
        );
    }
    if !view.found {
        return format!(
            "Quayside knows no Warehouse {namespace}/{name}; compare with kubectl get warehouses --namespace {namespace}"
        );
    }
    if !view.subscriptions.iter().any(|entry| entry.problem.is_none()) {
        return match view.subscriptions.iter().find_map(|entry| entry.problem.as_ref()) {
            Some(problem) => format!("No subscription of the Warehouse accepts anything: {problem}"),
            None => "The Warehouse subscribes to nothing".to_owned(),
        };
    }
    if !view.receivers.iter().any(|receiver| receiver.reaches) {
        let reason = |Reach { name, because, .. }: &Reach| format!("{name}: {because}");
        let reasons: Vec<String> = view.receivers.iter().map(reason).take(MOST_REASONS).collect();
        return match reasons.as_slice() {
            [_, ..] => format!("No receiver reaches the Warehouse: {}", reasons.join("; ")),
            [] => format!(
                "No receiver that is served reaches project {namespace}; declare one in its ProjectConfig, or read the conditions of \
                 the one that is there"
            ),
        };
    }
    let telling = view.deliveries.iter().find(|about| about.within_reach).or_else(|| view.deliveries.first());
    let trouble = trouble(view);
    let Some(About { delivery, refreshes, because, .. }) = telling else {
        let trouble =
            trouble.map_or_else(|| "see whether the sender calls: quayside deliveries".to_owned(), |it| it.text);
        return format!("No delivery since {} named a repository of the Warehouse: {trouble}", clock(view.since));
    };
    let from = origin(delivery);
    let last = if *refreshes {
        format!("he last delivery about it ({from}) refreshed it; {because}")
    } else {
        format!("he last delivery about it ({from}) did not refresh it: {because}")
    };
    match trouble {
        Some(trouble) if trouble.time > Some(delivery.time) => format!("{}; t{last}", capitalised(&trouble.text)),
        _ => format!("T{last}"),
    }
}

fn origin(delivery: &Record) -> String {
    let what = delivery.qualifiers.first.first().or_else(|| delivery.repositories.first.first());
    let what = what.map(|what| format!("{what}, ")).unwrap_or_default();
    format!("{what}{}, receiver {}", clock(delivery.time), delivery.receiver)
}

/// Brings together what several replicas say about one Warehouse.
#[must_use]
pub fn merge(views: Vec<Warehouse>) -> Warehouse {
    let since = views.iter().map(|view| view.since).min().unwrap_or_default();
    let mut views = views.into_iter();
    // A replica that knows the Warehouse says more about it than one that does not yet.
    let Some(mut merged) = views.next() else { return Warehouse::default() };
    for mut view in views {
        let mut deliveries = std::mem::take(&mut merged.deliveries);
        deliveries.append(&mut view.deliveries);
        merge_calls(&mut merged.receivers, &mut view.receivers);
        let mut notifications = std::mem::take(&mut merged.notifications);
        notifications.append(&mut view.notifications);
        if view.found && !merged.found || merged.elsewhere && !view.elsewhere {
            merged = view;
        }
        merged.notifications = notifications;
        merged.deliveries = most_telling(deliveries);
    }
    merged.since = since;
    merged.answer = answer(&merged);
    merged
}

#[cfg(test)]
mod tests;
