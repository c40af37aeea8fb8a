//! One delivery as a timeline: push, answered, written, handled, looked, seen.

use jiff::Timestamp;
use maud::{Markup, html};

use super::parts::{Tone, names, pill, receiver, state, warehouse};
use crate::journal::record::{Record, Refresh};
use crate::journal::words::clock;
use crate::views::why::progress;

pub(super) fn page(record: &Record) -> Markup {
    let tone = Tone::of_outcome(&record.outcome);
    html! {
        section class={ "hero " (tone.class()) } aria-label="Summary" {
            h1 { (pill(&record.outcome, tone)) }
            p { (record.message) }
        }
        section aria-labelledby="request" {
            h2 #request { "Delivery " code { (record.id) } }
            dl {
                dt { "Arrived" } dd { (clock(record.time)) " at replica " (record.replica) }
                dt { "Receiver" } dd { (receiver(&record.project, &record.receiver)) " (" (record.kind) ", declared in a " (record.declared_in) ")" }
                @if record.previous_url {
                    dt { "URL" } dd { (pill("of the previous secret", Tone::Warning)) " Register the current one with the sender." }
                }
                @if !record.event.is_empty() { dt { "Event" } dd { (record.event) } }
                @if record.repositories.total > 0 { dt { "Repositories" } dd { (names(&record.repositories)) } }
                @if record.qualifiers.total > 0 { dt { "Tags or refs" } dd { (names(&record.qualifiers)) } }
                dt { "Answer" } dd { (record.status) @if let Some(ms) = record.duration_ms { " after " (format!("{ms:.1}")) " ms" } }
                dt { "Subscribed" } dd { (record.subscribed) " Warehouses within reach" }
            }
        }
        div #live-delivery {
            @for refresh in &record.refreshes { (timeline(record, refresh)) }
            @let unnamed = record.matched.saturating_sub(record.refreshes.len());
            @if unnamed > 0 { p { "and " (unnamed) " more" } }
            @if !record.not_refreshed.is_empty() {
                section aria-labelledby="others" {
                    h2 #others { "Not refreshed" }
                    ul {
                        @for other in &record.not_refreshed {
                            li { (warehouse(&other.namespace, &other.name)) " subscribes to " code { (other.repository) } ": " (other.reason) }
                        }
                    }
                }
            }
        }
    }
}

/// A bar per stage on one axis of time, and the same as a list.
fn timeline(record: &Record, refresh: &Refresh) -> Markup {
    let answered = record.duration_ms.and_then(|ms| {
        let after = jiff::SignedDuration::try_from_secs_f64(ms / 1000.0).ok()?;
        record.time.checked_add(after).ok()
    });
    let steps = [
        ("answered", answered),
        ("written", refresh.written),
        ("handled", refresh.handled),
        ("looked", refresh.looked),
        ("seen", refresh.seen),
    ];
    let steps: Vec<(&str, f64)> =
        steps.into_iter().filter_map(|(name, at)| Some((name, seconds(record.time, at?)))).collect();
    let end = steps.iter().map(|(_, after)| *after).fold(0.001, f64::max);
    let tone = Tone::of_state(refresh.state);
    html! {
        section.refresh {
            h2 { (refresh.kind) " " @if refresh.kind == "Warehouse" { (warehouse(&refresh.namespace, &refresh.name)) } @else { (refresh.namespace) "/" (refresh.name) } }
            p { (state(refresh.state)) " " (progress(refresh)) @if refresh.nudges > 0 { "; repeated " (refresh.nudges) " times, because Kargo had not looked" } }
            ol.timeline {
                @for (name, after) in &steps {
                    li {
                        span.step { (name) }
                        svg.bar viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" {
                            rect.track x="0" y="0" width="100" height="8" {}
                            rect class=(tone.class()) x="0" y="0" width=(format!("{:.2}", (after / end * 100.0).max(0.5))) height="8" {}
                        }
                        span.after { "+" (format!("{after:.3}")) " s" }
                    }
                }
            }
        }
    }
}

fn seconds(start: Timestamp, at: Timestamp) -> f64 {
    at.duration_since(start).as_secs_f64().max(0.0)
}
