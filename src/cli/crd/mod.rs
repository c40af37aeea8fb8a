//! `quayside crd`: the CustomResourceDefinitions, and what they would change in a cluster.

mod change;
pub(super) mod compare;
mod diff;
mod owner;
mod report;
mod schema;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

use super::{Outcome, print};
use crate::api;

/// Print the CustomResourceDefinitions: our own, and Kargo's for clusters (and tests) without Kargo.
///
/// Where Kargo is installed, keep its own, which have more fields: --own prints those of quayside.dev alone.
#[derive(Debug, Parser)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  quayside crd diff
  quayside crd --own | kubectl apply --server-side -f -
  quayside crd --output crds"
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,

    /// Only those of quayside.dev, for a cluster in which Kargo is installed.
    #[arg(long)]
    own: bool,

    /// Write one file per kind into this folder instead of printing.
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Diff(diff::Args),
}

pub(super) fn run(args: &Args) -> Outcome {
    if let Some(Command::Diff(args)) = &args.command {
        return diff::run(args);
    }
    let mut files = api::crd_yaml()?;
    files.retain(|(name, _)| !args.own || name.starts_with(api::OWN_GROUP));
    let Some(folder) = &args.output else {
        let documents: Vec<&str> = files.iter().map(|(_, yaml)| yaml.as_str()).collect();
        print(&documents.join("---\n"));
        return Ok(ExitCode::SUCCESS);
    };
    std::fs::create_dir_all(folder).with_context(|| format!("failed to create {}", folder.display()))?;
    for (name, yaml) in files {
        let path = folder.join(name);
        std::fs::write(&path, yaml).with_context(|| format!("failed to write {}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}
