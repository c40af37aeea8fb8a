//! Reaching the views of every replica: by port-forward with the caller's kubeconfig and rights, or at an address.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use futures::future::join_all;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, ObjectMeta, Portforward};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::cli::cluster::Cluster;

/// How long one replica may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Replicas that are asked at most.
const MOST_REPLICAS: usize = 20;

/// Where the replicas are.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Source {
    /// The views of one process, such as http://127.0.0.1:9091, instead of a cluster; can be given several times.
    #[arg(long, value_name = "URL", conflicts_with_all = ["kubeconfig", "context", "namespace", "selector"])]
    server: Vec<Uri>,

    #[command(flatten)]
    cluster: Cluster,

    /// The namespace in which Quayside runs. Default: all that may be searched.
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,

    /// The labels of Quayside's Pods.
    #[arg(long, value_name = "LABELS", default_value = "app.kubernetes.io/name=quayside")]
    selector: String,

    /// The port of the views in the Pod.
    #[arg(long, value_name = "PORT", default_value = "9091")]
    views_port: u16,
}

/// One process whose views can be asked.
#[derive(Clone)]
pub(in crate::cli) enum Replica {
    Address { authority: String },
    Pod { api: Box<Api<SeenPod>>, name: String, port: u16 },
}

/// What is read of a Pod: to decode all of it would add half a megabyte to the binary.
#[derive(Clone, Debug, Deserialize, Resource)]
#[resource(inherit = Pod)]
pub(in crate::cli) struct SeenPod {
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    service_account_name: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Status {
    phase: Option<String>,
}

impl Portforward for SeenPod {}

impl Source {
    /// Every replica.
    ///
    /// # Errors
    /// When there is none, or the cluster does not allow a look.
    pub(in crate::cli) async fn replicas(&self) -> anyhow::Result<Vec<Replica>> {
        if !self.server.is_empty() {
            return self.server.iter().map(address).collect();
        }
        let client = self.client().await?;
        let found = self.pods(&client).await?;
        let running =
            |pod: &SeenPod| pod.metadata.deletion_timestamp.is_none() && pod.status.phase.as_deref() == Some("Running");
        let (running, others): (Vec<_>, Vec<_>) = found.into_iter().partition(running);
        if running.is_empty() {
            let what = if others.is_empty() {
                "give --namespace or --selector if Quayside runs under other labels, or --server for one process"
            } else {
                "there are such Pods, but none of them runs: see kubectl describe pods"
            };
            bail!("no running Pod has the labels {} in {}; {what}", self.selector, self.place());
        }
        let pod = |pod: SeenPod| {
            let api = Box::new(Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default()));
            Replica::Pod { api, name: pod.name_any(), port: self.views_port }
        };
        Ok(running.into_iter().take(MOST_REPLICAS).map(pod).collect())
    }

    fn place(&self) -> String {
        self.namespace.as_ref().map_or_else(|| "any namespace".to_owned(), |namespace| format!("namespace {namespace}"))
    }

    /// Every Pod with the labels, whether it runs or not.
    async fn pods(&self, client: &Client) -> anyhow::Result<Vec<SeenPod>> {
        let pods: Api<SeenPod> = match &self.namespace {
            Some(namespace) => Api::namespaced(client.clone(), namespace),
            None => Api::all(client.clone()),
        };
        let found = pods.list(&ListParams::default().labels(&self.selector)).await;
        let found = found.map_err(|error| match error {
            kube::Error::Api(status) if status.code == 403 => anyhow::anyhow!(
                "you may not list Pods in {}: give --namespace, or ask for the rights to list pods and to create pods/portforward",
                self.place()
            ),
            error => anyhow::Error::new(error).context("the API server cannot be asked for Pods"),
        })?;
        Ok(found.items)
    }

    /// The ServiceAccount of the Pods, as `NAMESPACE:NAME`, where they can be listed.
    pub(in crate::cli) async fn service_account(&self) -> Option<String> {
        if !self.server.is_empty() {
            return None;
        }
        let pod = self.pods(&self.client().await.ok()?).await.ok()?.into_iter().next()?;
        let namespace = pod.namespace()?;
        Some(format!("{namespace}:{}", pod.spec.service_account_name?))
    }

    /// A client of the API server.
    pub(in crate::cli) async fn client(&self) -> anyhow::Result<Client> {
        self.cluster.client().await
    }
}

fn address(uri: &Uri) -> anyhow::Result<Replica> {
    ensure!(
        uri.scheme_str() == Some("http"),
        "--server must begin with http://: the views are plain HTTP on the loopback"
    );
    let host = uri.host().context("--server names no host")?;
    let authority = format!("{host}:{}", uri.port_u16().unwrap_or(9091));
    Ok(Replica::Address { authority })
}

impl Replica {
    /// What messages call it.
    pub(in crate::cli) fn name(&self) -> &str {
        match self {
            Self::Address { authority } => authority,
            Self::Pod { name, .. } => name,
        }
    }

    /// Asks for a path; the answer's body is still to be read.
    pub(in crate::cli) async fn open(&self, path: &str) -> anyhow::Result<http::Response<Incoming>> {
        match self {
            Self::Address { authority } => {
                let stream =
                    TcpStream::connect(authority).await.context("the views do not answer; see --views-listen")?;
                exchange(stream, authority, path).await
            }
            Self::Pod { api, name, port } => {
                let forwarded = api.portforward(name, &[*port]).await;
                let mut forwarder = forwarded.map_err(|error| match error {
                    kube::Error::Api(status) if status.code == 403 => {
                        anyhow::anyhow!(
                            "you may not port-forward to the Pod: ask for the right to create pods/portforward"
                        )
                    }
                    error => anyhow::Error::new(error).context("the port-forward to the Pod failed"),
                })?;
                let stream = forwarder.take_stream(*port).context("the port-forward to the Pod failed")?;
                exchange(stream, "localhost", path).await
            }
        }
    }

    /// The JSON at a path; `None` when the replica knows nothing of it.
    pub(in crate::cli) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<Option<T>> {
        let exchange = async {
            let response = self.open(path).await?;
            let status = response.status();
            let body = response.into_body().collect().await.context("the answer broke off")?.to_bytes();
            anyhow::Ok((status, body))
        };
        let (status, body) = tokio::time::timeout(TIMEOUT, exchange).await.context("no answer in time")??;
        match status {
            StatusCode::OK => serde_json::from_slice(&body)
                .map(Some)
                .context("the answer is not what this version of quayside reads; do the versions differ?"),
            StatusCode::NOT_FOUND => Ok(None),
            status => bail!("the views answer {status}: {}", String::from_utf8_lossy(&body)),
        }
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    host: &str,
    path: &str,
) -> anyhow::Result<http::Response<Incoming>> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.context("the views do not answer")?;
    // Ends with the connection, and with it the port-forward.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to the views broke");
        }
    });
    let request = Request::get(path).header(header::HOST, host).body(Empty::<Bytes>::new())?;
    sender.send_request(request).await.context("the views do not answer; see --views-listen")
}

/// Asks every replica. Those that do not answer are named in the second list; it is an error when none does.
///
/// # Errors
/// The first problem, when no replica has answered.
pub(in crate::cli) async fn ask<T: DeserializeOwned>(
    replicas: &[Replica],
    path: &str,
) -> anyhow::Result<(Vec<T>, Vec<String>)> {
    let answers = join_all(replicas.iter().map(|replica| replica.get::<T>(path))).await;
    let (mut found, mut problems, mut first) = (Vec::new(), Vec::new(), None);
    let mut has_answered = false;
    for (replica, answer) in replicas.iter().zip(answers) {
        match answer {
            Ok(answer) => {
                has_answered = true;
                found.extend(answer);
            }
            Err(error) => {
                problems.push(format!("replica {}: {error:#}", replica.name()));
                first.get_or_insert(error);
            }
        }
    }
    match first {
        Some(error) if !has_answered => Err(error.context(format!("none of {} replicas answered", replicas.len()))),
        _ => Ok((found, problems)),
    }
}
