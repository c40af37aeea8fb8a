//! Why one Warehouse was or was not refreshed.

use maud::{Markup, html};

use super::parts::{Tone, delivery, names, pill, receiver, table};
use crate::journal::words::clock;
use crate::views::model::{About, Warehouse};

const HEADINGS: [&str; 6] = ["When", "Delivery", "Receiver", "About", "Refreshed", "Because"];

pub(super) fn page(view: &Warehouse) -> Markup {
    let is_well = view.deliveries.first().is_some_and(|about| about.refreshes);
    let tone = if is_well { Tone::Good } else { Tone::Warning };
    html! {
        section class={ "hero " (tone.class()) } aria-label="Summary" {
            h1 { "Warehouse " (view.namespace) "/" (view.name) }
            p.answer { (view.answer) "." }
        }
        @if view.found {
            section aria-labelledby="subscriptions" {
                h2 #subscriptions { "It subscribes to" }
                ul {
                    @for entry in &view.subscriptions {
                        li {
                            (entry.kind) " " code { (entry.repository) }
                            @if let Some(problem) = &entry.problem { " " (pill("accepts nothing", Tone::Bad)) " " (problem) }
                        }
                    }
                    @if view.subscriptions.is_empty() { li { "nothing" } }
                }
            }
            section aria-labelledby="receivers" {
                h2 #receivers { "Receivers" }
                ul {
                    @for reach in &view.receivers {
                        li {
                            (receiver(&reach.project, &reach.name)) " (" (reach.kind) ") "
                            @if reach.reaches { (pill("reaches it", Tone::Good)) @if !reach.remark.is_empty() { " " (reach.remark) } } @else { (pill("does not reach it", Tone::Warning)) " " (reach.because) }
                        }
                    }
                    @if view.receivers.is_empty() { li { "No receiver reaches it." } }
                }
            }
            section aria-labelledby="deliveries" {
                h2 #deliveries { "Deliveries" }
                div #live-warehouse {
                    @if view.deliveries.is_empty() {
                        p { "Since " (clock(view.since)) " no delivery has named one of its repositories." }
                    } @else {
                        (table("deliveries", &HEADINGS, view.deliveries.iter().map(row).collect()))
                    }
                }
            }
        }
    }
}

fn row(about: &About) -> Vec<Markup> {
    let About { delivery: record, refreshes, because, .. } = about;
    vec![
        html! { (clock(record.time)) },
        delivery(record),
        html! { (receiver(&record.project, &record.receiver)) },
        html! { (names(&record.repositories)) " " (names(&record.qualifiers)) },
        if *refreshes { pill("yes", Tone::Good) } else { pill("no", Tone::Neutral) },
        html! { (because) },
    ]
}
