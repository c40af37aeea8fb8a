//! `quayside crd diff`: what our definitions would change in a cluster.

use anyhow::Context;
use clap::Parser;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::PostParams;
use kube::{Api, ResourceExt};

use super::report::{DryRun, Report, State, report};
use super::show::show;
use crate::api;
use crate::cli::cluster::Cluster;
use crate::cli::{Form, Outcome, block_on, code_of, print};

/// Compare the definitions with those of a cluster, and have the API server try the changes without making them.
///
/// It reads with your kubeconfig and rights, and changes nothing. A definition that is Kargo's own is left alone, as
/// the chart does. Exit code 0 when nothing would change, 1 when something would, 2 when a change must not be made as
/// things are, or when the cluster cannot be asked.
#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  quayside crd diff
  quayside crd diff -o json | jq -r '.definitions[] | select(.verdict == \"failed\") | .name'")]
pub(super) struct Args {
    #[command(flatten)]
    cluster: Cluster,

    /// The form of the output.
    #[arg(short = 'o', long, value_name = "FORM", default_value = "text")]
    output: Form,
}

pub(super) fn run(args: &Args) -> Outcome {
    let reports = block_on(reports(&args.cluster))??;
    print(&match args.output {
        Form::Json => format!("{}\n", serde_json::to_string_pretty(&serde_json::json!({ "definitions": reports }))?),
        Form::Text => show(&reports),
    });
    Ok(code_of(reports.iter().map(|report| report.verdict).max().unwrap_or_default()))
}

async fn reports(cluster: &Cluster) -> anyhow::Result<Vec<Report>> {
    let definitions: Api<CustomResourceDefinition> = Api::all(cluster.client().await?);
    let mut reports = Vec::new();
    for new in api::crds() {
        let old = definitions.get_opt(&new.name_any()).await.map_err(|error| match error {
            kube::Error::Api(status) if status.code == 403 => {
                anyhow::anyhow!("you may not read CustomResourceDefinitions: ask for the right to get them")
            }
            error => anyhow::Error::new(error),
        });
        let old = old.with_context(|| format!("failed to read the definition {}", new.name_any()))?;
        let mut report = report(old.as_ref(), &new);
        if matches!(report.state, State::New | State::Changed) {
            report.tried(dry_run(&definitions, old, new).await);
        }
        reports.push(report);
    }
    Ok(reports)
}

/// Has the API server judge the new definition in the place of the old one. A whole object instead of a patch, because
/// what a patch leaves of the old one depends on who wrote that.
async fn dry_run(
    definitions: &Api<CustomResourceDefinition>,
    old: Option<CustomResourceDefinition>,
    new: CustomResourceDefinition,
) -> DryRun {
    let parameters = PostParams { dry_run: true, ..PostParams::default() };
    let (verb, tried) = match old {
        None => ("create", definitions.create(&parameters, &new).await),
        Some(old) => {
            let replaced = CustomResourceDefinition { spec: new.spec, ..old };
            ("update", definitions.replace(&replaced.name_any(), &parameters, &replaced).await)
        }
    };
    match tried {
        Ok(_) => DryRun::Accepted,
        Err(kube::Error::Api(status)) if status.code == 403 => {
            DryRun::NotTried(format!("you may not {verb} CustomResourceDefinitions"))
        }
        Err(kube::Error::Api(status)) if (400..500).contains(&status.code) && status.code != 429 => {
            DryRun::Refused(status.message.clone())
        }
        Err(error) => DryRun::NotTried(error.to_string()),
    }
}
