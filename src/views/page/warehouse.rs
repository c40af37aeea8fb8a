//! Why one Warehouse was or was not refreshed.

use maud::{Markup, html};

use super::parts::{Tone, clock, delivery, names, pill, receiver};
use crate::views::model::Warehouse;

pub(super) fn page(view: &Warehouse) -> Markup {
    let is_well = view.deliveries.first().is_some_and(|about| about.refreshes);
    let tone = if is_well { Tone::Good } else { Tone::Warning };
    html! {
        section.hero class=(tone.class()) aria-label="Summary" {
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
                            @if reach.reaches { (pill("reaches it", Tone::Good)) } @else { (pill("does not reach it", Tone::Warning)) " " (reach.because) }
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
                        div.scroll role="region" aria-labelledby="deliveries" tabindex="0" {
                            table {
                                thead { tr {
                                    th scope="col" { "When" } th scope="col" { "Delivery" } th scope="col" { "Receiver" }
                                    th scope="col" { "About" } th scope="col" { "Refreshed" } th scope="col" { "Because" }
                                } }
                                tbody {
                                    @for about in &view.deliveries {
                                        tr {
                                            td data-label="When" { (clock(about.delivery.time)) }
                                            td data-label="Delivery" { (delivery(&about.delivery)) }
                                            td data-label="Receiver" { (receiver(&about.delivery.project, &about.delivery.receiver)) }
                                            td data-label="About" { (names(&about.delivery.repositories)) " " (names(&about.delivery.qualifiers)) }
                                            td data-label="Refreshed" { @if about.refreshes { (pill("yes", Tone::Good)) } @else { (pill("no", Tone::Neutral)) } }
                                            td data-label="Because" { (about.because) }
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
}
