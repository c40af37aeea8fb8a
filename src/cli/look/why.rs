//! `quayside why NAMESPACE/WAREHOUSE`: why a Warehouse was or was not refreshed.

use std::fmt::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use super::replicas::{Source, ask};
use super::table::{printable, table};
use super::{Form, note_all, receiver, time, what};
use crate::cli::{Outcome, block_on, print};
use crate::views::model::Warehouse;
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
    let encode = |part: &str| form_urlencoded::byte_serialize(part.as_bytes()).collect::<String>();
    let path = format!("/api/v1/warehouses/{}/{}", encode(namespace), encode(name));
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
        vec![reach.name.clone(), reach.kind.clone(), scope.to_owned(), reaches.to_owned(), reach.because.clone()]
    });
    part("Receivers", &["NAME", "KIND", "DECLARED FOR", "REACHES", "BECAUSE"], receivers.collect());
    let deliveries = view.deliveries.iter().map(|about| {
        vec![
            time(about.delivery.time),
            about.delivery.id.clone(),
            receiver(&about.delivery),
            what(&about.delivery),
            if about.refreshes { "yes" } else { "no" }.to_owned(),
            about.because.clone(),
        ]
    });
    part("Deliveries", &["WHEN", "DELIVERY", "RECEIVER", "ABOUT", "REFRESHED", "BECAUSE"], deliveries.collect());
    text
}
