//! `quayside url`: the URL of a receiver, computed offline.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::ensure;
use clap::Parser;
use serde_json::json;

use super::{Outcome, print, read};
use crate::domain::kind::ReceiverKind;
use crate::domain::path::{BaseUrl, ReceiverPath};
use crate::domain::scope::Scope;
use crate::domain::secret::Secret;

/// Compute the URL of a receiver offline, as it will stand in the status.
///
/// The bytes of the secret are used exactly as given: a file that ends in a newline gives another URL than one that
/// does not. Treat the output as a credential.
#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  kubectl get secret quay-webhook -n kargo-demo -o jsonpath='{.data.secret}' | base64 -d \\
    | quayside url quay --base-url https://hooks.example.com --project kargo-demo --name quay --secret-file -
  quayside url github --base-url https://kargo.example.com/webhooks --name hub --secret-file ./secret   # ClusterConfig")]
pub(super) struct Args {
    /// The receiver's kind, for example quay.
    #[arg(value_name = "KIND", value_parser = kind)]
    kind: ReceiverKind,

    /// The public URL under which senders reach the receivers.
    #[arg(long, env = "EXTERNAL_WEBHOOK_SERVER_BASE_URL", value_name = "URL", hide_env_values = true)]
    base_url: String,

    /// The project, which is the namespace of the ProjectConfig or Receiver; leave it out for a receiver of the
    /// cluster.
    #[arg(long, value_name = "PROJECT", default_value = "")]
    project: String,

    /// The receiver's name: in spec.webhookReceivers, or that of the Receiver or ClusterReceiver.
    #[arg(long, value_name = "NAME")]
    name: String,

    /// The secret, from a file or, with -, from standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "secret", required_unless_present = "secret")]
    secret_file: Option<PathBuf>,

    /// The secret itself. Prefer --secret-file: arguments can be seen by others and stay in the shell's history.
    #[arg(long, value_name = "TEXT", env = "QUAYSIDE_SECRET", hide_env_values = true)]
    secret: Option<String>,

    /// Print {"path": …, "url": …} instead of the URL.
    #[arg(long)]
    json: bool,
}

fn kind(name: &str) -> Result<ReceiverKind, String> {
    let known = ReceiverKind::ALL.map(ReceiverKind::as_str).join(", ");
    ReceiverKind::parse(name).ok_or_else(|| format!("the kinds are {known}"))
}

pub(super) fn run(args: &Args) -> Outcome {
    // Parsed here, because clap would repeat a refused value, which may hold a password.
    let base = BaseUrl::parse(&args.base_url)?;
    let secret = match (&args.secret_file, &args.secret) {
        (Some(path), _) => read(path)?,
        (None, secret) => secret.clone().unwrap_or_default().into_bytes(),
    };
    ensure!(
        !secret.is_empty(),
        "the secret is empty; an empty secret is refused, because anybody could compute the URL"
    );
    let scope = match args.project.as_str() {
        "" => Scope::Cluster,
        project => Scope::Project(Arc::from(project)),
    };
    let path = ReceiverPath::derive(args.kind, &scope, &args.name, &Secret::new(secret));
    let (path, url) = (path.expose_path(&base), path.expose_url(&base));
    print(&if args.json { format!("{}\n", json!({"path": path, "url": url})) } else { format!("{url}\n") });
    Ok(ExitCode::SUCCESS)
}
