//! `quayside why NAMESPACE/WAREHOUSE`: why a Warehouse was or was not refreshed.

use std::fmt::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use super::replicas::{Source, ask};
use super::table::{printable, table};
use super::{Form, note_all, what};
use crate::cli::{Outcome, block_on, print};
use crate::journal::words::clock;
use crate::views::model::{Reach, Warehouse};
use crate::views::paths;
use crate::views::why::merge;

/// Say why a Warehouse was or was not refreshed: one sentence first, then what it rests on.
///
/// Shows the subscriptions as they are compared, the receivers that reach the Warehouse, and the last deliveries about
/// its repositories with the reason why each did or did not refresh it, over all replicas.
#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  quayside why kargo-demo/app
  quayside why kargo-demo/app -o json | jq -r .answer")]
pub(in crate::cli) struct Args {
    /// The Warehouse.
    #[arg(value_name = "NAMESPACE/WAREHOUSE")]
    warehouse: String,

    #[command(flatten)]
    source: Source,

    /// The form of the output.
    #[arg(short = 'o', long, value_name = "FORM", default_value = "table")]
    output: Form,
}

pub(in crate::cli) fn run(args: &Args) -> Outcome {
    let (namespace, name) =
        args.warehouse.split_once('/').context("write the Warehouse as NAMESPACE/NAME, such as kargo-demo/app")?;
    let path = format!("{}{}", paths::JSON, paths::warehouse(namespace, name));
    block_on(async {
        let replicas = args.source.replicas().await?;
        let (views, problems) = ask::<Warehouse>(&replicas, &path).await?;
        note_all(&problems);
        let view = merge(views);
        print(&if args.output == Form::Json {
            format!("{}\n", serde_json::to_string_pretty(&view)?)
        } else {
            show(&view)
        });
        Ok(ExitCode::SUCCESS)
    })?
}

fn show(view: &Warehouse) -> String {
    let mut text = format!("{}.\n", printable(view.answer.trim_end_matches('.')));
    let mut part = |title: &str, headings: &[&str], rows: Vec<Vec<String>>| {
        if !rows.is_empty() {
            // Writing to a text cannot fail.
            write!(text, "\n{title}\n{}", table(headings, &rows)).ok();
        }
    };
    let subscriptions = view
        .subscriptions
        .iter()
        .map(|entry| vec![entry.kind.clone(), entry.repository.clone(), entry.problem.clone().unwrap_or_default()]);
    part("It subscribes to", &["KIND", "REPOSITORY", "PROBLEM"], subscriptions.collect());
    let receivers = view.receivers.iter().map(|reach| {
        let scope = if reach.project.is_empty() { "cluster" } else { &reach.project };
        let reaches = if reach.reaches { "yes" } else { "no" };
        let last = last(reach);
        let remark = if reach.because.is_empty() { reach.remark.clone() } else { reach.because.clone() };
        vec![reach.name.clone(), reach.kind.clone(), scope.to_owned(), reaches.to_owned(), last, remark]
    });
    let headings = ["NAME", "KIND", "DECLARED FOR", "REACHES", "LAST REQUEST", "REMARK"];
    part("Receivers", &headings, receivers.collect());
    let deliveries = view.deliveries.iter().map(|about| {
        vec![
            clock(about.delivery.time),
            about.delivery.id.clone(),
            about.delivery.receiver_name(),
            what(&about.delivery),
            if about.refreshes { "yes" } else { "no" }.to_owned(),
            about.because.clone(),
        ]
    });
    part("Deliveries", &["WHEN", "DELIVERY", "RECEIVER", "ABOUT", "REFRESHED", "BECAUSE"], deliveries.collect());
    text
}

/// The last request to a receiver, and what came of it.
fn last(reach: &Reach) -> String {
    let calls = &reach.calls;
    let all = [&calls.useful, &calls.idle, &calls.refused, &calls.retired];
    let last = all.into_iter().flatten().max_by_key(|call| call.time);
    last.map(|call| format!("{} {}", clock(call.time), call.outcome)).unwrap_or_default()
}
