//! How the process reaches the API server.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use kube::config::{KubeConfigOptions, Kubeconfig};

use super::Config;
use crate::controller::feeds::watch::WATCH_SECONDS;
use crate::refresh::patch::Patcher;

/// Time to connect to the API server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Silence after which a connection to the API server is given up: longer than any watch.
const READ_TIMEOUT: Duration = Duration::from_secs(WATCH_SECONDS as u64 + 15);

/// How to reach the API server.
pub(super) async fn config(kubeconfig: Option<&Path>) -> anyhow::Result<kube::Config> {
    let mut config = match kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path)
                .with_context(|| format!("failed to read the kubeconfig {}", path.display()))?;
            kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
                .await
                .with_context(|| format!("failed to use the kubeconfig {}", path.display()))?
        }
        None => kube::Config::infer().await.context(
            "no API server is configured: give --kubeconfig, set KUBECONFIG, or run in a Pod with a ServiceAccount",
        )?,
    };
    // Retries are decided in one place, `refresh`, and by the watches' own back-off.
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    Ok(config)
}

/// What writes annotations, with connections of its own.
pub(super) fn patcher(kubernetes: &kube::Config, config: &Config) -> anyhow::Result<Patcher> {
    Patcher::new(kubernetes, config.last_refresh_cause).context("failed to set up the API client")
}
