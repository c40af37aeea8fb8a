//! `quayside explain`: what the server would answer to a request, what it would refresh, and why not the rest.
//!
//! Offline, and through the same code as the server: the same decoding, resolution, index, verdict and answer.

mod actions;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{bail, ensure};
use clap::{Parser, ValueEnum};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::manifests::{Manifests, Resolved};
use super::receivers::Receivers;
use super::{AliasArgs, Outcome, note, print, read};
use crate::delivery;
use crate::domain::client_cert::ClientIdentity;
use crate::domain::owner::Owner;
use crate::domain::work::Work;
use crate::http::answer::{Answer, Ending};
use crate::process::clock::Clock;
use crate::receiver::Request;
use crate::tables::routes::Route;
use report::Report;

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
  quayside explain -f manifests.yaml --receiver kargo-demo/quay --body delivery.json -o json")]
pub(super) struct Args {
    /// A file or folder of manifests, or - for standard input; can be given several times.
    #[arg(short = 'f', long = "filename", value_name = "MANIFESTS", required = true)]
    manifests: Vec<PathBuf>,

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

    #[command(flatten)]
    receivers: Receivers,

    #[command(flatten)]
    aliases: AliasArgs,

    /// The form of the output.
    #[arg(short = 'o', long, value_name = "FORM", default_value = "text")]
    output: Form,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// For people.
    Text,
    /// For scripts.
    Json,
}

pub(super) fn run(args: &Args) -> Outcome {
    let stdin = args.manifests.iter().chain(&args.body).filter(|path| path.as_os_str() == "-").count();
    ensure!(stdin < 2, "standard input can be read once only: give - to one of -f and --body");
    let manifests = Manifests::load(&args.manifests, args.aliases.all())?;
    let resolved = manifests.resolve(&args.receivers.system_namespace, &args.receivers.defaults())?;
    for (owner, problem) in resolved.iter().flat_map(|r| r.problems.iter().map(|p| (&r.owner, p))) {
        note(&format!("receiver {} is not served: {}", qualified(owner, &problem.receiver), problem.cause));
    }
    let report = if args.has_request() {
        args.explain(&manifests, &resolved)?
    } else {
        Report::listing(&resolved, manifests.tables())
    };
    print(&match args.output {
        Form::Json => format!("{:#}\n", report.json()),
        Form::Text => report.text(),
    });
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn has_request(&self) -> bool {
        self.body.is_some() || !self.headers.is_empty() || self.method.is_some() || self.query.is_some()
    }

    fn explain(&self, manifests: &Manifests, resolved: &[Resolved]) -> anyhow::Result<Report> {
        let body = self.body.as_deref().map(read).transpose()?.unwrap_or_default();
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.append(name, value.clone());
        }
        let Some(route) = choose(resolved, self.receiver.as_deref())? else {
            return Ok(Report::answered(&Answer::unknown_path(), manifests.tables()));
        };
        if let Some(answer) = Answer::refused(self.method.as_ref().unwrap_or(&Method::POST), body.len()) {
            return Ok(Report::answered(&answer, manifests.tables()));
        }
        let request =
            Request { headers: &headers, query: self.query.as_deref(), body: &body, arrived: Clock::system().now() };
        let judgement =
            delivery::judge(route, &ClientIdentity::None, &request, manifests.tables(), &mut Work::default());
        let ending = if delivery::is_dry_run(&request) { Ending::DryRun } else { Ending::Written };
        let answer = Answer::of(&judgement, ending);
        Ok(Report::judged(&answer, route, &judgement, manifests.tables()))
    }
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
