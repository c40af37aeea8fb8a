//! Gitea and Forgejo.
//!
//! A hook has several events, is signed with a secret that is never shown again, and is not switched off by failures,
//! but by people. A change overwrites its events, so they are sent along.

use std::collections::BTreeSet;

use futures::FutureExt;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::client::{Client, Reply};
use super::endpoint::Endpoint;
use super::network::{BadSetup, Network};
use super::repository::{escaped, is_id, is_repository, part};
use super::url::HookUrl;
use super::{Access, Answer, Hook, Host, NewHook, Refusal};
use crate::domain::secret::Secret;

/// Entries that are asked for in a page; a server may give fewer.
const PAGE: usize = 50;
/// Pages that are read at most.
const MOST_PAGES: usize = 500;
/// Longest name that is taken over from a host.
const LONGEST_NAME: usize = 1024;

/// The API of one Gitea, with one token.
pub struct Gitea(Client);

impl Gitea {
    /// A client with an access token of the scope `write:repository`. It trusts the authorities in the bundle, in PEM,
    /// if one is given, and otherwise the system's.
    ///
    /// # Errors
    /// When the token or the bundle cannot be used; nothing has been called then.
    pub fn new(
        network: &Network,
        endpoint: Endpoint,
        token: &Secret,
        ca_bundle: Option<&[u8]>,
    ) -> Result<Self, BadSetup> {
        Client::new(network, endpoint, "token", token, ca_bundle).map(Self)
    }

    /// Calls a path; `missing` is what a 404 means there.
    async fn call(&self, method: Method, path: &str, body: Option<&Value>, missing: Refusal) -> Result<Reply, Refusal> {
        let reply = self.0.call(method.clone(), path, body).await?;
        tracing::debug!(%method, status = reply.status.as_u16(), "called Gitea");
        match refusal(reply.status, &reply.body, missing) {
            None => Ok(reply),
            Some(refusal) => Err(refusal),
        }
    }

    async fn look(&self, repository: &str) -> Result<Access, Refusal> {
        let path = repository_path(repository)?;
        let reply = self.call(Method::GET, &path, None, Refusal::RepositoryGone).await?;
        let body: Value = serde_json::from_slice(&reply.body).map_err(|_| not_the_api(&reply))?;
        match body["permissions"]["admin"].as_bool() {
            Some(true) => Ok(Access::Admin),
            Some(false) => Ok(Access::NotAdmin),
            None => Err(not_the_api(&reply)),
        }
    }

    async fn all_hooks(&self, repository: &str) -> Result<Vec<Hook>, Refusal> {
        let path = format!("{}/hooks", repository_path(repository)?);
        let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
        self.pages(&path, Refusal::RepositoryGone, |entry| {
            let is_new = entry["id"].as_u64().is_some_and(|id| seen.insert(id));
            found.extend(hook(entry).filter(|_| is_new));
            is_new
        })
        .await?;
        Ok(found)
    }

    async fn make(&self, repository: &str, new: NewHook<'_>) -> Result<Hook, Refusal> {
        let path = format!("{}/hooks", repository_path(repository)?);
        let reply = self.call(Method::POST, &path, Some(&description(&new)), Refusal::RepositoryGone).await?;
        let made = serde_json::from_slice(&reply.body).ok();
        made.as_ref().and_then(hook).ok_or_else(|| not_the_api(&reply))
    }

    async fn switch_on(&self, repository: &str, id: &str) -> Result<(), Refusal> {
        let path = hook_path(repository, id)?;
        let reply = self.call(Method::GET, &path, None, Refusal::HookGone).await?;
        let found: Value = serde_json::from_slice(&reply.body).map_err(|_| not_the_api(&reply))?;
        if found["active"] == true {
            return Ok(());
        }
        let change = json!({"active": true, "events": found["events"], "branch_filter": found["branch_filter"]});
        self.call(Method::PATCH, &path, Some(&change), Refusal::HookGone).await.map(drop)
    }

    async fn all_repositories(&self, namespace: &str) -> Result<Vec<String>, Refusal> {
        if namespace.contains('/') || !is_repository(&format!("{namespace}/x")) {
            return Err(Refusal::BadName);
        }
        match self.repositories_of("orgs", namespace).await {
            Err(Refusal::RepositoryGone) => self.repositories_of("users", namespace).await,
            found => found,
        }
    }

    async fn repositories_of(&self, what: &str, namespace: &str) -> Result<Vec<String>, Refusal> {
        let path = format!("/{what}/{}/repos", part(namespace));
        let mut found = BTreeSet::new();
        self.pages(&path, Refusal::RepositoryGone, |entry| {
            let name = entry["full_name"].as_str().filter(|name| is_repository(name));
            name.is_some_and(|name| found.insert(name.to_owned()))
        })
        .await?;
        Ok(found.into_iter().collect())
    }

    /// Reads all pages of a list until one brings nothing new.
    async fn pages(
        &self,
        path: &str,
        missing: Refusal,
        mut take: impl FnMut(&Value) -> bool + Send,
    ) -> Result<(), Refusal> {
        for page in 1..=MOST_PAGES {
            let path = format!("{path}?limit={PAGE}&page={page}");
            let reply = self.call(Method::GET, &path, None, missing.clone()).await?;
            let entries: Vec<Value> = serde_json::from_slice(&reply.body).map_err(|_| not_the_api(&reply))?;
            if entries.iter().filter(|entry| take(entry)).count() == 0 {
                break;
            }
        }
        Ok(())
    }
}

impl Host for Gitea {
    fn inspect<'a>(&'a self, repository: &'a str) -> Answer<'a, Access> {
        self.look(repository).boxed()
    }

    fn list<'a>(&'a self, repository: &'a str) -> Answer<'a, Vec<Hook>> {
        self.all_hooks(repository).boxed()
    }

    fn create<'a>(&'a self, repository: &'a str, hook: NewHook<'a>) -> Answer<'a, Hook> {
        self.make(repository, hook).boxed()
    }

    fn delete<'a>(&'a self, repository: &'a str, id: &'a str) -> Answer<'a, ()> {
        async move {
            let path = hook_path(repository, id)?;
            match self.call(Method::DELETE, &path, None, Refusal::HookGone).await {
                Ok(_) | Err(Refusal::HookGone) => Ok(()),
                Err(refusal) => Err(refusal),
            }
        }
        .boxed()
    }

    fn enable<'a>(&'a self, repository: &'a str, id: &'a str) -> Answer<'a, ()> {
        self.switch_on(repository, id).boxed()
    }

    fn test<'a>(&'a self, repository: &'a str, id: &'a str) -> Answer<'a, ()> {
        async move {
            let path = format!("{}/tests", hook_path(repository, id)?);
            self.call(Method::POST, &path, None, Refusal::HookGone).await.map(drop)
        }
        .boxed()
    }

    fn repositories<'a>(&'a self, namespace: &'a str) -> Answer<'a, Vec<String>> {
        self.all_repositories(namespace).boxed()
    }
}

/// A repository of Gitea has an owner and a name, no more.
fn repository_path(repository: &str) -> Result<String, Refusal> {
    let path = escaped(repository).filter(|path| path.matches('/').count() == 1);
    path.map(|path| format!("/repos/{path}")).ok_or(Refusal::BadName)
}

fn hook_path(repository: &str, id: &str) -> Result<String, Refusal> {
    let path = repository_path(repository)?;
    if is_id(id) { Ok(format!("{path}/hooks/{id}")) } else { Err(Refusal::BadName) }
}

/// Why a call failed; `None` if it did not. `missing` is what a 404 means.
fn refusal(status: StatusCode, body: &[u8], missing: Refusal) -> Option<Refusal> {
    let number = status.as_u16();
    let said: Option<Value> = serde_json::from_slice(body).ok();
    let refusal = match status {
        _ if status.is_success() => return None,
        StatusCode::UNAUTHORIZED => Refusal::TokenUnusable,
        StatusCode::FORBIDDEN => Refusal::Forbidden,
        StatusCode::NOT_FOUND if said.is_some() => missing,
        StatusCode::UNPROCESSABLE_ENTITY
            if said.is_some_and(|said| said["message"].as_str().is_some_and(|text| text.contains("url"))) =>
        {
            Refusal::UrlRefused
        }
        _ if status.is_server_error() => Refusal::HostFault { status: number },
        _ if status.is_redirection() => Refusal::Redirected { status: number },
        _ => Refusal::NotTheApi { status: number },
    };
    Some(refusal)
}

fn not_the_api(reply: &Reply) -> Refusal {
    Refusal::NotTheApi { status: reply.status.as_u16() }
}

fn description(hook: &NewHook<'_>) -> Value {
    let secret = hook.secret.map(|secret| String::from_utf8_lossy(secret.expose()).into_owned());
    let events: Vec<&str> = hook.event.split(',').map(str::trim).filter(|event| !event.is_empty()).collect();
    json!({
        "type": "gitea",
        "name": hook.title,
        "active": true,
        "events": events,
        "config": {"url": hook.url.expose(), "content_type": "json", "secret": secret.unwrap_or_default()},
    })
}

/// A webhook in a list; `None` for what speaks to a chat and whatever cannot be read.
fn hook(entry: &Value) -> Option<Hook> {
    let text = |member: &Value| member.as_str().filter(|text| text.len() <= LONGEST_NAME).map(str::to_owned);
    if !matches!(entry["type"].as_str(), Some("gitea" | "forgejo" | "gogs")) {
        return None;
    }
    let mut events: Vec<String> = entry["events"].as_array()?.iter().filter_map(text).collect();
    events.sort_unstable();
    Some(Hook {
        id: entry["id"].as_u64()?.to_string(),
        title: text(&entry["name"]).filter(|title| !title.is_empty()),
        url: HookUrl::of_host(entry["config"]["url"].as_str()?.to_owned()),
        event: events.join(","),
        failures: 0,
        active: entry["active"].as_bool()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, body: &str) -> Option<Refusal> {
        refusal(StatusCode::from_u16(status).unwrap(), body.as_bytes(), Refusal::HookGone)
    }

    #[test]
    fn what_gitea_answers_is_told_apart() {
        let said = r#"{"message":"x","url":"https://gitea.example.com/api/swagger"}"#;
        for status in [200, 201, 204] {
            assert_eq!(refused(status, ""), None);
        }
        assert_eq!(refused(401, said), Some(Refusal::TokenUnusable));
        assert_eq!(refused(403, said), Some(Refusal::Forbidden));
        assert_eq!(refused(404, said), Some(Refusal::HookGone));
        assert_eq!(refused(404, "<html>"), Some(Refusal::NotTheApi { status: 404 }));
        assert_eq!(refused(422, r#"{"message":"Invalid url"}"#), Some(Refusal::UrlRefused));
        assert_eq!(refused(422, said), Some(Refusal::NotTheApi { status: 422 }));
        assert_eq!(refused(307, ""), Some(Refusal::Redirected { status: 307 }));
        assert_eq!(refused(500, said), Some(Refusal::HostFault { status: 500 }));
    }

    #[test]
    fn a_hook_is_read_with_its_events_in_order() {
        let entry = json!({"id": 7, "name": "", "type": "gitea", "active": true, "events": ["push", "create", 3],
                           "config": {"url": "https://h/x", "content_type": "json"}});
        let found = hook(&entry).unwrap();
        assert_eq!((found.id.as_str(), found.title.as_deref(), found.event.as_str()), ("7", None, "create,push"));
        let without = |member: &str| {
            let mut entry = entry.clone();
            entry.as_object_mut().unwrap().remove(member);
            hook(&entry)
        };
        for member in ["id", "type", "active", "events", "config"] {
            assert_eq!(without(member), None, "{member}");
        }
        assert_eq!(
            hook(&json!({"id": 7, "type": "slack", "active": true, "events": [], "config": {"url": "x"}})),
            None
        );
    }

    #[test]
    fn paths_have_an_owner_and_a_name() {
        assert_eq!(hook_path("northwind/web", "7").unwrap(), "/repos/northwind/web/hooks/7");
        for (repository, id) in [("northwind", "7"), ("a/b/c", "7"), ("a/..", "7"), ("a/b", "../7"), ("a/b", "")] {
            assert_eq!(hook_path(repository, id), Err(Refusal::BadName), "{repository} {id}");
        }
    }

    #[test]
    fn a_hook_is_described_with_its_secret_and_all_events() {
        let (url, secret) = (HookUrl::parse("https://h/x").unwrap(), Secret::new(b"s3cr3t".to_vec()));
        let hook = NewHook { title: "Quayside", url: &url, event: "push, package", secret: Some(&secret) };
        let expected = json!({"type": "gitea", "name": "Quayside", "active": true, "events": ["push", "package"],
                              "config": {"url": "https://h/x", "content_type": "json", "secret": "s3cr3t"}});
        assert_eq!(description(&hook), expected);
    }
}
