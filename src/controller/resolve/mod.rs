//! From a configuration and its Secrets to routes: pure.
//!
//! One receiver never affects another: each comes out as a route, as a problem, or (while its Secret cannot be read) as
//! the route it had before.

mod credentials;
mod generic;
mod narrow;
mod problem;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use crate::api::{Entry, EntryError};
use crate::controller::secrets::{SecretData, SecretState};
use crate::domain::alias::HostAliases;
use crate::domain::criterion::Labels;
use crate::domain::kind::ReceiverKind;
use crate::domain::owner::Owner;
use crate::domain::path::ReceiverPath;
use crate::domain::project_filter::ProjectFilter;
use crate::domain::scope::ObjectKey;
use crate::domain::secret::WEAK_SECRET_BYTES;
use crate::receiver::Settings;
use crate::receiver::kinds::generic::CompileBudget;
use crate::receiver::proof::oidc::Oidc;
use crate::tables::routes::{Route, Standing};
use credentials::{Previous, credentials, previous};
pub use problem::{Problem, Reason, path_conflict};

/// The receivers of one owner, as decoded from its spec.
pub type Entries = [Result<Entry, EntryError>];

/// What holds for all receivers, unless one says otherwise.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    /// Whether signatures made with SHA-1 are accepted from senders that can do better.
    pub allow_sha1: bool,
}

/// What is to be served and what is wrong.
#[derive(Default)]
pub struct Resolution {
    /// The routes, in the order of the spec.
    pub routes: Vec<Route>,
    /// Receivers that are not served as configured.
    pub problems: Vec<Problem>,
    /// Receivers that are served but deserve attention.
    pub warnings: Vec<Problem>,
}

/// What is resolved.
pub struct Declaration<'a> {
    /// The object that declares the receivers.
    pub owner: &'a Owner,
    /// The receivers, each decoded on its own.
    pub entries: &'a Entries,
    /// To which projects the object is narrowed down; counts for objects of the cluster.
    pub filter: &'a Result<ProjectFilter, String>,
    /// The namespace of the Secrets.
    pub secret_namespace: &'a str,
}

/// The receivers that an object with this spec declares, each decoded on its own.
#[must_use]
pub fn declared(owner: &Owner, spec: &Value) -> Vec<Result<Entry, EntryError>> {
    match owner {
        Owner::ProjectConfig(_) | Owner::ClusterConfig => Entry::decode_list(spec),
        Owner::Receiver(ObjectKey { name, .. }) | Owner::ClusterReceiver(name) => {
            vec![Entry::decode_receiver(name, spec)]
        }
    }
}

/// Which Secrets the entries reference, in the namespace where they are looked for.
#[must_use]
pub fn references(entries: &Entries, secret_namespace: &str) -> HashSet<ObjectKey> {
    let names = entries.iter().flatten().filter(|entry| entry.kind().is_some());
    names
        .filter_map(Entry::secret_name)
        .filter(|name| !name.is_empty())
        .map(|name| ObjectKey::new(secret_namespace, name))
        .collect()
}

/// Resolves every entry on its own. `secret` looks up one of [`references`]; `namespaces` are the labels of all
/// namespaces;
/// `before` are the routes served so far.
#[must_use]
pub fn resolve(
    declaration: &Declaration<'_>,
    defaults: &Defaults,
    secret: impl Fn(&ObjectKey) -> SecretState,
    namespaces: impl FnOnce() -> BTreeMap<Box<str>, Labels>,
    before: &[Arc<Route>],
) -> Resolution {
    let mut resolution = each(declaration, defaults, secret, before);
    narrow::narrow(&mut resolution, declaration, namespaces);
    resolution
}

fn each(
    declaration: &Declaration<'_>,
    defaults: &Defaults,
    secret: impl Fn(&ObjectKey) -> SecretState,
    before: &[Arc<Route>],
) -> Resolution {
    let Declaration { owner, entries, secret_namespace, .. } = *declaration;
    let mut resolution = Resolution::default();
    let mut names = HashSet::new();
    let mut budget = CompileBudget::of_project(owner.project());
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                resolution.problems.push(undecodable(error));
                continue;
            }
        };
        if !names.insert(entry.name.as_str()) {
            let cause = "another WebhookReceiver before it has the same name; give it a name of its own".to_owned();
            resolution.problems.push(Problem::new(&entry.name, Reason::DuplicateName, cause));
            continue;
        }
        match resolve_one(owner, entry, secret_namespace, defaults, &secret, &mut budget) {
            Ok(Served { route, previous }) => {
                resolution.warnings.extend(broken_actions(entry, &route.settings));
                let (name, secret) = (entry.secret_name().unwrap_or_default(), &route.settings.secret);
                resolution.warnings.extend(problem::weakness(&entry.name, name, secret_namespace, secret));
                resolution.warnings.extend(problem::white_space(&entry.name, name, secret_namespace, secret));
                let before = previous.as_ref().map(|previous| previous_route(&route, previous));
                resolution.routes.push(route);
                resolution.routes.extend(before);
                resolution.warnings.extend(previous.and_then(|previous| {
                    let cause = previous.mistake?;
                    Some(Problem::warning(&entry.name, Reason::InvalidExpiry, cause))
                }));
            }
            Err(mut problem) => {
                // Keep what works until the Secret can be read again.
                let same = |route: &&Arc<Route>| *route.receiver == *entry.name && Some(route.kind()) == entry.kind();
                if problem.is_passing() {
                    let kept = before.iter().filter(same).map(|route| copy(route));
                    problem.served = kept.clone().next().is_some();
                    resolution.routes.extend(kept);
                }
                resolution.problems.push(problem);
            }
        }
    }
    resolution
}

/// A receiver that can be served.
struct Served {
    route: Route,
    previous: Option<Previous>,
}

fn resolve_one(
    owner: &Owner,
    entry: &Entry,
    namespace: &str,
    defaults: &Defaults,
    secret: impl Fn(&ObjectKey) -> SecretState,
    budget: &mut CompileBudget,
) -> Result<Served, Problem> {
    let fail = |reason, cause| Err(Problem::new(&entry.name, reason, cause));
    let kinds = entry.kinds();
    if !owner.is_kargos() && kinds.len() > 1 {
        return fail(Reason::Invalid, format!("the receiver has more than one kind: {}", ReceiverKind::list(&kinds)));
    }
    let Some(kind) = entry.kind() else {
        return fail(
            Reason::NoKind,
            if owner.is_kargos() {
                "error getting receiver factory: no matching registration found".to_owned()
            } else {
                format!("the receiver has no kind; set one of {}", ReceiverKind::list(&ReceiverKind::ALL))
            },
        );
    };
    let name = entry.secret_name().unwrap_or_default();
    let not_read = |why: &str| format!(r#"error getting Secret "{name}" in namespace "{namespace}": {why}"#);
    if name.is_empty() {
        return fail(
            Reason::SecretNotFound,
            not_read("secretRef.name is empty; name the Secret that holds the receiver's secret"),
        );
    }
    let data = match secret(&ObjectKey::new(namespace, name)) {
        SecretState::Found(data) => data,
        SecretState::Missing => {
            return fail(Reason::SecretNotFound, not_read(&format!(r#"secrets "{name}" not found"#)));
        }
        SecretState::Unavailable(why) => {
            return fail(Reason::SecretUnavailable, not_read(&why));
        }
        SecretState::Forbidden(why) => {
            let why = format!("{why}; grant this process's ServiceAccount get and watch on Secrets in that namespace");
            return fail(Reason::SecretForbidden, not_read(&why));
        }
    };
    let key = kind.secret_key();
    let Some(value) = data.get(key) else {
        let why = kind.missing_key_message();
        let cause = format!(r#"error extracting secret values from Secret "{name}" in namespace "{namespace}": {why}"#);
        return fail(Reason::SecretKeyMissing, cause);
    };
    if value.is_empty() {
        let cause = format!(
            r#"the key "{key}" of Secret "{name}" in namespace "{namespace}" is empty, so that anybody could compute the URL; put a random value of at least {WEAK_SECRET_BYTES} bytes there"#
        );
        return fail(Reason::SecretEmpty, cause);
    }
    let scope = owner.scope();
    let path = ReceiverPath::derive(kind, &scope, &entry.name, value);
    let settings = Settings {
        virtual_repo_name: entry.spec.kargo.artifactory.as_ref().and_then(|config| config.virtual_repo_name.clone()),
        registry_host: entry.spec.registry_host().map(str::to_owned),
        aliases: Arc::new(host_aliases(entry)?),
        allow_sha1: entry.spec.allow_sha1_signatures.unwrap_or(defaults.allow_sha1),
        actions: entry
            .spec
            .kargo
            .generic
            .as_ref()
            .filter(|_| kind == ReceiverKind::Generic)
            .map_or_else(|| Arc::from([]), |config| generic::actions(config, budget)),
        credentials: credentials(owner, entry, kind, &data)
            .map_err(|cause| Problem::new(&entry.name, Reason::InvalidCredentials, cause))?,
        oidc: oidc(entry, kind, &data)?,
        ..Settings::new(value.clone())
    };
    let receiver = Arc::from(entry.name.as_str());
    let route = Route { path, owner: owner.clone(), scope, receiver, settings, standing: Standing::Current };
    Ok(Served { previous: previous(kind, &data), route })
}

/// The route of the secret before the current one: the same in everything else.
fn previous_route(route: &Route, previous: &Previous) -> Route {
    let path = ReceiverPath::derive(route.kind(), &route.scope, &route.receiver, &previous.secret);
    let settings = Settings { secret: previous.secret.clone(), ..route.settings.clone() };
    Route { path, settings, standing: Standing::Previous { until: previous.until }, ..copy(route) }
}

fn host_aliases(entry: &Entry) -> Result<HostAliases, Problem> {
    let pairs = entry.spec.host_aliases.iter().map(|alias| format!("{}={}", alias.pushed, alias.pulled));
    let text = pairs.collect::<Vec<_>>().join(",");
    HostAliases::parse(&text).map_err(|error| Problem::new(&entry.name, Reason::InvalidHostAlias, error.to_string()))
}

fn oidc(entry: &Entry, kind: ReceiverKind, data: &SecretData) -> Result<Option<Oidc>, Problem> {
    if kind != ReceiverKind::ArtifactRegistry {
        return Ok(None);
    }
    Oidc::from_secret(|key| data.get(key))
        .map_err(|error| Problem::new(&entry.name, Reason::InvalidOIDC, error.to_string()))
}

fn copy(route: &Route) -> Route {
    let Route { path, owner, scope, receiver, settings, standing } = route;
    Route {
        path: path.clone(),
        owner: owner.clone(),
        scope: scope.clone(),
        receiver: Arc::clone(receiver),
        settings: settings.clone(),
        standing: *standing,
    }
}

fn undecodable(error: &EntryError) -> Problem {
    let receiver = error.name.clone().unwrap_or_else(|| format!("entry-{}", error.index));
    Problem::new(&receiver, Reason::Invalid, error.cause.clone())
}

/// As in Kargo, a receiver with such actions is served: the others work.
fn broken_actions(entry: &Entry, settings: &Settings) -> Option<Problem> {
    let mistakes = generic::mistakes(&settings.actions)?;
    let cause = format!("actions that can never be carried out fail at every request: {mistakes}");
    Some(Problem::warning(&entry.name, Reason::InvalidAction, cause))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::secret::Secret;

    fn owner() -> Owner {
        Owner::ProjectConfig(Arc::from("northwind"))
    }

    fn found(key: &str, value: &str) -> SecretState {
        SecretState::Found(Arc::new(SecretData::from([(key.into(), Secret::new(value.as_bytes().to_vec()))])))
    }

    fn run(receivers: &Value, secret: &SecretState, before: &[Arc<Route>]) -> Resolution {
        run_as(&owner(), &json!({"webhookReceivers": receivers}), secret, before)
    }

    fn run_as(owner: &Owner, spec: &Value, secret: &SecretState, before: &[Arc<Route>]) -> Resolution {
        let (entries, defaults) = (declared(owner, spec), Defaults::default());
        let filter = Ok(ProjectFilter::default());
        let declaration = Declaration { owner, entries: &entries, filter: &filter, secret_namespace: "northwind" };
        resolve(&declaration, &defaults, |_| secret.clone(), BTreeMap::new, before)
    }

    fn quay(name: &str) -> Value {
        json!({"name": name, "quay": {"secretRef": {"name": "s"}}})
    }

    fn causes(resolution: &Resolution) -> Vec<(&str, &str)> {
        resolution.problems.iter().map(|p| (p.reason.as_str(), p.cause.as_str())).collect()
    }

    #[test]
    fn what_else_a_secret_demands_is_read_for_our_own_objects_only() {
        let data = |pairs: &[(&str, &str)]| {
            let value = |(key, value): &(&str, &str)| ((*key).into(), Secret::new(value.as_bytes().to_vec()));
            let long = ("secret".into(), Secret::new(b"a long enough secret".to_vec()));
            SecretState::Found(Arc::new(pairs.iter().map(value).chain([long]).collect()))
        };
        let own = Owner::Receiver(ObjectKey::new("northwind", "own"));
        let zot = json!({"zot": {"secretRef": {"name": "s"}}});
        let demanding = data(&[("auth-header", "Bearer rosebud")]);
        let served = run_as(&own, &zot, &demanding, &[]);
        let demanded = |resolution: &Resolution| resolution.routes[0].settings.credentials.auth_header.clone();
        assert!(demanded(&served).is_some_and(|header| header.verify_eq(b"Bearer rosebud")));
        assert!(demanded(&run(&json!([quay("quay")]), &demanding, &[])).is_none());
        let harbor = json!({"harbor": {"secretRef": {"name": "s"}}});
        assert!(demanded(&run_as(&own, &harbor, &demanding, &[])).is_none());
        let mut named = zot.clone();
        named["authentication"] = json!({"authHeader": {"key": "header"}});
        assert!(demanded(&run_as(&own, &named, &data(&[("header", "x")]), &[])).is_some());
        let registry = json!({"artifactregistry": {"secretRef": {"name": "s"}}});
        for (spec, data, reason) in [
            (&named, demanding, "InvalidCredentials"),
            (&zot, data(&[("auth-header", "")]), "InvalidCredentials"),
            (&registry, data(&[("oidc-email", "x@y")]), "InvalidOIDC"),
        ] {
            let resolution = run_as(&own, spec, &data, &[]);
            assert_eq!((resolution.routes.len(), causes(&resolution)[0].0), (0, reason));
        }
    }

    #[test]
    fn the_previous_secret_keeps_its_url_beside_the_new_one() {
        let data = |pairs: &[(&str, &str)]| {
            let value = |(key, value): &(&str, &str)| ((*key).into(), Secret::new(value.as_bytes().to_vec()));
            SecretState::Found(Arc::new(pairs.iter().map(value).collect()))
        };
        let (old, new) = ("the secret before this one", "the secret from now on");
        let receivers = json!([quay("quay")]);
        let before = run(&receivers, &data(&[("secret", old)]), &[]);
        let rotated = [("secret", new), ("secret.previous", old), ("secret.previous-until", "2026-12-31T23:59:59Z")];
        let during = run(&receivers, &data(&rotated), &[]);
        assert_eq!(during.routes.len(), 2);
        assert!(during.routes[0].standing == Standing::Current && during.routes[0].path != before.routes[0].path);
        let until = Some("2026-12-31T23:59:59Z".parse().unwrap());
        assert_eq!(during.routes[1].standing, Standing::Previous { until });
        assert!(during.routes[1].path == before.routes[0].path);
        assert!(during.routes[1].settings.secret.verify_eq(old.as_bytes()));
        // While the Secret cannot be read, both stay.
        let routes: Vec<_> = during.routes.into_iter().map(Arc::new).collect();
        let unread = run(&receivers, &SecretState::Unavailable("timeout".to_owned()), &routes);
        assert_eq!(unread.routes.len(), 2);
        let wrong = [("secret", new), ("secret.previous", old), ("secret.previous-until", "soon")];
        assert_eq!(run(&receivers, &data(&wrong), &[]).warnings[0].reason.as_str(), "InvalidExpiry");
        assert_eq!(run(&receivers, &data(&[("secret", new)]), &[]).routes.len(), 1);
    }

    #[test]
    fn missing_secret_missing_key_and_empty_value_are_told_apart() {
        let receivers = json!([quay("quay")]);
        assert_eq!(
            causes(&run(&receivers, &SecretState::Missing, &[])),
            [("SecretNotFound", r#"error getting Secret "s" in namespace "northwind": secrets "s" not found"#)]
        );
        assert_eq!(
            causes(&run(&receivers, &found("token", "x"), &[])),
            [(
                "SecretKeyMissing",
                r#"error extracting secret values from Secret "s" in namespace "northwind": missing "secret" data key for Quay.io WebhookReceiver"#
            )]
        );
        let empty = run(&receivers, &found("secret", ""), &[]);
        assert!(empty.routes.is_empty());
        assert!(causes(&empty)[0].1.contains("is empty"), "{:?}", causes(&empty));
    }

    #[test]
    fn a_weak_secret_is_served_with_a_warning() {
        let resolution = run(&json!([quay("quay")]), &found("secret", "s3cr3t"), &[]);
        assert_eq!((resolution.routes.len(), resolution.problems.len()), (1, 0));
        assert_eq!(resolution.warnings[0].reason.as_str(), "WeakSecret");
    }

    #[test]
    fn an_action_that_can_never_be_carried_out_is_a_warning_and_its_receiver_is_served() {
        let generic = |name: &str, actions: Value| json!({"name": name, "generic": {"secretRef": {"name": "s"}, "actions": actions}});
        let criteria = json!([{"kind": "Warehouse", "name": "${{ 1 + }}"}, {"kind": "Warehouse", "name": "a"}]);
        let broken = json!([
            {"action": "Refresh", "whenExpression": "true"},
            {"action": "Refresh", "whenExpression": "request.body.", "targetSelectionCriteria": criteria},
        ]);
        let fine = json!([{"action": "Refresh", "whenExpression": "foo()"}]);
        let receivers = json!([generic("broken", broken), generic("fine", fine), generic("idle", json!([]))]);
        let resolution = run(&receivers, &found("secret", "a long enough secret"), &[]);
        assert_eq!((resolution.routes.len(), resolution.problems.len()), (3, 0));
        let [warning] = resolution.warnings.as_slice() else { panic!("{:?}", resolution.warnings) };
        assert_eq!((&*warning.receiver, warning.reason.as_str(), warning.served), ("broken", "InvalidAction", true));
        assert_eq!(
            warning.cause,
            "actions that can never be carried out fail at every request: actions[1].whenExpression: unexpected end of \
             expression (syntax, at byte 13 of the expression); actions[1].targetSelectionCriteria[0].name: unexpected \
             token (syntax, at byte 5 of the expression)"
        );
        assert_eq!(resolution.routes[0].settings.actions.len(), 2);
    }

    #[test]
    fn mistakes_beyond_the_room_of_a_condition_are_counted() {
        let actions = vec![json!({"action": "Refresh", "whenExpression": "1 +"}); 20];
        let receivers = json!([{"name": "g", "generic": {"secretRef": {"name": "s"}, "actions": actions}}]);
        let warning = run(&receivers, &found("secret", "a long enough secret"), &[]).warnings.remove(0);
        assert!(warning.cause.contains("actions[7].whenExpression") && !warning.cause.contains("actions[8]"));
        assert!(warning.cause.ends_with("; and 12 more"), "{}", warning.cause);
    }

    #[test]
    fn a_secret_that_cannot_be_read_keeps_the_route_and_a_missing_one_ends_it() {
        let receivers = json!([quay("quay")]);
        let before: Vec<_> =
            run(&receivers, &found("secret", "a long enough secret"), &[]).routes.into_iter().map(Arc::new).collect();
        let unread = run(&receivers, &SecretState::Unavailable("timeout".to_owned()), &before);
        assert_eq!(unread.routes.len(), 1);
        assert!(unread.problems[0].is_passing() && unread.problems[0].served);
        assert!(run(&receivers, &SecretState::Missing, &before).routes.is_empty());
    }

    #[test]
    fn of_two_receivers_of_one_name_the_first_is_served() {
        let receivers = json!([quay("quay"), quay("quay")]);
        let resolution = run(&receivers, &found("secret", "a long enough secret"), &[]);
        assert_eq!(resolution.routes.len(), 1);
        assert_eq!(resolution.problems[0].reason.as_str(), "DuplicateName");
    }

    #[test]
    fn an_entry_that_cannot_be_decoded_is_a_problem_of_its_own() {
        let receivers = json!([{"name": "odd", "quay": 7}, {"name": "none"}, "text", quay("quay")]);
        let resolution = run(&receivers, &found("secret", "a long enough secret"), &[]);
        assert_eq!(resolution.routes.len(), 1);
        let reasons: Vec<_> = resolution.problems.iter().map(|p| (p.receiver.as_str(), p.reason.as_str())).collect();
        assert_eq!(reasons, [("odd", "Invalid"), ("none", "NoKind"), ("entry-2", "Invalid")]);
    }

    #[test]
    fn a_receiver_of_our_own_is_resolved_as_an_entry_of_a_list_is_and_brings_its_settings() {
        let own = Owner::Receiver(ObjectKey::new("northwind", "quay"));
        let secret = found("secret", "a long enough secret");
        let listed = run(&json!([quay("quay")]), &secret, &[]);
        let spec = json!({"quay": {"secretRef": {"name": "s"}}, "registryHost": "registry.example.com", "allowSHA1Signatures": true,
            "hostAliases": [{"pushed": "a.example", "pulled": "b.example"}, {"pushed": "a.example", "pulled": "c.example/d"}]});
        let resolution = run_as(&own, &spec, &secret, &[]);
        let [route] = resolution.routes.as_slice() else { panic!("{:?}", causes(&resolution)) };
        assert!(route.path == listed.routes[0].path, "the URL depends on namespace, name and secret alone");
        assert_eq!((&route.owner, &*route.receiver), (&own, "quay"));
        assert_eq!(route.settings.registry_host.as_deref(), Some("registry.example.com"));
        assert_eq!(
            route.settings.aliases.of("a.example/app").collect::<Vec<_>>(),
            ["b.example/app", "c.example/d/app"]
        );
        assert!(route.settings.allow_sha1 && !listed.routes[0].settings.allow_sha1);
    }

    #[test]
    fn a_receiver_of_our_own_that_is_no_receiver_says_why() {
        let own = Owner::ClusterReceiver(Arc::from("hub"));
        let secret = found("secret", "a long enough secret");
        let reference = json!({"secretRef": {"name": "s"}});
        for (spec, reason) in [
            (json!({}), "NoKind"),
            (json!({"quay": 7}), "Invalid"),
            (json!({"quay": reference, "github": reference}), "Invalid"),
            (
                json!({"quay": reference, "hostAliases": [{"pushed": "https://a", "pulled": "b.example"}]}),
                "InvalidHostAlias",
            ),
        ] {
            let resolution = run_as(&own, &spec, &secret, &[]);
            assert!(resolution.routes.is_empty());
            assert_eq!(
                (resolution.problems[0].receiver.as_str(), resolution.problems[0].reason.as_str()),
                ("hub", reason)
            );
        }
    }
}
