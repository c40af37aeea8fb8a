//! Reads manifests, so that a cluster can be looked at offline, through the same code as a live one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use base64::Engine;
use serde_json::Value;

use super::{note, read};
use crate::api::{CLUSTER_CONFIG_NAME, Entry, EntryError, OWN_GROUP};
use crate::controller::resolve::{self, Declaration, Defaults, Problem, Resolution};
use crate::controller::secrets::{SecretData, SecretState};
use crate::delivery::Lookup;
use crate::domain::alias::HostAliases;
use crate::domain::criterion::Labels;
use crate::domain::kind::ReceiverKind;
use crate::domain::owner::Owner;
use crate::domain::path::BaseUrl;
use crate::domain::project_filter::{PROJECT_SELECTOR, PROJECTS, ProjectFilter};
use crate::domain::scope::ObjectKey;
use crate::domain::secret::Secret;
use crate::tables::promotions::PromotionIndex;
use crate::tables::routes::{Route, RouteTable};
use crate::tables::warehouses::SubscriptionIndex;

/// The objects that matter, from any number of files.
#[derive(Default)]
pub(super) struct Manifests {
    configs: BTreeMap<Owner, Vec<Result<Entry, EntryError>>>,
    /// To which projects each is narrowed down.
    filters: BTreeMap<Owner, Result<ProjectFilter, String>>,
    namespaces: BTreeMap<Box<str>, Labels>,
    secrets: BTreeMap<ObjectKey, Arc<SecretData>>,
    /// The Warehouses, in the table that the server uses.
    pub(super) index: SubscriptionIndex,
    /// The Promotions, likewise.
    pub(super) promotions: PromotionIndex,
    aliases: HostAliases,
}

/// The receivers of one owner.
pub(super) struct Resolved {
    pub(super) owner: Owner,
    pub(super) entries: Vec<Result<Entry, EntryError>>,
    /// Those that are served.
    pub(super) routes: Vec<Arc<Route>>,
    /// What is wrong with those that are not.
    pub(super) problems: Vec<Problem>,
    /// What deserves attention about those that are.
    pub(super) warnings: Vec<Problem>,
}

impl Manifests {
    /// Reads files, folders of `.yaml`, `.yml` and `.json` files, or standard input (`-`).
    pub(super) fn load(paths: &[PathBuf], aliases: HostAliases) -> anyhow::Result<Self> {
        let mut manifests = Self { aliases, ..Self::default() };
        for path in paths {
            for file in files(path)? {
                let content =
                    String::from_utf8(read(&file)?).with_context(|| format!("{} is not UTF-8", file.display()))?;
                for document in &documents(&content).with_context(|| format!("{} cannot be read", file.display()))? {
                    manifests.add(document).with_context(|| format!("{} holds an unusable object", file.display()))?;
                }
            }
        }
        Ok(manifests)
    }

    fn add(&mut self, object: &Value) -> anyhow::Result<()> {
        let kind = object["kind"].as_str().unwrap_or_default().to_owned();
        if let Some(Value::Array(items)) = object.get("items") {
            let item_kind = kind.strip_suffix("List").unwrap_or_default();
            for item in items {
                let mut item = item.clone();
                if item.get("kind").is_none() && !item_kind.is_empty() {
                    item["kind"] = item_kind.into();
                }
                self.add(&item)?;
            }
            return Ok(());
        }
        let metadata = &object["metadata"];
        let Some(name) = metadata["name"].as_str() else {
            bail!("a {kind:?} has no metadata.name");
        };
        let namespace = metadata["namespace"].as_str().unwrap_or_default();
        // Others have Receivers, too.
        let group = object["apiVersion"].as_str().and_then(|version| version.split_once('/')).map(|(group, _)| group);
        let is_ours = group.is_none_or(|group| group == OWN_GROUP);
        match kind.as_str() {
            // Its name is its namespace's, so a manifest without one is clear enough.
            "ProjectConfig" if namespace.is_empty() || namespace == name => {
                self.declare(Owner::ProjectConfig(Arc::from(name)), object)?;
            }
            "ProjectConfig" => {
                note(&format!("ProjectConfig {namespace}/{name} skipped: it must be named like its namespace"));
            }
            "ClusterConfig" if name == CLUSTER_CONFIG_NAME => self.declare(Owner::ClusterConfig, object)?,
            "ClusterConfig" => note(&format!("ClusterConfig {name} skipped: it must be named {CLUSTER_CONFIG_NAME}")),
            "Receiver" if is_ours && namespace.is_empty() => bail!("Receiver {name} has no metadata.namespace"),
            "Receiver" if is_ours => self.declare(Owner::Receiver(ObjectKey::new(namespace, name)), object)?,
            "ClusterReceiver" if is_ours => self.declare(Owner::ClusterReceiver(Arc::from(name)), object)?,
            "Secret" => {
                let data = secret_data(object).with_context(|| format!("Secret {namespace}/{name}"))?;
                self.secrets.insert(ObjectKey::new(namespace, name), Arc::new(data));
            }
            "Warehouse" => {
                let key = ObjectKey::new(namespace, name);
                self.index.apply(&key, None, labels(metadata), &object["spec"].to_string());
            }
            "Promotion" => {
                let key = ObjectKey::new(namespace, name);
                let (spec, status) = (object["spec"].to_string(), object["status"].to_string());
                self.promotions.apply(&key, labels(metadata), &spec, &status);
            }
            "Namespace" => drop(self.namespaces.insert(name.into(), labels(metadata))),
            "Project" => {}
            other => note(&format!("{other} {name} skipped: this kind plays no role")),
        }
        Ok(())
    }

    /// Adds an object that declares receivers.
    fn declare(&mut self, owner: Owner, object: &Value) -> anyhow::Result<()> {
        if self.configs.contains_key(&owner) {
            bail!("{owner} is there twice");
        }
        let entries = resolve::declared(&owner, &object["spec"]);
        let annotation = |name: &str| object["metadata"]["annotations"][name].as_str();
        let filter = ProjectFilter::parse(annotation(PROJECTS), annotation(PROJECT_SELECTOR));
        self.filters.insert(owner.clone(), filter);
        self.configs.insert(owner, entries);
        Ok(())
    }

    /// Declares a receiver of that kind for a request that was captured, with that secret.
    pub(super) fn declare_captured(&mut self, kind: ReceiverKind, secret: &[u8]) -> anyhow::Result<()> {
        let key = ObjectKey::new("captured", "captured");
        let data = SecretData::from([(kind.secret_key().into(), Secret::new(secret.to_vec()))]);
        self.secrets.insert(key.clone(), Arc::new(data));
        let spec = serde_json::json!({kind.as_str(): {"secretRef": {"name": "captured"}}});
        self.declare(Owner::Receiver(key), &serde_json::json!({"spec": spec}))
    }

    /// The tables, as the server uses them.
    pub(super) fn tables(&self) -> Lookup<'_> {
        Lookup { warehouses: &self.index, promotions: &self.promotions, aliases: &self.aliases }
    }

    /// Resolves every configuration as the controller would.
    pub(super) fn resolve(&self, system_namespace: &str, defaults: &Defaults) -> anyhow::Result<Vec<Resolved>> {
        // What the paths hang below makes no difference to who claims which.
        let table = RouteTable::new(BaseUrl::parse("http://localhost")?);
        let look_up = |key: &ObjectKey| self.secrets.get(key).cloned().map_or(SecretState::Missing, SecretState::Found);
        let mut resolved = Vec::new();
        for (owner, entries) in &self.configs {
            let namespace = owner.secret_namespace(system_namespace);
            let all = Ok(ProjectFilter::default());
            let filter = self.filters.get(owner).unwrap_or(&all);
            let declaration = Declaration { owner, entries, filter, secret_namespace: namespace };
            let Resolution { routes, problems, warnings } =
                resolve::resolve(&declaration, defaults, look_up, || self.namespaces.clone(), &[]);
            table.replace(owner, routes);
            let (owner, entries, routes) = (owner.clone(), entries.clone(), Vec::new());
            resolved.push(Resolved { owner, entries, routes, problems, warnings });
        }
        for Resolved { owner, routes, problems, .. } in &mut resolved {
            let clashes = table.clashes(owner);
            problems.extend(clashes.iter().map(resolve::path_conflict));
            routes.extend(table.of_owner(owner));
            routes.retain(|route| clashes.iter().all(|clash| clash.receiver != route.receiver));
        }
        Ok(resolved)
    }
}

fn labels(metadata: &Value) -> Labels {
    let labels = metadata["labels"].as_object().into_iter().flatten();
    labels.filter_map(|(key, value)| Some((key.as_str().into(), value.as_str()?.into()))).collect()
}

fn files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).with_context(|| format!("failed to read the folder {}", path.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let file = entry.with_context(|| format!("failed to read the folder {}", path.display()))?.path();
        if file.extension().is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|known| extension == *known)) {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// Every document of a YAML or JSON text, empty ones left out. JSON is tried first: it is the stricter of the two.
fn documents(content: &str) -> anyhow::Result<Vec<Value>> {
    let json: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(content).into_iter().collect();
    let documents = match json {
        Ok(documents) => documents,
        Err(json_error) if content.trim_start().starts_with(['{', '[']) => {
            serde_saphyr::from_multiple(content).map_err(|_| json_error)?
        }
        Err(_) => serde_saphyr::from_multiple(content).map_err(|error| where_only(&error))?,
    };
    Ok(documents.into_iter().filter(|document: &Value| !document.is_null()).collect())
}

/// Where a text stops being YAML. Nothing of the text is repeated: the lines around a mistake may be those of a Secret.
fn where_only(error: &serde_saphyr::Error) -> anyhow::Error {
    match error.location() {
        Some(place) => anyhow!("line {}, column {}: this is neither YAML nor JSON", place.line(), place.column()),
        None => anyhow!("this is neither YAML nor JSON"),
    }
}

fn secret_data(object: &Value) -> anyhow::Result<SecretData> {
    let mut data = Vec::new();
    for (key, value) in object["data"].as_object().into_iter().flatten() {
        let decoded = value.as_str().and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok());
        let bytes = decoded.with_context(|| format!("data.{key} is not base64"))?;
        data.push((key.as_str().into(), Secret::new(bytes)));
    }
    for (key, value) in object["stringData"].as_object().into_iter().flatten() {
        let text = value.as_str().with_context(|| format!("stringData.{key} is not a string"))?;
        data.push((key.as_str().into(), Secret::new(text.as_bytes().to_vec())));
    }
    Ok(data.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_parsed_is_located_and_never_repeated() {
        for text in [
            "kind: Secret\nstringData:\n  token: hunter2\n bad: [\n",
            "kind: Secret\nstringData: {token: hunter2, token: hunter2}\n",
            "kind: Secret\nstringData:\n  token: *hunter2\n",
            "kind: Secret\nstringData:\n  token: \"hunter2\n",
            "{\"kind\": \"Secret\", \"stringData\": {\"token\": \"hunter2\" \"more\"}}",
            "--- hunter2: [",
        ] {
            let told = format!("{:#} {0:?}", documents(text).unwrap_err());
            assert!(!told.contains("hunter2"), "{told}");
            assert!(told.contains("line "), "{told}");
        }
    }
}
