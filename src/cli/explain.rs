//! `quayside explain`: what the server would answer to a request, what it would refresh, and why not the rest.
//!
//! Offline, and through the same code as the server: the same decoding, resolution, index, verdict and answer.

mod actions;
mod captured;
mod guess;
mod redact;
mod report;
mod sender;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use clap::Parser;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use rustls::pki_types::CertificateDer;

use super::manifests::{Manifests, Resolved};
use super::receivers::Receivers;
use super::send::certificates;
use super::{AliasArgs, Form, Outcome, note, print, read};
use crate::delivery;
use crate::domain::client_cert::{self, ClientIdentity, Fingerprint};
use crate::domain::owner::Owner;
use crate::domain::work::Work;
use crate::http::answer::{Answer, Ending};
use crate::http::tls;
use crate::process::clock::Clock;
use crate::receiver::Request;
use crate::tables::routes::Route;
use captured::Captured;
use report::Report;
use sender::Sender;

/// Explain offline what a request would do: the answer, the Warehouses it would refresh, and why not the others.
///
/// Manifests are ProjectConfigs, ClusterConfigs, Receivers, ClusterReceivers, Secrets, Warehouses and Promotions as
/// YAML or JSON, for example the output of kubectl get -o yaml. Without a request it lists the receivers and what the
/// Warehouses subscribe to.
///
/// Exit code 0 when the request could be explained, whatever its answer; 2 when the input cannot be used.
#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  kubectl get projectconfigs,secrets,warehouses -n kargo-demo -o yaml | quayside explain -f -
  quayside explain -f examples/quay --body delivery.json
  quayside explain -f manifests.yaml --receiver kargo-demo/quay --body delivery.json -o json
  quayside explain -f manifests.yaml --request captured.txt
  quayside explain --request captured.txt --secret-file secret
  quayside explain --request captured.txt --redact > report.txt")]
pub(super) struct Args {
    /// A file or folder of manifests, or - for standard input; can be given several times.
    #[arg(short = 'f', long = "filename", value_name = "MANIFESTS", required_unless_present = "request")]
    manifests: Vec<PathBuf>,

    /// A whole request as it was captured, or - for standard input: raw HTTP, the output of curl -v, what the delivery
    /// log of a sender shows, or HAR. Its path, or else its sender, says which receiver gets it. Without manifests, a
    /// receiver of the guessed kind gets it.
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,

    /// Instead of an explanation, print the request of --request without credentials and names, to be attached to a
    /// report.
    #[arg(long, requires = "request")]
    redact: bool,

    /// The file that holds the sender's secret, byte for byte, where no manifests are given.
    #[arg(long, value_name = "FILE", requires = "request", conflicts_with = "manifests")]
    secret_file: Option<PathBuf>,

    /// The receiver that gets the request. The project can be left out where the name is unique, and all of it where
    /// there is only one receiver.
    #[arg(long, value_name = "[PROJECT/]NAME")]
    receiver: Option<String>,

    /// The request's method. Default: POST.
    #[arg(long, value_name = "METHOD")]
    method: Option<Method>,

    /// The request's query string, without the question mark.
    #[arg(long, value_name = "QUERY")]
    query: Option<String>,

    /// A header of the request; can be given several times.
    #[arg(long = "header", value_name = "K: V", value_parser = super::header)]
    headers: Vec<(HeaderName, HeaderValue)>,

    /// The file with the request's body, or - for standard input.
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,

    /// The client certificate (and its intermediates, in PEM) that the sender presents.
    #[arg(long, value_name = "FILE", group = "client")]
    cert: Option<PathBuf>,

    /// The header of the request in which a trusted proxy passes on the client certificate, as --client-cert-header of
    /// quayside run.
    #[arg(long, value_name = "NAME", group = "client")]
    client_cert_header: Option<HeaderName>,

    /// The authorities of client certificates that the server trusts, as --tls-client-ca of quayside run.
    #[arg(long, value_name = "FILE", requires = "client")]
    tls_client_ca: Option<PathBuf>,

    /// A client certificate that the server trusts whoever issued it, as --tls-client-fingerprint of quayside run.
    #[arg(long = "tls-client-fingerprint", value_name = "SHA256", value_delimiter = ',', requires = "client")]
    tls_client_fingerprints: Vec<Fingerprint>,

    #[command(flatten)]
    receivers: Receivers,

    #[command(flatten)]
    aliases: AliasArgs,

    /// The form of the output.
    #[arg(short = 'o', long, value_name = "FORM", default_value = "text")]
    output: Form,
}

pub(super) fn run(args: &Args) -> Outcome {
    let files = args.manifests.iter().chain(&args.body).chain(&args.request).chain(&args.secret_file);
    ensure!(
        files.filter(|path| path.as_os_str() == "-").count() < 2,
        "standard input can be read once only: give - to one of -f, --body, --request and --secret-file"
    );
    let request = args.captured()?;
    if let (true, Some(request)) = (args.redact, &request) {
        note(&format!("the redacted request is signed with the secret {}", redact::SECRET));
        print(&redact::redact(request, guess::guess(request).map(|guess| guess.kind)));
        return Ok(ExitCode::SUCCESS);
    }
    let mut manifests = Manifests::load(&args.manifests, args.aliases.all())?;
    let sender = request.as_ref().filter(|_| args.request.is_some()).map(|request| args.sender(request)).transpose()?;
    if let (true, Some(sender)) = (args.manifests.is_empty(), &sender) {
        sender.declare(&mut manifests)?;
    }
    let resolved = manifests.resolve(&args.receivers.system_namespace, &args.receivers.defaults())?;
    for (owner, problem) in resolved.iter().flat_map(|r| r.problems.iter().map(|p| (&r.owner, p))) {
        note(&format!("receiver {} is not served: {}", qualified(owner, &problem.receiver), problem.cause));
    }
    let report = match request {
        Some(request) => args.explain(request, sender.as_ref(), &manifests, &resolved)?,
        None => Report::listing(&resolved, manifests.tables()),
    };
    print(&match args.output {
        Form::Json => format!("{:#}\n", report.json()),
        Form::Text => report.text(),
    });
    Ok(ExitCode::SUCCESS)
}

impl Args {
    /// The request, from --request and what the other flags say besides.
    fn captured(&self) -> anyhow::Result<Option<Captured>> {
        let is_given = self.body.is_some() || !self.headers.is_empty() || self.method.is_some() || self.query.is_some();
        let mut request = match &self.request {
            Some(path) => captured::read(&read(path)?).with_context(|| path.display().to_string())?,
            None if is_given => Captured::default(),
            None => return Ok(None),
        };
        if let Some(path) = &self.body {
            request.body = read(path)?;
            request.headers.remove(header::CONTENT_LENGTH);
        }
        for (name, _) in &self.headers {
            request.headers.remove(name);
        }
        for (name, value) in &self.headers {
            request.headers.append(name, value.clone());
        }
        if let Some(method) = &self.method {
            request.method = method.clone();
        }
        request.query = self.query.clone().or(request.query);
        request.complete();
        Ok(Some(request))
    }

    fn sender(&self, request: &Captured) -> anyhow::Result<Sender> {
        let secret = self.secret_file.as_deref().map(read).transpose()?;
        Ok(Sender::new(guess::guess(request), secret))
    }

    /// The identity that the sender proves. A certificate that was passed on is taken out of the headers.
    fn client(&self, headers: &mut HeaderMap) -> anyhow::Result<ClientIdentity> {
        let certificates = match (&self.cert, &self.client_cert_header) {
            (Some(path), _) => certificates(path)?,
            (None, Some(name)) => passed_on(name, headers.remove(name)),
            (None, None) => Vec::new(),
        };
        let authorities = self.tls_client_ca.as_deref().map(read).transpose()?;
        let authorities = self.tls_client_ca.as_deref().zip(authorities.as_deref());
        tls::identify(&certificates, authorities, self.tls_client_fingerprints.clone())
    }

    fn explain(
        &self,
        request: Captured,
        sender: Option<&Sender>,
        manifests: &Manifests,
        resolved: &[Resolved],
    ) -> anyhow::Result<Report> {
        let route = match (&self.receiver, sender) {
            (None, Some(sender)) => Some(sender.route(&request, resolved)?),
            (wanted, _) => choose(resolved, wanted.as_deref())?,
        };
        let Some(route) = route else {
            return Ok(Report::answered(&Answer::unknown_path(), manifests.tables()));
        };
        let (request, about) = match sender {
            Some(sender) => sender.prove(request, route),
            None => (request, None),
        };
        let report = self.judge(&request, route, manifests)?;
        Ok(report.with_request(about))
    }

    fn judge(&self, request: &Captured, route: &Route, manifests: &Manifests) -> anyhow::Result<Report> {
        if let Some(answer) = Answer::refused(&request.method, request.body.len()) {
            return Ok(Report::answered(&answer, manifests.tables()));
        }
        let mut headers = request.headers.clone();
        let client = self.client(&mut headers)?;
        let request = Request {
            headers: &headers,
            query: request.query.as_deref(),
            body: &request.body,
            arrived: Clock::system().now(),
        };
        let judgement = delivery::judge(route, &client, &request, manifests.tables(), &mut Work::default());
        let ending = if delivery::is_dry_run(&request) { Ending::DryRun } else { Ending::Written };
        let answer = Answer::of(&judgement, ending);
        Ok(Report::judged(&answer, route, &judgement, manifests.tables()))
    }
}

/// The certificates in the header of a proxy; none where the server would find none either.
fn passed_on(name: &HeaderName, value: Option<HeaderValue>) -> Vec<CertificateDer<'static>> {
    let found = value.map(|value| client_cert::passed_on::certificates(value.as_bytes())).transpose();
    let found = found.unwrap_or_else(|malformed| {
        note(&format!("the header {name} cannot be read as a client certificate, and counts as none: {malformed}"));
        None
    });
    found.unwrap_or_default().into_iter().map(CertificateDer::from).collect()
}

/// Finds the receiver. `None` when it is configured but not served, so that a request would meet an unknown path.
fn choose<'a>(resolved: &'a [Resolved], wanted: Option<&str>) -> anyhow::Result<Option<&'a Route>> {
    let (project, name) =
        match wanted.map(|wanted| wanted.split_once('/').map_or((None, wanted), |(p, n)| (Some(p), n))) {
            Some((project, name)) => (project, Some(name)),
            None => (None, None),
        };
    let mut found = Vec::new();
    for config in resolved.iter().filter(|config| project.is_none_or(|project| config.owner.project() == project)) {
        let mut names: Vec<&str> = config.entries.iter().map(entry_name).collect();
        names.dedup();
        found.extend(names.into_iter().filter(|n| name.is_none_or(|name| name == *n)).map(|n| (config, n)));
    }
    match (found.as_slice(), wanted) {
        ([(config, name)], _) => Ok(config.routes.iter().find(|route| &*route.receiver == *name).map(|route| &**route)),
        ([], Some(wanted)) => bail!("the manifests hold no receiver {wanted:?}"),
        ([], None) => bail!("the manifests hold no receiver; add the object that declares it, and its Secret"),
        (several, _) => {
            let named = |(config, name): &(&Resolved, &str)| {
                format!("{} ({})", qualified(&config.owner, name), config.owner.kind())
            };
            let names: Vec<_> = several.iter().map(named).collect();
            bail!("several receivers could be meant; choose one with --receiver: {}", names.join(", "))
        }
    }
}

fn entry_name(entry: &Result<crate::api::Entry, crate::api::EntryError>) -> &str {
    match entry {
        Ok(entry) => &entry.name,
        Err(error) => error.name.as_deref().unwrap_or_default(),
    }
}

fn qualified(owner: &Owner, receiver: &str) -> String {
    format!("{}/{receiver}", owner.project())
}
