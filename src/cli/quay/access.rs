//! Which Quay, with which token, and which of its repositories.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context, bail, ensure};

use crate::cli::{note, read};
use crate::domain::secret::Secret;
use crate::hooks::quay::Quay;
use crate::hooks::{Endpoint, Host, Network, is_repository};

/// The variable that can hold the token. There is no flag for it, because arguments can be seen by others.
const TOKEN: &str = "QUAYSIDE_QUAY_TOKEN";

#[derive(Debug, clap::Args)]
pub(super) struct Access {
    /// The address of the Quay, such as `https://quay.io`.
    #[arg(long, env = "QUAYSIDE_QUAY_ENDPOINT", value_name = "URL", hide_env_values = true)]
    endpoint: String,

    /// The file that holds the OAuth token; - is standard input. Default: the token in QUAYSIDE_QUAY_TOKEN.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// Trust the CA certificates in this PEM file instead of the system's.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,

    /// All repositories of an organization or user that the token sees; can be given several times.
    #[arg(long = "organization", value_name = "NS")]
    organizations: Vec<String>,

    /// Repositories, as NAMESPACE/NAME or NAMESPACE/*.
    #[arg(value_name = "REPOSITORY")]
    repositories: Vec<String>,
}

impl Access {
    pub(super) fn host(&self) -> anyhow::Result<Quay> {
        let endpoint = Endpoint::parse(&self.endpoint)?;
        if !endpoint.is_encrypted() {
            note("the endpoint begins with http://: everybody on the way can read the token and the webhooks' URLs");
        }
        let token = match &self.token_file {
            Some(path) => read(path)?,
            None => std::env::var(TOKEN)
                .map(String::into_bytes)
                .ok()
                .context(format!("give the token with --token-file, or in {TOKEN}"))?,
        };
        let authorities = self.ca_file.as_deref().map(read).transpose()?;
        Ok(Quay::new(&Network::from_env(), endpoint, &Secret::new(token), authorities.as_deref())?)
    }

    /// Every repository that is meant, each once, in order.
    pub(super) async fn repositories(&self, host: &dyn Host) -> anyhow::Result<Vec<String>> {
        let mut namespaces: Vec<&str> = self.organizations.iter().map(String::as_str).collect();
        let mut found = BTreeSet::new();
        for repository in &self.repositories {
            match repository.strip_suffix("/*") {
                Some(namespace) => namespaces.push(namespace),
                None => {
                    ensure!(
                        is_repository(repository),
                        "{repository:?} is not written as NAMESPACE/NAME or NAMESPACE/*"
                    );
                    found.insert(repository.clone());
                }
            }
        }
        if namespaces.is_empty() && found.is_empty() {
            bail!("give repositories as NAMESPACE/NAME or NAMESPACE/*, or --organization");
        }
        for namespace in namespaces {
            let all = host.repositories(namespace).await.with_context(|| format!("namespace {namespace:?}"))?;
            if all.is_empty() {
                note(&format!("the token sees no repositories in {namespace:?}"));
            }
            found.extend(all);
        }
        Ok(found.into_iter().collect())
    }
}
