//! What a registration's spec comes to at the moment: the aim, the client, the repositories.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::aim::{Aim, Sender};
use super::book::{Book, Name};
use super::objects::Object;
use super::reach::{Names, Subscribers};
use super::status::Problem;
use super::{Registrations, steady};
use crate::api::RegistrationSpec;
use crate::api::registration::{ReceiverRef, SenderConfig};
use crate::controller::secrets::{SecretData, SecretState};
use crate::domain::alias::HostAliases;
use crate::domain::owner::Owner;
use crate::domain::percent::escaped;
use crate::domain::scope::ObjectKey;
use crate::domain::secret::Secret;
use crate::hooks::gitea::Gitea;
use crate::hooks::quay::Quay;
use crate::hooks::{Endpoint, HookUrl, Host, Refusal};
use crate::tables::routes::{Route, Standing};

/// The key of the Secret with the token, unless the spec names another.
const TOKEN: &str = "token";
/// Reason of a problem: the Secret certainly does not exist.
pub(super) const NOT_FOUND: &str = "SecretNotFound";
/// Pause before a Secret is read again that could not be read.
const UNREAD: Duration = Duration::from_secs(5);
/// The key of the Secret with the authorities.
const CA: &str = "ca.crt";

/// What the spec comes to.
#[derive(Default)]
pub struct Following {
    pub(super) aim: Option<Arc<Aim>>,
    pub(super) host: Option<Arc<dyn Host>>,
    pub(super) subscribers: Arc<Subscribers>,
    /// From what the client was made: the generation and the Secret's data.
    made_of: Option<(Option<i64>, Arc<SecretData>)>,
    /// The versions of spec, routes and subscriptions that the rest was made from.
    versions: Option<(Option<i64>, u64, u64)>,
    /// The same of which the repositories were made.
    wanted_at: Option<(Option<i64>, u64, u64)>,
    /// What was wrong with the receiver then.
    aiming: Option<Problem>,
    /// The repositories of whole namespaces.
    listed: BTreeMap<String, Listing>,
    /// The aliases of the receiver.
    aliases: Arc<HostAliases>,
    /// Why the Secret could not be read, and until when it is not read again.
    unread: Option<(Instant, Problem)>,
}

/// The repositories of one namespace.
#[derive(Default)]
struct Listing {
    names: Vec<Name>,
    /// When they are listed again.
    again: Option<Instant>,
    /// Why they could not be listed.
    refusal: Option<Refusal>,
}

impl Following {
    /// Brings everything up to date. Whatever has changed is looked at by the book.
    ///
    /// # Errors
    /// What keeps the registration from its work.
    pub(super) async fn update(
        &mut self,
        parts: &Registrations,
        object: &Object,
        book: &parking_lot::Mutex<Book>,
    ) -> Result<(), Problem> {
        let spec = object.spec.as_ref().map_err(|error| Problem::new("Invalid", format!("spec: {error}")))?;
        let config = spec.sender().ok_or_else(|| Problem::new("Invalid", "set one of quay and gitea"))?;
        let endpoint =
            Endpoint::parse(&config.endpoint).map_err(|error| Problem::new("InvalidEndpoint", error.to_string()))?;
        let versions = (object.generation, parts.tables.routes.version(), parts.tables.index.version());
        let is_new = self.versions.replace(versions) != Some(versions);
        if is_new && self.aim(parts, object, spec)? {
            book.lock().look_at_all(steady());
        }
        if self.connect(parts, object, spec, config, endpoint.clone()).await? {
            book.lock().look_at_all(steady());
            self.listed.clear();
        }
        if let Some(problem) = &self.aiming {
            return Err(problem.clone());
        }
        let is_listed = self.list_namespaces(parts, spec).await?;
        if is_listed || self.wanted_at != Some(versions) {
            self.want(parts, spec, &endpoint, book);
            self.wanted_at = Some(versions);
        }
        Ok(())
    }

    /// Finds the receiver's route. Returns whether the URL is another one.
    fn aim(&mut self, parts: &Registrations, object: &Object, spec: &RegistrationSpec) -> Result<bool, Problem> {
        let sender = Sender::of(spec);
        let (owner, name) = receiver(&object.key, &spec.receiver);
        let base = parts.tables.routes.base();
        let base = format!("{}{}", base.origin(), base.path());
        let mut aim = Aim::new(&object.key, sender, &spec.events, (owner.clone(), Arc::clone(&name)), &base);
        if let Some(before) = &self.aim {
            (aim.url, aim.former) = (before.url.clone(), before.former.clone());
        }
        let routes = parts.tables.routes.of_owner(&owner);
        let clashes = parts.tables.routes.clashes(&owner);
        let is_served = |route: &&Arc<Route>| {
            route.receiver == name
                && route.standing == Standing::Current
                && !clashes.iter().any(|clash| clash.receiver == name)
        };
        let (mut is_new, mut problem) = (false, None);
        match routes.iter().find(is_served) {
            None => problem = Some(not_served(&owner, &name)),
            Some(route) if route.kind().as_str() != sender.kind() => problem = Some(mismatch(route, sender)),
            Some(route) if sender == Sender::Quay && cannot_be_met(route) => problem = Some(too_demanding()),
            Some(route) => {
                self.aliases = Arc::clone(&route.settings.aliases);
                let url = route.path.expose_url(parts.tables.routes.base());
                let url = HookUrl::parse(&with_user(&url, route.settings.credentials.basic_auth.as_ref()))
                    .map_err(|error| Problem::new("InvalidURL", error.to_string()))?;
                let wants_other_events = self.aim.as_ref().is_some_and(|before| before.events != aim.events);
                is_new = aim.served_by(route, url) || wants_other_events;
            }
        }
        self.aiming = problem;
        self.aim = Some(Arc::new(aim));
        Ok(is_new)
    }

    /// Makes the client anew when spec or Secret have changed. Returns whether they have.
    async fn connect(
        &mut self,
        parts: &Registrations,
        object: &Object,
        spec: &RegistrationSpec,
        config: &SenderConfig,
        endpoint: Endpoint,
    ) -> Result<bool, Problem> {
        let namespace = if object.key.namespace.is_empty() { &*parts.system_namespace } else { &*object.key.namespace };
        let secret = ObjectKey::new(namespace, &config.token_secret_ref.name);
        if let Some((_, problem)) = self.unread.as_ref().filter(|(until, _)| steady() < *until) {
            return Err(problem.clone());
        }
        let data = match token_data(parts, object, &secret).await {
            Ok(data) => data,
            Err(problem) => {
                if problem.reason != NOT_FOUND {
                    self.unread = Some((steady() + UNREAD, problem.clone()));
                }
                return Err(problem);
            }
        };
        let is_same = |(generation, known): &(Option<i64>, Arc<SecretData>)| {
            *generation == object.generation && Arc::ptr_eq(known, &data)
        };
        if self.made_of.as_ref().is_some_and(is_same) {
            return Ok(false);
        }
        let key = config.token_secret_ref.key.as_deref().unwrap_or(TOKEN);
        let token = data.get(key).ok_or_else(|| {
            Problem::new("SecretKeyMissing", format!("Secret {secret} has no key {key:?}, which should hold the token"))
        })?;
        let bundle = config.ca_bundle.as_deref().map(str::as_bytes).or_else(|| data.get(CA).map(Secret::expose));
        let made = match spec.quay {
            Some(_) => Quay::new(&parts.network, endpoint, token, bundle).map(|host| Arc::new(host) as Arc<dyn Host>),
            None => Gitea::new(&parts.network, endpoint, token, bundle).map(|host| Arc::new(host) as Arc<dyn Host>),
        };
        self.host = Some(made.map_err(|error| Problem::new("InvalidSecret", error.to_string()))?);
        self.made_of = Some((object.generation, data));
        Ok(true)
    }

    /// Lists the repositories of whole namespaces, now and then. Returns whether any was listed. A list that cannot be
    /// had is asked for again, and what was listed before counts meanwhile.
    async fn list_namespaces(&mut self, parts: &Registrations, spec: &RegistrationSpec) -> Result<bool, Problem> {
        let wanted: BTreeSet<&str> = spec.repositories.iter().filter_map(|name| name.strip_suffix("/*")).collect();
        self.listed.retain(|namespace, _| wanted.contains(namespace.as_str()));
        let (now, mut is_listed) = (steady(), false);
        for namespace in wanted {
            let known = self.listed.entry(namespace.to_owned()).or_default();
            if known.again.is_none_or(|again| again <= now) {
                let Some(host) = &self.host else { break };
                let listed = host.repositories(namespace).await;
                parts.metrics.called(listed.as_ref().map_or_else(Refusal::reason, |_| "Done"));
                let pause = if listed.is_ok() { parts.rules.relist() } else { parts.rules.refusal() };
                known.again = Some(now + pause);
                known.refusal = listed.as_ref().err().cloned();
                if let Ok(names) = listed {
                    known.names = names.into_iter().map(Name::from).collect();
                    is_listed = true;
                }
            }
            if let Some(refusal) = known.refusal.as_ref().filter(|_| known.names.is_empty()) {
                let message = format!("the repositories of {namespace} cannot be listed: {refusal}");
                return Err(Problem::new(refusal.reason(), message));
            }
        }
        Ok(is_listed)
    }

    /// Says which repositories are to have notifications.
    fn want(
        &mut self,
        parts: &Registrations,
        spec: &RegistrationSpec,
        endpoint: &Endpoint,
        book: &parking_lot::Mutex<Book>,
    ) {
        let Some(aim) = &self.aim else { return };
        let names = Names {
            authority: endpoint.authority(),
            host: endpoint.host(),
            path: endpoint.path(),
            is_git: aim.sender == Sender::Gitea,
            aliases: [&parts.tables.aliases, &self.aliases],
        };
        self.subscribers = Arc::new(names.subscribed(&parts.tables.index, &aim.scope));
        let wanted: BTreeSet<Name> = if spec.repositories.is_empty() {
            self.subscribers.keys().cloned().collect()
        } else {
            let named =
                spec.repositories.iter().filter(|name| !name.ends_with("/*")).map(|name| Name::from(name.as_str()));
            named.chain(self.listed.values().flat_map(|listing| listing.names.iter().cloned())).collect()
        };
        book.lock().want(&wanted, steady());
    }
}

async fn token_data(parts: &Registrations, object: &Object, secret: &ObjectKey) -> Result<Arc<SecretData>, Problem> {
    parts.secrets.reference(&object.key, [secret.clone()].into());
    match parts.secrets.get(secret).await {
        SecretState::Found(data) => Ok(data),
        SecretState::Missing => {
            Err(Problem::new(NOT_FOUND, format!("Secret {secret}, which should hold the token, does not exist")))
        }
        SecretState::Unavailable(why) => {
            Err(Problem::new("SecretUnavailable", format!("Secret {secret} cannot be read at the moment: {why}")))
        }
        SecretState::Forbidden(why) => Err(Problem::new(
            "SecretForbidden",
            format!("Secret {secret} may not be read: {why}; grant get, list and watch of it to the operator"),
        )),
    }
}

/// The receiver that a registration names.
fn receiver(key: &ObjectKey, reference: &ReceiverRef) -> (Owner, Arc<str>) {
    let name: Arc<str> = Arc::from(reference.name.as_str());
    let owner = match (reference.kind.as_deref(), key.namespace.is_empty()) {
        (Some("Receiver"), false) => Owner::Receiver(ObjectKey::new(&key.namespace, &name)),
        (_, false) => Owner::ProjectConfig(Arc::clone(&key.namespace)),
        (Some("ClusterReceiver"), true) => Owner::ClusterReceiver(Arc::clone(&name)),
        (_, true) => Owner::ClusterConfig,
    };
    (owner, name)
}

fn not_served(owner: &Owner, name: &str) -> Problem {
    Problem::new(
        "ReceiverNotServed",
        format!("the receiver {name:?} of {owner} is not served; see the conditions of {owner}"),
    )
}

fn mismatch(route: &Route, sender: Sender) -> Problem {
    let (kind, label) = (route.kind().as_str(), sender.label());
    Problem::new(
        "ReceiverMismatch",
        format!(
            "the receiver {:?} is of the kind {kind}, and notifications of {label} need one of the kind {}",
            route.receiver,
            sender.kind()
        ),
    )
}

/// Whether the receiver demands what a notification of Quay cannot present.
fn cannot_be_met(route: &Route) -> bool {
    route.settings.credentials.body_token.is_some() || route.settings.credentials.auth_header.is_some()
}

fn too_demanding() -> Problem {
    Problem::new(
        "ReceiverDemandsMore",
        "the receiver demands a token in the body or a header of its own, which registered notifications do not present; take the \
         keys body-token and auth-header out of its Secret, or use basic-auth",
    )
}

/// The URL with user and password, if the receiver demands them.
fn with_user(url: &str, basic_auth: Option<&Secret>) -> zeroize::Zeroizing<String> {
    let parts = basic_auth.zip(url.split_once("://")).and_then(|(pair, url)| {
        let at = pair.expose().iter().position(|byte| *byte == b':')?;
        Some((&pair.expose()[..at], &pair.expose()[at + 1..], url))
    });
    match parts {
        Some((user, password, (scheme, rest))) => format!("{scheme}://{}:{}@{rest}", escaped(user), escaped(password)),
        None => url.to_owned(),
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registration_names_a_receiver_of_its_own_scope() {
        let found = |namespace: &str, kind: Option<&str>| {
            let reference = ReceiverRef { kind: kind.map(str::to_owned), name: "quay".to_owned() };
            receiver(&ObjectKey::new(namespace, "r"), &reference).0.to_string()
        };
        assert_eq!(found("northwind", None), "ProjectConfig northwind");
        assert_eq!(found("northwind", Some("Receiver")), "Receiver northwind/quay");
        assert_eq!(found("northwind", Some("ClusterReceiver")), "ProjectConfig northwind", "never beyond its project");
        assert_eq!(found("", None), "ClusterConfig");
        assert_eq!(found("", Some("ClusterReceiver")), "ClusterReceiver quay");
    }

    #[test]
    fn user_and_password_stand_escaped_in_the_url() {
        let pair = Secret::new(b"mira:p@ss:w/rd".to_vec());
        assert_eq!(&**with_user("https://h/quay/x", Some(&pair)), "https://mira:p%40ss%3Aw%2Frd@h/quay/x");
        assert_eq!(&**with_user("https://h/quay/x", None), "https://h/quay/x");
    }
}
