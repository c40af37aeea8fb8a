//! `quayside deliveries`: what was delivered, over all replicas.

use std::collections::HashSet;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use http_body_util::BodyExt;
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::replicas::{Replica, Source, ask};
use super::{Form, note_all, result, table, what};
use crate::cli::{Outcome, block_on, note, print};
use crate::journal::newest_first;
use crate::journal::record::Record;
use crate::journal::words::{age, clock};
use crate::process::clock::Clock;
use crate::views::Filter;
use crate::views::model::Deliveries;

/// List what was delivered, the newest first, over all replicas.
///
/// Each line is a request to a receiver: what it was about, how it was answered and how far its refreshes have come.
/// The records live in the memory of the replicas; metrics and logs keep what happened before they started.
#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  quayside deliveries --namespace quayside
  quayside deliveries --warehouse kargo-demo/app --since 1h
  quayside deliveries --outcome unauthorized -o wide
  quayside deliveries --follow -o json")]
pub(in crate::cli) struct Args {
    /// Only deliveries to this receiver.
    #[arg(long, value_name = "[PROJECT/]NAME")]
    receiver: Option<String>,

    /// Only deliveries that refresh this Warehouse, or whose repository it subscribes to.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    warehouse: Option<String>,

    /// Only deliveries about a repository whose name holds this text.
    #[arg(long, value_name = "TEXT")]
    repository: Option<String>,

    /// Only deliveries with this outcome, such as refreshed, no_match, ignored or unauthorized.
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<String>,

    /// Only deliveries since then: a duration such as 1h, or a time such as 2026-01-31T12:00:00Z.
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Timestamp>,

    /// How many are listed at most.
    #[arg(long, value_name = "N", default_value = "50")]
    limit: usize,

    /// Print new deliveries as they come, and again when their refreshes have come further.
    #[arg(short, long)]
    follow: bool,

    #[command(flatten)]
    source: Source,

    /// The form of the output.
    #[arg(short = 'o', long, value_name = "FORM", default_value = "table")]
    output: Form,
}

/// Reads a point in time, or a duration before now.
fn since(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let ago = crate::cli::duration(text).map_err(|_| "write a duration such as 1h or a time in RFC 3339".to_owned())?;
    Clock::system().now().checked_sub(ago).map_err(|_| "that is too long ago".to_owned())
}

pub(in crate::cli) fn run(args: &Args) -> Outcome {
    block_on(list(args))?
}

async fn list(args: &Args) -> Outcome {
    let filter = Filter {
        receiver: args.receiver.clone(),
        warehouse: args.warehouse.clone(),
        repository: args.repository.clone(),
        outcome: args.outcome.clone(),
        since: args.since,
        limit: Some(args.limit),
    };
    // Read back, so that a mistake is reported before anything is asked.
    let filter = Filter::from_query(&filter.query()).map_err(anyhow::Error::msg)?;
    let replicas = args.source.replicas().await?;
    // Opened before the list is read, so that nothing falls between the two.
    let news = args.follow.then(|| follow(&replicas, &filter));
    let (answers, problems) = ask::<Deliveries>(&replicas, &format!("/api/v1/deliveries?{}", filter.query())).await?;
    note_all(&problems);
    let mut records: Vec<Record> = answers.into_iter().flat_map(|answer| answer.deliveries).collect();
    newest_first(&mut records);
    records.truncate(filter.limit());
    let Some(mut news) = news else {
        print(&show(&records, args.output)?);
        return Ok(ExitCode::SUCCESS);
    };
    records.reverse();
    let mut known: HashSet<(String, String)> = HashSet::new();
    for record in &records {
        known.insert((record.id.clone(), result(record)));
    }
    print(&show(&records, args.output)?);
    while let Some(record) = news.recv().await {
        if known.insert((record.id.clone(), result(&record))) {
            print(&line(&record, args.output)?);
        }
    }
    anyhow::bail!("every replica has ended the stream; run the command again to go on")
}

fn show(records: &[Record], form: Form) -> anyhow::Result<String> {
    if form == Form::Json {
        let records = serde_json::to_string_pretty(&serde_json::json!({ "deliveries": records }))?;
        return Ok(format!("{records}\n"));
    }
    if records.is_empty() {
        return Ok("No deliveries are remembered that match.\n".to_owned());
    }
    let now = Clock::system().now();
    Ok(match form {
        Form::Wide => {
            let row = |record: &Record| {
                let mut row = cells(record, clock(record.time));
                row.extend([
                    record.kind.clone(),
                    record.status.to_string(),
                    record.duration_ms.map(|ms| format!("{ms:.1}ms")).unwrap_or_default(),
                    record.replica.clone(),
                    record.message.clone(),
                ]);
                row
            };
            let headings = [&HEADINGS[..], &["KIND", "STATUS", "TOOK", "REPLICA", "MESSAGE"]].concat();
            table::table(&headings, &records.iter().map(row).collect::<Vec<_>>())
        }
        Form::Table | Form::Json => {
            let rows: Vec<_> = records.iter().map(|record| cells(record, age(record.time, now))).collect();
            table::table(&HEADINGS, &rows)
        }
    })
}

const HEADINGS: [&str; 7] = ["WHEN", "DELIVERY", "RECEIVER", "EVENT", "ABOUT", "OUTCOME", "KARGO"];

fn cells(record: &Record, when: String) -> Vec<String> {
    vec![
        when,
        record.id.clone(),
        record.receiver_name(),
        record.event.clone(),
        what(record),
        record.outcome.clone(),
        result(record),
    ]
}

/// One line of a stream, whose width nobody knows in advance.
fn line(record: &Record, form: Form) -> anyhow::Result<String> {
    if form == Form::Json {
        return Ok(format!("{}\n", serde_json::to_string(record)?));
    }
    let cells: Vec<String> = cells(record, clock(record.time)).iter().map(|cell| table::printable(cell)).collect();
    Ok(format!("{}\n", cells.join("  ").trim_end()))
}

/// Reads the streams of all replicas into one.
pub(super) fn follow(replicas: &[Replica], filter: &Filter) -> mpsc::Receiver<Record> {
    let (sender, receiver) = mpsc::channel(64);
    for replica in replicas {
        let (replica, sender, path) = (replica.clone(), sender.clone(), format!("/api/v1/events?{}", filter.query()));
        tokio::spawn(async move {
            if let Err(error) = read(&replica, &path, &sender).await {
                note(&format!("replica {}: {error:#}", replica.name()));
            }
        });
    }
    receiver
}

async fn read(replica: &Replica, path: &str, sender: &mpsc::Sender<Record>) -> anyhow::Result<()> {
    let response = replica.open(path).await?;
    let (mut body, mut text) = (response.into_body(), Vec::new());
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.context("the stream broke off")?.into_data() {
            text.extend_from_slice(&data);
        }
        while let Some(end) = text.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = text.drain(..end + 2).collect();
            if let Some(record) = delivery(&String::from_utf8_lossy(&event))
                && sender.send(record).await.is_err()
            {
                return Ok(());
            }
        }
    }
    anyhow::bail!("the stream has ended")
}

/// The record of a server-sent event. Comments that keep the connection alive have none.
fn delivery(event: &str) -> Option<Record> {
    let data = event.lines().find_map(|line| line.strip_prefix("data:"))?;
    serde_json::from_str(data.trim_start()).ok()
}
