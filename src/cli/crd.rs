//! `quayside crd`: the CustomResourceDefinitions.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use super::{Outcome, print};
use crate::api;

/// Print the CustomResourceDefinitions: our own, and Kargo's for clusters (and tests) without Kargo.
///
/// Where Kargo is installed, keep its own: --output gives one file for each kind, and those of quayside.dev are ours.
#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  quayside crd | kubectl apply -f -
  quayside crd --output crds")]
pub(super) struct Args {
    /// Write one file per kind into this folder instead of printing.
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Outcome {
    let files = api::crd_yaml()?;
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
