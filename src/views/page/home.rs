//! Is it well, what was delivered, and which receivers there are.

use std::collections::BTreeMap;

use jiff::Timestamp;
use maud::{Markup, html};

use super::parts::{Tone, delivery, names, pill, receiver, state, table, time};
use crate::journal::record::Record;
use crate::journal::words::{clock, receiver_name};
use crate::views::Filter;
use crate::views::model::{Deliveries, Health, Past, Receiver, Receivers, Replicas};

/// Deliveries that a sparkline shows.
const SPARKS: usize = 40;

pub(super) fn page(
    filter: &Filter,
    deliveries: &Deliveries,
    receivers: &Receivers,
    replicas: &Replicas,
    now: Timestamp,
) -> Markup {
    let (tone, sentence) = verdict(deliveries, receivers, replicas);
    html! {
        section class={ "hero " (tone.class()) } aria-label="Summary" {
            h1 { (pill(&sentence, tone)) }
            @for problem in &replicas.problems { p { "Replica not reached: " (problem) } }
        }
        section aria-labelledby="deliveries" {
            h2 #deliveries { "Deliveries" }
            (form(filter))
            (deliveries_table(deliveries, now))
        }
        section aria-labelledby="receivers" {
            h2 #receivers { "Receivers" }
            (receivers_table(receivers, now))
        }
        section aria-labelledby="replicas" {
            h2 #replicas { "Replicas" }
            (replicas_table(replicas, now))
        }
    }
}

/// Is it well? In one sentence.
fn verdict(deliveries: &Deliveries, receivers: &Receivers, replicas: &Replicas) -> (Tone, String) {
    let all = &replicas.replicas;
    let unready: Vec<&str> = all.iter().filter(|it| !it.ready).map(|it| it.replica.as_str()).collect();
    let owed: usize = all.iter().map(|it| it.owed).sum();
    if all.is_empty() {
        return (Tone::Bad, "No replica answers".to_owned());
    }
    if !unready.is_empty() {
        return (Tone::Bad, format!("Not ready: {}", unready.join(", ")));
    }
    if receivers.receivers.is_empty() {
        return (Tone::Warning, "No receiver is served; declare one in a ProjectConfig".to_owned());
    }
    if owed > 0 {
        return (Tone::Warning, format!("{owed} refreshes are owed because the API server does not take them yet"));
    }
    match deliveries.deliveries.first() {
        None => (Tone::Neutral, format!("Ready; no delivery since {}", clock(deliveries.since))),
        Some(record) => {
            let tone = Tone::of_outcome(&record.outcome);
            let tone = if tone == Tone::Bad { Tone::Warning } else { Tone::Good };
            (tone, format!("Ready; the last delivery ended as {}", record.outcome))
        }
    }
}

fn form(filter: &Filter) -> Markup {
    let fields = [
        ("receiver", "Receiver", &filter.receiver),
        ("warehouse", "Warehouse", &filter.warehouse),
        ("repository", "Repository", &filter.repository),
        ("outcome", "Outcome", &filter.outcome),
    ];
    html! {
        form.filter action="/" aria-label="Filter the deliveries" {
            @for (name, label, value) in fields {
                div {
                    label for={ "filter-" (name) } { (label) }
                    input id={ "filter-" (name) } name=(name) value=[value.as_deref()] autocomplete="off" spellcheck="false";
                }
            }
            button { "Filter" }
            @if *filter != Filter::default() { a href="/" { "Show all" } }
        }
    }
}

fn deliveries_table(deliveries: &Deliveries, now: Timestamp) -> Markup {
    let headings = ["When", "Delivery", "Receiver", "Event", "About", "Outcome", "Kargo"];
    html! {
        div #live-deliveries {
            @if deliveries.deliveries.is_empty() {
                p { "Nothing that matches has been delivered since " (clock(deliveries.since)) "." }
            } @else {
                (table("deliveries", &headings, deliveries.deliveries.iter().map(|record| row(record, now)).collect()))
            }
        }
    }
}

fn row(record: &Record, now: Timestamp) -> Vec<Markup> {
    vec![
        time(record.time, now),
        delivery(record),
        html! { (receiver(&record.project, &record.receiver)) },
        html! { (record.event) },
        html! { (names(&record.repositories)) " " (names(&record.qualifiers)) },
        pill(&record.outcome, Tone::of_outcome(&record.outcome)),
        record.progress().map_or_else(|| html! { "–" }, state),
    ]
}

fn receivers_table(receivers: &Receivers, now: Timestamp) -> Markup {
    let headings = ["Receiver", "Kind", "Declared in", "Warehouses", "Last call", "Last outcomes"];
    html! {
        div #live-receivers {
            @if receivers.receivers.is_empty() {
                p { "No receiver is served. " a href="/checks" { "The checks" } " name what is wrong." }
            } @else {
                (table("receivers", &headings, receivers.receivers.iter().map(|it| receiver_row(it, now)).collect()))
            }
        }
    }
}

fn receiver_row(entry: &Receiver, now: Timestamp) -> Vec<Markup> {
    let filter = Filter { receiver: Some(receiver_name(&entry.project, &entry.name)), ..Filter::default() };
    let last = html! {
        @match entry.last { Some(last) => (time(last, now)), None => "never seen" }
        @if entry.previous_url { " " (pill("previous URL served", Tone::Warning)) }
    };
    vec![
        html! { a href={ "/?" (filter.query()) } { (receiver(&entry.project, &entry.name)) } },
        html! { (entry.kind) },
        html! { (entry.declared_in) },
        html! { (entry.warehouses) },
        last,
        sparkline(&entry.past),
    ]
}

/// A bar for each delivery; its text says the same in numbers.
fn sparkline(past: &[Past]) -> Markup {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for past in past {
        *counts.entry(&past.outcome).or_default() += 1;
    }
    let summary: Vec<String> = counts.iter().map(|(outcome, count)| format!("{outcome} {count}")).collect();
    let summary = if summary.is_empty() { "no deliveries".to_owned() } else { summary.join(", ") };
    let shown = &past[past.len().saturating_sub(SPARKS)..];
    let height = |tone| match tone {
        Tone::Good => 16,
        Tone::Warning => 11,
        Tone::Bad => 7,
        Tone::Neutral => 3,
    };
    html! {
        svg.spark viewBox={ "0 0 " (SPARKS * 4) " 16" } role="img" aria-label=(summary) {
            title { (summary) }
            @for (place, past) in shown.iter().enumerate() {
                @let tone = Tone::of_outcome(&past.outcome);
                rect class=(tone.class()) x=(place * 4) y=(16 - height(tone)) width="3" height=(height(tone)) {}
            }
        }
    }
}

fn replicas_table(replicas: &Replicas, now: Timestamp) -> Markup {
    let headings = ["Replica", "State", "Running", "Version", "Receivers", "Warehouses", "Owed", "On disk"];
    let rows = replicas.replicas.iter().map(|replica| replica_row(replica, now)).collect();
    html! { div #live-replicas { (table("replicas", &headings, rows)) } }
}

fn replica_row(replica: &Health, now: Timestamp) -> Vec<Markup> {
    let closed: Vec<&str> = replica.gates.iter().filter(|gate| !gate.open).map(|gate| gate.name.as_str()).collect();
    let state = html! {
        @if replica.draining { (pill("draining", Tone::Warning)) }
        @else if replica.ready { (pill("ready", Tone::Good)) }
        @else { (pill("not ready", Tone::Bad)) " waits for " (closed.join(", ")) }
    };
    let disk = match &replica.spool {
        Some(spool) => html! { (spool.owed) " refreshes, " (spool.taken_in) " requests" },
        None => html! { "no spool" },
    };
    vec![
        html! { (replica.replica) @if replica.leader { " (leads)" } },
        state,
        html! { "since " (time(replica.since, now)) },
        html! { (replica.version) },
        html! { (replica.receivers) },
        html! { (replica.warehouses) },
        html! { (replica.owed) },
        disk,
    ]
}
