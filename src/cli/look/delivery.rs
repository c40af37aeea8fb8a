//! `quayside delivery ID`: the whole story of one delivery.

use std::fmt::Write;
use std::process::ExitCode;

use clap::Parser;
use jiff::Timestamp;

use super::replicas::{Source, ask};
use super::table::printable;
use super::{Form, note_all};
use crate::cli::{FAILED, Outcome, block_on, note, print};
use crate::journal::record::{Names, Record, Refresh};
use crate::journal::words::clock;
use crate::views::{paths, why};

/// Tell the whole story of one delivery: the request, what it was judged to be, and what came of each refresh.
///
/// The id is in the answer to the sender, in its header x-quayside-delivery, in the log and in quayside deliveries.
/// Exit code 1 when no replica remembers it.
#[derive(Debug, Parser)]
pub(in crate::cli) struct Args {
    /// The delivery id.
    #[arg(value_name = "ID")]
    id: String,

    #[command(flatten)]
    source: Source,

    /// The form of the output.
    #[arg(short = 'o', long, value_name = "FORM", default_value = "table")]
    output: Form,
}

pub(in crate::cli) fn run(args: &Args) -> Outcome {
    block_on(async {
        let replicas = args.source.replicas().await?;
        let (found, problems) =
            ask::<Record>(&replicas, &format!("{}{}", paths::JSON, paths::delivery(&args.id))).await?;
        note_all(&problems);
        let Some(record) = found.into_iter().next() else {
            note(&format!(
                "no replica remembers delivery {}: records live in memory, 200 for each receiver; its log line may still be there",
                args.id
            ));
            return Ok(ExitCode::from(FAILED));
        };
        print(&if args.output == Form::Json {
            format!("{}\n", serde_json::to_string_pretty(&record)?)
        } else {
            story(&record)
        });
        Ok(ExitCode::SUCCESS)
    })?
}

fn names(names: &Names) -> String {
    let left_out = names.total.saturating_sub(names.first.len());
    let more = if left_out > 0 { format!(" and {left_out} more") } else { String::new() };
    format!("{}{more}", names.first.join(", "))
}

fn story(record: &Record) -> String {
    let mut text = String::new();
    let mut say = |what: &str, value: &str| {
        if !value.is_empty() {
            // Writing to a text cannot fail.
            writeln!(text, "{what:<14}{}", printable(value)).ok();
        }
    };
    say("Delivery", &record.id);
    say("Arrived", &format!("{} at replica {}", clock(record.time), record.replica));
    say("Receiver", &format!("{} ({}, declared in a {})", record.receiver_name(), record.kind, record.declared_in));
    if record.previous_url {
        say("", "It came to the URL of the previous secret: register the current one with the sender.");
    }
    say("Event", &record.event);
    say("Repositories", &names(&record.repositories));
    say("Tags or refs", &names(&record.qualifiers));
    let took = record.duration_ms.map(|ms| format!(" after {ms:.1} ms")).unwrap_or_default();
    say("Answer", &format!("{} {}{took}: {}", record.status, record.outcome, record.message));
    say("Subscribed", &format!("{} Warehouse(s) within reach", record.subscribed));
    for refresh in &record.refreshes {
        say("Refreshed", &format!("{} {}/{}", refresh.kind, refresh.namespace, refresh.name));
        for (what, at) in steps(refresh) {
            say("", &format!("  {what:<9} {}", since(record.time, at)));
        }
        if refresh.nudges > 0 {
            say("", &format!("  repeated  {} time(s), because Kargo had not looked", refresh.nudges));
        }
        say("", &format!("  now       {}", why::progress(refresh)));
    }
    let unnamed = record.matched.saturating_sub(record.refreshes.len());
    if unnamed > 0 {
        say("", &format!("and {unnamed} more"));
    }
    for other in &record.not_refreshed {
        say("Not refreshed", &format!("Warehouse {}/{}: {}", other.namespace, other.name, other.reason));
    }
    text
}

fn steps(refresh: &Refresh) -> impl Iterator<Item = (&'static str, Timestamp)> {
    let steps = [
        ("written", refresh.written),
        ("handled", refresh.handled),
        ("looked", refresh.looked),
        ("seen", refresh.seen),
    ];
    steps.into_iter().filter_map(|(what, at)| Some((what, at?)))
}

fn since(start: Timestamp, at: Timestamp) -> String {
    let after = at.duration_since(start).as_secs_f64();
    format!("{} (+{after:.3} s)", clock(at))
}
