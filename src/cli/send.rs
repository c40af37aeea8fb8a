//! `quayside send`: plays a sender.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::{Parser, Subcommand};
use http::{Request, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper_rustls::{ConfigBuilderExt, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::{FAILED, Outcome, block_on, duration, print, read};
use crate::receiver::quay;

/// Play the sender of a webhook: post a sample or a file to a receiver's URL and print the answer.
///
/// Exit code 0 is an answer of 2xx, 1 any other answer, 2 no answer at all.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(subcommand)]
    sender: Sender,
}

#[derive(Debug, Subcommand)]
enum Sender {
    Quay(Quay),
}

/// Send what Quay sends ("Webhook POST").
#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  quayside send quay \"$URL\" --repository quay.io/northwind/storefront --tag 1.4.2
  quayside send quay \"$URL\" --event vulnerability_found
  quayside send quay \"$URL\" --file delivery.json
  quayside send quay \"$URL\" --tag 1.4.2 --dry-run     # which Warehouses would be refreshed: only counts, nothing written")]
struct Quay {
    #[command(flatten)]
    target: Target,

    /// The kind of event, one of repo_push, repo_mirror_sync_started, repo_mirror_sync_success, repo_mirror_sync_failed,
    /// vulnerability_found, build_queued, build_start, build_success, build_failure, build_cancelled, repo_image_expiry,
    /// quota_warning, quota_error.
    #[arg(long, value_name = "EVENT", default_value = "repo_push", value_parser = event, conflicts_with = "file")]
    event: String,

    /// The repository with its host, such as quay.io/northwind/storefront.
    #[arg(long, value_name = "REPOSITORY", default_value = "quay.io/northwind/storefront", conflicts_with = "file")]
    repository: String,

    /// A tag; can be given several times.
    #[arg(long = "tag", value_name = "TAG", default_value = "latest", conflicts_with = "file")]
    tags: Vec<String>,
}

#[derive(Debug, Parser)]
struct Target {
    /// The receiver's URL, as it stands in the status.
    #[arg(value_name = "URL", env = "QUAYSIDE_URL", hide_env_values = true)]
    url: String,

    /// Send this file instead of a sample; - is standard input.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Ask the receiver to do everything but the refresh, and to say what it would have done.
    #[arg(long)]
    dry_run: bool,

    /// How long to wait for the answer. Quay waits 10 s.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    timeout: Duration,

    /// Trust the CA certificates in this PEM file instead of the system's.
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
}

fn event(name: &str) -> Result<String, String> {
    match quay::EVENTS.contains(&name) {
        true => Ok(name.to_owned()),
        false => Err(format!("the events are {}", quay::EVENTS.join(", "))),
    }
}

pub(super) fn run(args: Args) -> Outcome {
    let Sender::Quay(args) = args.sender;
    let body = match &args.target.file {
        Some(path) => read(path)?,
        None => {
            quay::sample(&args.event, &args.repository, &args.tags).context("unknown event")?.to_string().into_bytes()
        }
    };
    // Quay sends exactly this one header of its own, in this spelling.
    post(&args.target, "application/json", body)
}

fn post(target: &Target, content_type: &str, body: Vec<u8>) -> Outcome {
    let uri = address(&target.url, target.dry_run)?;
    let request = Request::post(uri)
        .header(header::CONTENT_TYPE, content_type)
        .header(header::USER_AGENT, concat!("quayside-send/", env!("CARGO_PKG_VERSION")))
        .body(Full::new(Bytes::from(body)))
        .context("failed to build the request")?;
    let (status, body) = block_on(exchange(target, request))??;
    print(&format!("HTTP {status}\n{}\n", body.trim_end()));
    Ok(if status.is_success() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

async fn exchange(target: &Target, request: Request<Full<Bytes>>) -> anyhow::Result<(http::StatusCode, String)> {
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls(target)?).https_or_http().enable_http1().build();
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let exchange = async {
        let response = client.request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        anyhow::Ok((status, String::from_utf8_lossy(&body).into_owned()))
    };
    // The URL is a credential, so an error names only what went wrong.
    tokio::time::timeout(target.timeout, exchange)
        .await
        .context("no answer in time")?
        .context("no answer from the receiver")
}

fn tls(target: &Target) -> anyhow::Result<ClientConfig> {
    let Some(path) = &target.cacert else {
        // Plain HTTP needs no CA certificates, and an image of nothing but this binary has none.
        if target.url.starts_with("http://") {
            return Ok(ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth());
        }
        return Ok(ClientConfig::builder()
            .with_native_roots()
            .context("failed to load the system's CA certificates")?
            .with_no_client_auth());
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&read(path)?) {
        let certificate = certificate.with_context(|| format!("{} is not a PEM file", path.display()))?;
        roots.add(certificate).with_context(|| format!("{} holds an unusable certificate", path.display()))?;
    }
    if roots.is_empty() {
        bail!("{} holds no certificate", path.display());
    }
    Ok(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

/// The address to post to. Its errors do not repeat the URL, which is a credential.
fn address(url: &str, dry_run: bool) -> anyhow::Result<Uri> {
    let url: Uri = url.parse().context("the URL is not a URL; copy it from status.webhookReceivers[].url")?;
    if !matches!(url.scheme_str(), Some("http" | "https")) || url.host().is_none() {
        bail!("the URL does not begin with http:// or https:// and a host; copy it from status.webhookReceivers[].url");
    }
    if !dry_run {
        return Ok(url);
    }
    let separator = if url.query().is_some() { '&' } else { '?' };
    format!("{url}{separator}dry-run=true").parse().context("failed to add dry-run to the URL")
}
