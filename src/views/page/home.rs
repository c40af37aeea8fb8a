//! Is it well, what was delivered, and which receivers there are.

use std::collections::BTreeMap;

use jiff::Timestamp;
use maud::{Markup, html};

use super::parts::{Tone, clock, delivery, names, pill, receiver, state, time};
use crate::journal::record::Record;
use crate::views::Filter;
use crate::views::model::{Deliveries, Past, Receiver, Receivers, Replicas};

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
        section.hero class=(tone.class()) aria-label="Summary" {
            h1 { (pill(&sentence, tone)) }
            @for problem in &replicas.problems { p { "Replica not reached: " (problem) } }
        }
        section aria-labelledby="deliveries" {
            h2 #deliveries { "Deliveries" }
            (form(filter))
            (table(deliveries, now))
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

fn table(deliveries: &Deliveries, now: Timestamp) -> Markup {
    html! {
        div #live-deliveries {
            @if deliveries.deliveries.is_empty() {
                p { "Nothing that matches has been delivered since " (clock(deliveries.since)) "." }
            } @else {
                div.scroll role="region" aria-labelledby="deliveries" tabindex="0" {
                    table {
                        thead { tr {
                            th scope="col" { "When" } th scope="col" { "Delivery" } th scope="col" { "Receiver" }
                            th scope="col" { "Event" } th scope="col" { "About" } th scope="col" { "Outcome" } th scope="col" { "Kargo" }
                        } }
                        tbody { @for record in &deliveries.deliveries { (row(record, now)) } }
                    }
                }
            }
        }
    }
}

fn row(record: &Record, now: Timestamp) -> Markup {
    html! {
        tr {
            td data-label="When" { (time(record.time, now)) }
            td data-label="Delivery" { (delivery(record)) }
            td data-label="Receiver" { (receiver(&record.project, &record.receiver)) }
            td data-label="Event" { (record.event) }
            td data-label="About" { (names(&record.repositories)) " " (names(&record.qualifiers)) }
            td data-label="Outcome" { (pill(&record.outcome, Tone::of_outcome(&record.outcome))) }
            td data-label="Kargo" {
                @match record.refreshes.iter().map(|refresh| refresh.state).min_by_key(|state| Tone::of_state(*state) != Tone::Bad) {
                    Some(worst) => (pill(state(worst), Tone::of_state(worst))),
                    None => "–",
                }
            }
        }
    }
}

fn receivers_table(receivers: &Receivers, now: Timestamp) -> Markup {
    html! {
        div #live-receivers {
            @if receivers.receivers.is_empty() {
                p { "No receiver is served. The conditions of the ProjectConfig say why: " code { "kubectl describe projectconfigs" } }
            } @else {
                div.scroll role="region" aria-labelledby="receivers" tabindex="0" {
                    table {
                        thead { tr {
                            th scope="col" { "Receiver" } th scope="col" { "Kind" } th scope="col" { "Declared in" }
                            th scope="col" { "Warehouses" } th scope="col" { "Last call" } th scope="col" { "Last outcomes" }
                        } }
                        tbody { @for entry in &receivers.receivers { (receiver_row(entry, now)) } }
                    }
                }
            }
        }
    }
}

fn receiver_row(entry: &Receiver, now: Timestamp) -> Markup {
    let name = if entry.project.is_empty() { entry.name.clone() } else { format!("{}/{}", entry.project, entry.name) };
    let filter = Filter { receiver: Some(name), ..Filter::default() };
    html! {
        tr {
            td data-label="Receiver" { a href={ "/?" (filter.query()) } { (receiver(&entry.project, &entry.name)) } }
            td data-label="Kind" { (entry.kind) }
            td data-label="Declared in" { (entry.declared_in) }
            td data-label="Warehouses" { (entry.warehouses) }
            td data-label="Last call" {
                @match entry.last { Some(last) => (time(last, now)), None => "never seen" }
                @if entry.previous_url { " " (pill("previous URL served", Tone::Warning)) }
            }
            td data-label="Last outcomes" { (sparkline(&entry.past)) }
        }
    }
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
    html! {
        div #live-replicas {
            div.scroll role="region" aria-labelledby="replicas" tabindex="0" {
                table {
                    thead { tr {
                        th scope="col" { "Replica" } th scope="col" { "State" } th scope="col" { "Running" } th scope="col" { "Version" }
                        th scope="col" { "Receivers" } th scope="col" { "Warehouses" } th scope="col" { "Owed" } th scope="col" { "On disk" }
                    } }
                    tbody {
                        @for replica in &replicas.replicas {
                            @let closed: Vec<&str> =
                                replica.gates.iter().filter(|gate| !gate.open).map(|gate| gate.name.as_str()).collect();
                            tr {
                                td data-label="Replica" { (replica.replica) @if replica.leader { " (leads)" } }
                                td data-label="State" {
                                    @if replica.draining { (pill("draining", Tone::Warning)) }
                                    @else if replica.ready { (pill("ready", Tone::Good)) }
                                    @else { (pill("not ready", Tone::Bad)) " waits for " (closed.join(", ")) }
                                }
                                td data-label="Running" { "since " (time(replica.since, now)) }
                                td data-label="Version" { (replica.version) }
                                td data-label="Receivers" { (replica.receivers) }
                                td data-label="Warehouses" { (replica.warehouses) }
                                td data-label="Owed" { (replica.owed) }
                                td data-label="On disk" {
                                    @match &replica.spool {
                                        Some(spool) => { (spool.owed) " refreshes, " (spool.taken_in) " requests" }
                                        None => "no spool",
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
