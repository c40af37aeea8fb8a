//! `quayside send`: plays a sender.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::Parser;
use http::{HeaderName, HeaderValue, Request, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper_rustls::{ConfigBuilderExt, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::{FAILED, Outcome, block_on, duration, print, read};
use crate::domain::kind::ReceiverKind;
use crate::domain::secret::Secret;
use crate::receiver::{self, Sample, SamplePush};

/// Play the sender of a webhook: post a sample or a file to a receiver's URL and print the answer.
///
/// The request has the headers and the signature of the kind's sender. What signs it is given with --secret-file; kinds
/// whose sender signs nothing need none.
///
/// Exit code 0 is an answer of 2xx, 1 any other answer, 2 no answer at all.
#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  quayside send quay \"$URL\" --repository quay.io/northwind/storefront --tag 1.4.2
  quayside send quay \"$URL\" --event vulnerability_found
  quayside send quay \"$URL\" --file delivery.json
  quayside send quay \"$URL\" --tag 1.4.2 --dry-run     # which Warehouses would be refreshed: only counts, nothing written
  quayside send generic \"$URL\" --header 'X-Event: nightly' --file event.json
  quayside send github \"$URL\" --repository https://github.com/northwind/storefront --ref refs/heads/main --secret-file secret")]
pub(super) struct Args {
    /// The kind of receiver, such as quay.
    #[arg(value_name = "TYPE", value_parser = kind)]
    kind: ReceiverKind,

    #[command(flatten)]
    target: Target,

    /// The kind of event; a wrong one lists those of the sender. Default: a push.
    #[arg(long, value_name = "EVENT")]
    event: Option<String>,

    /// The repository as people write it: with its host and without a tag, or the URL to clone a Git repository.
    #[arg(long, value_name = "REPOSITORY", conflicts_with = "file")]
    repository: Option<String>,

    /// A tag, or a full Git ref such as refs/heads/main; can be given several times.
    #[arg(long = "tag", visible_alias = "ref", value_name = "TAG", conflicts_with = "file")]
    qualifiers: Vec<String>,

    /// A path that a Git push changes; can be given several times.
    #[arg(long = "changed-file", value_name = "PATH", conflicts_with = "file")]
    changed_files: Vec<String>,

    /// A header of the request, such as the Authorization that a receiver can demand, beside the sender's own or in
    /// place of one of that name; can be given several times.
    #[arg(long = "header", value_name = "K: V", value_parser = super::header)]
    headers: Vec<(HeaderName, HeaderValue)>,

    /// The file that holds the receiver's secret, byte for byte, for senders that sign or send it; - is standard input.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
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

    /// Present this client certificate (and its intermediates, in PEM) if the receiver asks for one.
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,

    /// The private key of the client certificate, in PEM.
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
}

/// The kinds that can be played.
fn kind(name: &str) -> Result<ReceiverKind, String> {
    ReceiverKind::parse(name).ok_or_else(|| {
        let names = ReceiverKind::ALL.map(ReceiverKind::as_str);
        format!("the types are {}", names.join(", "))
    })
}

pub(super) fn run(args: &Args) -> Outcome {
    let sender = receiver::implementation(args.kind);
    let events = sender.events();
    let event = args.event.as_deref().or_else(|| events.first().copied()).unwrap_or_default();
    let qualifiers = match args.qualifiers.as_slice() {
        [] => vec![sender.sample_qualifier().to_owned()],
        given => given.to_vec(),
    };
    let push = SamplePush {
        repository: args.repository.as_deref().unwrap_or_else(|| sender.sample_repository()),
        qualifiers: &qualifiers,
        changed_files: &args.changed_files,
    };
    let mut sample = sender
        .sample(event, &push)
        .with_context(|| format!("the events of {} are {}", args.kind, events.join(", ")))?;
    if let Some(path) = &args.target.file {
        sample.body = read(path)?;
    }
    if let Some(path) = &args.secret_file {
        sample = sender.sign(sample, &Secret::new(read(path)?));
    }
    sample.headers.retain(|(name, _)| args.headers.iter().all(|(given, _)| given != name));
    sample.headers.extend(args.headers.iter().cloned());
    post(&args.target, sample)
}

fn post(target: &Target, sample: Sample) -> Outcome {
    let uri = address(&target.url, target.dry_run)?;
    let mut request = Request::post(uri);
    for (name, value) in sample.headers {
        request = request.header(name, value);
    }
    if !request.headers_ref().is_some_and(|headers| headers.contains_key(header::USER_AGENT)) {
        request = request.header(header::USER_AGENT, concat!("quayside-send/", env!("CARGO_PKG_VERSION")));
    }
    let request = request.body(Full::new(Bytes::from(sample.body))).context("failed to build the request")?;
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
    let builder = ClientConfig::builder();
    let builder = match &target.cacert {
        Some(path) => builder.with_root_certificates(roots(path)?),
        // Plain HTTP needs no CA certificates, and an image of nothing but this binary has none.
        None if target.url.starts_with("http://") => builder.with_root_certificates(RootCertStore::empty()),
        None => builder.with_native_roots().context("failed to load the system's CA certificates")?,
    };
    let (Some(certificate), Some(key)) = (&target.cert, &target.key) else {
        return Ok(builder.with_no_client_auth());
    };
    let private = PrivateKeyDer::from_pem_slice(&read(key)?)
        .with_context(|| format!("{} holds no private key in PEM", key.display()))?;
    builder
        .with_client_auth_cert(certificates(certificate)?, private)
        .with_context(|| format!("{} and {} are not a usable pair", certificate.display(), key.display()))
}

fn roots(path: &Path) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).with_context(|| format!("{} holds an unusable certificate", path.display()))?;
    }
    Ok(roots)
}

pub(super) fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    let found = found.with_context(|| format!("{} is not a PEM file", path.display()))?;
    if found.is_empty() {
        bail!("{} holds no certificate", path.display());
    }
    Ok(found)
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
