//! What the tests stand on: control plane, operator, a namespace each, an HTTP client that can misbehave.

mod control_plane;
mod exchange;
mod faults;
mod gitea;
mod kargo;
mod lease;
mod operator;
mod project;
mod proxy;
mod quay;
mod registry;
mod tls;
mod tool;
mod wait;

use std::path::{Path, PathBuf};

pub(crate) use control_plane::{ControlPlane, api_version, resource};
pub(crate) use exchange::{Answer, Connection, chunked, exchange, exchange_on, get, head, push_body};
pub(crate) use faults::{Fault, FaultProxy};
pub(crate) use gitea::{GITEA_PATIENCE, GITEA_USER, Gitea, GiteaDelivery};
pub(crate) use kargo::{Kargo, Tagged, Tags};
pub(crate) use lease::{LEASE_NAMESPACE, LeaseTurn};
pub(crate) use operator::{Operator, Setup, base_url, free_address};
pub(crate) use project::{CAUSE, ClusterTurn, Hook, Project, git, image, quay_receiver};
pub(crate) use proxy::Proxy;
pub(crate) use quay::{QuayStandIn, Right};
pub(crate) use registry::{Registry, tags_at};
pub(crate) use tls::{Authority, Pair, Volume};
pub(crate) use tool::{Ran, bash, installed, quayside};
pub(crate) use wait::{SOON, setting, wait_until};

/// A file of the repository.
pub(crate) fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The content of a file of the repository.
pub(crate) fn content(path: &str) -> String {
    std::fs::read_to_string(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The documents of a YAML file of the repository.
pub(crate) fn manifests(path: &str) -> Vec<serde_json::Value> {
    serde_saphyr::from_multiple(&content(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
