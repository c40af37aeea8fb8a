//! Quay: quay.io, Red Hat Quay and Project Quay.
//!
//! Its API has habits that must be known. A bad token is 401 for GET, but for POST and DELETE 403 with a text about
//! CSRF, and for the list of repositories an empty list. A deleted repository has an empty list of hooks too. What does
//! not exist is 400 instead of 404 for a hook, and 500 with HTML where a hook is made. So the status decides first, and
//! the body only where the status does not tell.

use std::collections::BTreeSet;

use futures::FutureExt;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{Client, Reply};
use super::endpoint::Endpoint;
use super::network::{BadSetup, Network};
use super::repository::{escaped, is_id, is_repository, part};
use super::url::HookUrl;
use super::{Access, Answer, Hook, Host, NewHook, Refusal};
use crate::domain::secret::Secret;

/// Failures in a row after which Quay sends nothing more.
pub const SWITCHED_OFF_AT: u32 = 3;
/// Pages of repositories that are read at most, of 100 each.
const MOST_PAGES: usize = 500;
/// Longest title and longest name of an event that is taken over from a host.
const LONGEST_NAME: usize = 255;
/// Any name: the answer to it tells whether an empty list of repositories means that there are none.
const ANY_NAME: &str = "quayside";

/// The API of one Quay, with one token.
pub struct Quay(Client);

impl Quay {
    /// A client with an OAuth token of the scope `repo:admin`. It trusts the authorities in the bundle, in PEM, if one
    /// is given, and otherwise the system's.
    ///
    /// # Errors
    /// When the token or the bundle cannot be used; nothing has been called then.
    pub fn new(
        network: &Network,
        endpoint: Endpoint,
        token: &Secret,
        ca_bundle: Option<&[u8]>,
    ) -> Result<Self, BadSetup> {
        Client::new(network, endpoint, "Bearer", token, ca_bundle).map(Self)
    }

    async fn call(&self, call: Call, of: &Of<'_>, body: Option<&Value>) -> Result<Reply, Refusal> {
        let path = call.path(of).ok_or(Refusal::BadName)?;
        let reply = self.0.call(call.method(), &path, body).await?;
        tracing::debug!(call = ?call, repository = of.repository, status = reply.status.as_u16(), "called Quay");
        match call.refusal(reply.status, &reply.body) {
            None => Ok(reply),
            Some(refusal) => Err(refusal),
        }
    }

    async fn look(&self, repository: &str) -> Result<Access, Refusal> {
        let reply = self.call(Call::Inspect, &Of::repository(repository), None).await?;
        access(&reply.body).ok_or_else(|| not_the_api(&reply))
    }

    async fn make(&self, repository: &str, hook: NewHook<'_>) -> Result<Hook, Refusal> {
        let made = self.call(Call::Create, &Of::repository(repository), Some(&description(&hook))).await;
        match made {
            Ok(reply) => made_hook(&reply.body).ok_or_else(|| not_the_api(&reply)),
            // What a repository that does not exist comes to; the look says which it is.
            Err(fault @ Refusal::HostFault { status: 500 }) => Err(self.look(repository).await.err().unwrap_or(fault)),
            Err(refusal) => Err(refusal),
        }
    }

    async fn all_repositories(&self, namespace: &str) -> Result<Vec<String>, Refusal> {
        let (mut found, mut next) = (BTreeSet::new(), None);
        for _ in 0..MOST_PAGES {
            let of = Of { repository: namespace, id: next.as_deref().unwrap_or_default() };
            let reply = self.call(Call::Repositories, &of, None).await?;
            let page: Page = serde_json::from_slice(&reply.body).map_err(|_| not_the_api(&reply))?;
            let before = found.len();
            found.extend(page.repositories.iter().filter_map(|repository| named(repository, namespace)));
            next = page.next_page.filter(|next| !next.is_empty());
            // A token that Quay does not understand is answered with the first page again.
            if next.is_none() || found.len() == before {
                break;
            }
        }
        if found.is_empty() {
            // An unusable token is shown an empty list, too.
            match self.look(&format!("{namespace}/{ANY_NAME}")).await {
                Ok(_) | Err(Refusal::RepositoryGone) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(found.into_iter().collect())
    }
}

impl Host for Quay {
    fn inspect<'a>(&'a self, repository: &'a str) -> Answer<'a, Access> {
        self.look(repository).boxed()
    }

    fn list<'a>(&'a self, repository: &'a str) -> Answer<'a, Vec<Hook>> {
        async move {
            let reply = self.call(Call::List, &Of::repository(repository), None).await?;
            hooks(&reply.body).ok_or_else(|| not_the_api(&reply))
        }
        .boxed()
    }

    fn create<'a>(&'a self, repository: &'a str, hook: NewHook<'a>) -> Answer<'a, Hook> {
        self.make(repository, hook).boxed()
    }

    fn delete<'a>(&'a self, repository: &'a str, id: &'a str) -> Answer<'a, ()> {
        async move {
            match self.call(Call::Delete, &Of { repository, id }, None).await {
                Ok(_) | Err(Refusal::HookGone | Refusal::RepositoryGone) => Ok(()),
                Err(refusal) => Err(refusal),
            }
        }
        .boxed()
    }

    fn enable<'a>(&'a self, repository: &'a str, id: &'a str) -> Answer<'a, ()> {
        async move { self.call(Call::Enable, &Of { repository, id }, None).await.map(drop) }.boxed()
    }

    fn test<'a>(&'a self, repository: &'a str, id: &'a str) -> Answer<'a, ()> {
        async move { self.call(Call::Test, &Of { repository, id }, None).await.map(drop) }.boxed()
    }

    fn repositories<'a>(&'a self, namespace: &'a str) -> Answer<'a, Vec<String>> {
        self.all_repositories(namespace).boxed()
    }
}

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Inspect,
    List,
    Create,
    Delete,
    Enable,
    Test,
    Repositories,
}

/// What a call is about: a repository and perhaps a hook, or a namespace and perhaps the next page.
struct Of<'a> {
    repository: &'a str,
    id: &'a str,
}

impl<'a> Of<'a> {
    const fn repository(repository: &'a str) -> Self {
        Self { repository, id: "" }
    }
}

impl Call {
    const fn method(self) -> Method {
        match self {
            Self::Inspect | Self::List | Self::Repositories => Method::GET,
            Self::Create | Self::Enable | Self::Test => Method::POST,
            Self::Delete => Method::DELETE,
        }
    }

    /// The path below the API's; `None` if a name or an id cannot be part of one.
    fn path(self, of: &Of<'_>) -> Option<String> {
        if self == Self::Repositories {
            let namespace = is_repository(&format!("{}/x", of.repository)) && !of.repository.contains('/');
            let next = if of.id.is_empty() { String::new() } else { format!("&next_page={}", part(of.id)) };
            return namespace.then(|| format!("/repository?namespace={}{next}", part(of.repository)));
        }
        let repository = escaped(of.repository)?;
        let hook = || is_id(of.id).then(|| format!("/repository/{repository}/notification/{}", of.id));
        Some(match self {
            Self::Inspect => format!("/repository/{repository}?includeTags=false"),
            // Without the slash at its end, a POST is redirected.
            Self::List | Self::Create => format!("/repository/{repository}/notification/"),
            Self::Delete | Self::Enable => hook()?,
            Self::Test => format!("{}/test", hook()?),
            Self::Repositories => return None,
        })
    }

    /// Why the call failed; `None` if it did not.
    fn refusal(self, status: StatusCode, body: &[u8]) -> Option<Refusal> {
        let said: Option<Said> = serde_json::from_slice(body).ok();
        let is_json = said.is_some();
        let said = said.unwrap_or_default();
        let number = status.as_u16();
        let refusal = match status {
            StatusCode::OK | StatusCode::CREATED | StatusCode::NO_CONTENT => return None,
            StatusCode::UNAUTHORIZED => Refusal::TokenUnusable,
            StatusCode::FORBIDDEN if said.error.as_ref().is_some_and(|error| error.starts_with("CSRF")) => {
                Refusal::TokenUnusable
            }
            StatusCode::FORBIDDEN => Refusal::Forbidden,
            // A page of somebody else's is HTML.
            StatusCode::NOT_FOUND if is_json => Refusal::RepositoryGone,
            StatusCode::BAD_REQUEST if is_json => match self {
                Self::Delete | Self::Enable | Self::Test => Refusal::HookGone,
                Self::Create if said.speaks_of("webhook URL") => Refusal::UrlRefused,
                Self::Create | Self::Inspect | Self::List | Self::Repositories => Refusal::NotTheApi { status: number },
            },
            StatusCode::SERVICE_UNAVAILABLE if said.is_readonly == Some(true) => Refusal::ReadOnly,
            _ if status.is_server_error() => Refusal::HostFault { status: number },
            _ if status.is_redirection() => Refusal::Redirected { status: number },
            _ => Refusal::NotTheApi { status: number },
        };
        Some(refusal)
    }
}

/// What an answer that is no success says; each kind of failure has other members.
#[derive(Default, Deserialize)]
struct Said {
    #[serde(default, deserialize_with = "text_if_any")]
    error: Option<String>,
    #[serde(default, deserialize_with = "text_if_any")]
    message: Option<String>,
    #[serde(default, deserialize_with = "text_if_any")]
    error_message: Option<String>,
    #[serde(default, deserialize_with = "text_if_any")]
    detail: Option<String>,
    is_readonly: Option<bool>,
}

impl Said {
    fn speaks_of(&self, words: &str) -> bool {
        [&self.message, &self.error_message, &self.detail].into_iter().flatten().any(|text| text.contains(words))
    }
}

/// A text, or nothing where the member is something else.
fn text_if_any<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::String(text) => Some(text),
        _ => None,
    })
}

#[derive(Deserialize)]
struct Page {
    repositories: Vec<Value>,
    next_page: Option<String>,
}

fn not_the_api(reply: &Reply) -> Refusal {
    Refusal::NotTheApi { status: reply.status.as_u16() }
}

fn description(hook: &NewHook<'_>) -> Value {
    json!({
        "event": hook.event,
        "method": "webhook",
        "config": {"url": hook.url.expose()},
        "eventConfig": {},
        "title": hook.title,
    })
}

fn access(body: &[u8]) -> Option<Access> {
    let body: Value = serde_json::from_slice(body).ok()?;
    Some(if body["can_admin"].as_bool()? { Access::Admin } else { Access::NotAdmin })
}

fn hooks(body: &[u8]) -> Option<Vec<Hook>> {
    let body: Value = serde_json::from_slice(body).ok()?;
    Some(body["notifications"].as_array()?.iter().filter_map(hook).collect())
}

fn made_hook(body: &[u8]) -> Option<Hook> {
    hook(&serde_json::from_slice(body).ok()?)
}

/// A webhook in a list; `None` for mail, chat and whatever cannot be read.
fn hook(entry: &Value) -> Option<Hook> {
    let text = |member: &Value| member.as_str().filter(|text| text.len() <= LONGEST_NAME * 4).map(str::to_owned);
    if entry["method"] != "webhook" {
        return None;
    }
    let failures = entry["number_of_failures"].as_u64().unwrap_or_default();
    let failures = u32::try_from(failures).unwrap_or(u32::MAX);
    Some(Hook {
        id: text(&entry["uuid"]).filter(|id| is_id(id))?,
        title: text(&entry["title"]).filter(|title| !title.is_empty()),
        url: HookUrl::of_host(entry["config"]["url"].as_str()?.to_owned()),
        event: text(&entry["event"])?,
        failures,
        active: failures < SWITCHED_OFF_AT,
    })
}

/// The name of a repository in a page, if it is one of that namespace: a token for another page is answered with
/// others.
fn named(entry: &Value, namespace: &str) -> Option<String> {
    let name = format!("{namespace}/{}", entry["name"].as_str()?);
    (entry["namespace"] == namespace && is_repository(&name)).then_some(name)
}

#[cfg(test)]
mod tests;
