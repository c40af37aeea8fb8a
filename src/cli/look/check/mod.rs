//! `quayside check`: is everything as it should be, and if not, what to do.

mod installations;
mod objects;
mod show;
mod way_in;

use std::process::ExitCode;

use clap::Parser;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ListParams, PostParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};

use super::Form;
use super::replicas::{Replica, Source, ask};
use crate::cli::{Outcome, block_on, code_of, print};
use crate::journal::record::Record;
use crate::process::clock::Clock;
use crate::views::checks::{self, worst};
use crate::views::model::{Check, Deliveries, Group, Receivers, Replicas, Verdict};
use installations::Installations;
use show::show;

/// Check the installation: the cluster, the way in, the receivers and the Warehouses, with a remedy for each problem.
///
/// It reads with your kubeconfig and rights, and changes nothing. Exit code 0 when all is well, 1 with warnings, 2 with
/// failures.
#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  quayside check --namespace quayside
  quayside check --from-here https://hooks.example.com
  quayside check -o json | jq '.checks[] | select(.verdict != \"passed\")'")]
pub(in crate::cli) struct Args {
    /// Also try the way in from this machine, below this base URL.
    #[arg(long, value_name = "BASE_URL")]
    from_here: Option<String>,

    /// The ServiceAccount of Quayside, whose rights are checked.
    #[arg(long, value_name = "NAMESPACE:NAME")]
    service_account: Option<String>,

    /// Exit with code 0 although there are warnings, as `helm test` does.
    #[arg(long)]
    tolerate_warnings: bool,

    #[command(flatten)]
    source: Source,

    /// The form of the output.
    #[arg(short = 'o', long, value_name = "FORM", default_value = "table")]
    output: Form,
}

pub(in crate::cli) fn run(args: &Args) -> Outcome {
    let findings = block_on(check(args))?;
    print(&if args.output == Form::Json {
        format!("{}\n", serde_json::to_string_pretty(&serde_json::json!({ "checks": findings }))?)
    } else {
        show(&findings)
    });
    Ok(match worst(&findings) {
        Verdict::Warning if args.tolerate_warnings => ExitCode::SUCCESS,
        worst => code_of(worst),
    })
}

async fn check(args: &Args) -> Vec<Check> {
    let now = Clock::system().now();
    let mut findings = Vec::new();
    let known = match args.source.replicas().await {
        Ok(all) => known(&all).await,
        Err(error) => Err(error),
    };
    let known = known.map_err(|error| findings.push(unreachable(&error))).ok();
    if let Some((replicas, receivers, records)) = &known {
        findings.extend(checks::of(replicas, receivers, records, now).checks);
    }
    let known = known.map(|(replicas, receivers, _)| (replicas, receivers));
    match args.source.client().await {
        Ok(client) => findings.extend(objects(args, &client, known.as_ref()).await),
        Err(error) => findings.push(Check::skipped(Group::Cluster, "crds", format!("no cluster to ask: {error:#}"))),
    }
    if let Some(base) = &args.from_here {
        findings.extend(way_in::findings(base).await);
    }
    findings.sort_by_key(|finding| finding.group);
    findings
}

/// What the replicas know, brought together.
async fn known(all: &[Replica]) -> anyhow::Result<(Replicas, Receivers, Vec<Record>)> {
    let (health, problems) = ask::<Replicas>(all, "/api/v1/health").await?;
    let (receivers, _) = ask::<Receivers>(all, "/api/v1/receivers").await?;
    let (records, _) = ask::<Deliveries>(all, "/api/v1/deliveries?limit=10000").await?;
    let replicas = health.into_iter().flat_map(|answer| answer.replicas).collect();
    let records = records.into_iter().flat_map(|answer| answer.deliveries).collect();
    Ok((Replicas { replicas, problems }, super::merge_receivers(receivers), records))
}

fn unreachable(error: &anyhow::Error) -> Check {
    let remedy = "Give --namespace, --selector or --server; see which Pods run: kubectl get pods --all-namespaces.";
    Check::failed(Group::Cluster, "replicas", format!("{error:#}"), remedy)
}

/// What the objects of the cluster say, besides what the replicas said already.
async fn objects(args: &Args, client: &Client, known: Option<&(Replicas, Receivers)>) -> Vec<Check> {
    let mut findings = Vec::new();
    match Api::<CustomResourceDefinition>::all(client.clone()).list(&ListParams::default()).await {
        Ok(found) => findings.extend(objects::definitions(&found.items)),
        Err(error) => findings.push(Check::skipped(Group::Cluster, "crds", format!("cannot be listed: {error}"))),
    }
    findings.push(rights(args, client).await);
    let mut configs = Vec::new();
    for (group, kind) in [
        ("kargo.akuity.io", "ProjectConfig"),
        ("kargo.akuity.io", "ClusterConfig"),
        ("quayside.dev", "Receiver"),
        ("quayside.dev", "ClusterReceiver"),
    ] {
        // A kind that is missing has its finding above.
        configs.extend(list(client, group, kind).await.unwrap_or_default());
    }
    let installations = Installations::of(known.map_or(&[], |(replicas, _)| replicas.replicas.as_slice()));
    let misdivided = installations.misdivided(&configs);
    configs.retain(|config| installations.serve(config));
    if known.is_none() {
        findings.extend(objects::conditions(&configs));
    }
    for (base, configs) in installations.by_base(&configs) {
        findings.extend(objects::urls(configs, base));
    }
    match list(client, "kargo.akuity.io", "Warehouse").await {
        Ok(mut warehouses) => {
            findings.extend(misdivided.or_else(|| installations.finding(&warehouses)));
            warehouses.retain(|warehouse| installations.serve(warehouse));
            findings.push(objects::kargo(&warehouses, Clock::system().now()));
            // Without a replica nobody knows whom the receivers reach.
            let receivers = known.map(|(_, receivers)| receivers.receivers.as_slice());
            let cluster_reaches = |namespace: &str| installations.cluster_reaches(namespace);
            findings.extend(objects::warehouses(&warehouses, receivers, cluster_reaches));
        }
        Err(error) => findings.push(Check::skipped(Group::Warehouses, "reached", format!("cannot be listed: {error}"))),
    }
    findings
}

/// Every object of a kind, with its kind.
async fn list(client: &Client, group: &str, kind: &str) -> kube::Result<Vec<DynamicObject>> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1alpha1", kind));
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let mut objects = Vec::new();
    let mut page = ListParams::default().limit(500);
    loop {
        let found = api.list(&page).await?;
        let next = found.metadata.continue_.clone().filter(|next| !next.is_empty());
        objects.extend(found.items.into_iter().map(|mut object| {
            object.types =
                Some(kube::core::TypeMeta { api_version: resource.api_version.clone(), kind: kind.to_owned() });
            object
        }));
        match next {
            Some(next) => page = page.continue_token(&next),
            None => return Ok(objects),
        }
    }
}

/// What Quayside does that needs a right: verb, group, resource, subresource.
const RIGHTS: [(&str, &str, &str, &str); 8] = [
    ("list", "kargo.akuity.io", "projectconfigs", ""),
    ("watch", "kargo.akuity.io", "projectconfigs", ""),
    ("patch", "kargo.akuity.io", "projectconfigs", "status"),
    ("list", "kargo.akuity.io", "clusterconfigs", ""),
    ("list", "kargo.akuity.io", "warehouses", ""),
    ("watch", "kargo.akuity.io", "warehouses", ""),
    ("patch", "kargo.akuity.io", "warehouses", ""),
    ("patch", "kargo.akuity.io", "promotions", ""),
];

/// Whether the ServiceAccount has the rights that it needs in every namespace.
async fn rights(args: &Args, client: &Client) -> Check {
    let account = match &args.service_account {
        Some(account) => Some(account.clone()),
        None => args.source.service_account().await,
    };
    let Some(account) = account else {
        return Check::skipped(Group::Cluster, "rights", "give --service-account to check the rights of Quayside");
    };
    let api: Api<SubjectAccessReview> = Api::all(client.clone());
    let mut missing = Vec::new();
    for (verb, group, resource, subresource) in RIGHTS {
        let attributes = ResourceAttributes {
            verb: Some(verb.to_owned()),
            group: Some(group.to_owned()),
            resource: Some(resource.to_owned()),
            subresource: Some(subresource.to_owned()).filter(|name| !name.is_empty()),
            ..ResourceAttributes::default()
        };
        let spec = SubjectAccessReviewSpec {
            user: Some(format!("system:serviceaccount:{account}")),
            resource_attributes: Some(attributes),
            ..SubjectAccessReviewSpec::default()
        };
        let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
        match api.create(&PostParams::default(), &review).await {
            Ok(review) if review.status.as_ref().is_some_and(|status| status.allowed) => {}
            Ok(_) => {
                missing.push(format!("{verb} {resource}{}{subresource}", if subresource.is_empty() { "" } else { "/" }))
            }
            Err(error) => return Check::skipped(Group::Cluster, "rights", format!("cannot be reviewed: {error}")),
        }
    }
    if missing.is_empty() {
        return Check::passed(Group::Cluster, "rights", format!("{account} may do what Quayside does"));
    }
    let message = format!("{account} may not {}", missing.join(", "));
    Check::failed(Group::Cluster, "rights", message, "Apply the chart's ClusterRole and ClusterRoleBinding.")
}
