//! The table of served receivers: path → route.
//!
//! Written by the controller when a configuration or Secret changes, read by every request. Routes come from spec and
//! Secret, never from a status, so a wrong status cannot misroute a request.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::RwLock;
use zeroize::Zeroizing;

use crate::domain::kind::ReceiverKind;
use crate::domain::owner::Owner;
use crate::domain::path::{BaseUrl, ReceiverPath};
use crate::domain::scope::Scope;
use crate::receiver::Settings;

/// A receiver that is served.
pub struct Route {
    /// Kind and digest: the credential.
    pub path: ReceiverPath,
    /// The object that declares the receiver.
    pub owner: Owner,
    /// What the receiver may refresh.
    pub scope: Scope,
    /// The receiver's name in its configuration.
    pub receiver: Arc<str>,
    /// What else it is configured with.
    pub settings: Settings,
    /// Whether its secret is the one in force.
    pub standing: Standing,
}

/// Which secret a route hangs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The one in force, whose URL is in the status.
    Current,
    /// The one before, whose URL senders may still have.
    Previous {
        /// When it stops to count; `None` for as long as it is in the Secret.
        until: Option<Timestamp>,
    },
}

impl Route {
    /// The receiver's kind.
    #[must_use]
    pub fn kind(&self) -> ReceiverKind {
        self.path.kind()
    }

    /// Whether the route counts at this time.
    #[must_use]
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        !matches!(self.standing, Standing::Previous { until: Some(until) } if until <= now)
    }
}

/// All routes, and the base URL they hang below.
pub struct RouteTable {
    base: BaseUrl,
    routes: RwLock<Routes>,
}

#[derive(Default)]
struct Routes {
    /// Usually one claimant a path; see [`winner`] for more.
    by_path: HashMap<ReceiverPath, Vec<Arc<Route>>>,
    by_owner: HashMap<Owner, Vec<Arc<Route>>>,
    /// Owners with a receiver whose path is not known, because its Secret cannot be read for the moment.
    unresolved: HashSet<Owner>,
    /// Counts the changes.
    version: u64,
}

/// What a path leads to.
pub enum Found {
    /// A receiver.
    Route(Arc<Route>),
    /// Nothing.
    Nothing,
    /// Unknown: it may be a receiver whose Secret cannot be read for the moment.
    Unresolved,
}

/// What replacing the routes of an owner means.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Replaced {
    /// Receivers of the owner that are not served, because another owner claims their path as well.
    pub clashes: Vec<Clash>,
    /// Other owners that may have lost or gained a path.
    pub affected: HashSet<Owner>,
}

/// A receiver whose path another owner claims as well.
#[derive(Debug, PartialEq, Eq)]
pub struct Clash {
    /// The receiver's name.
    pub receiver: Arc<str>,
    /// The other owner.
    pub with: Owner,
    /// Whether the other one is served.
    pub is_served: bool,
}

impl RouteTable {
    /// An empty table below a base URL.
    #[must_use]
    pub fn new(base: BaseUrl) -> Self {
        Self { base, routes: RwLock::default() }
    }

    /// The public address of the receivers.
    #[must_use]
    pub const fn base(&self) -> &BaseUrl {
        &self.base
    }

    /// Replaces the routes of one owner, which are all it has.
    pub fn replace(&self, owner: &Owner, routes: Vec<Route>) -> Replaced {
        self.replace_as(owner, routes, true)
    }

    /// Replaces the routes of one owner, all at once. One that is not complete may have others, which are not known
    /// yet.
    pub fn replace_as(&self, owner: &Owner, routes: Vec<Route>, is_complete: bool) -> Replaced {
        let routes: Vec<Arc<Route>> = routes.into_iter().map(Arc::new).collect();
        let mut table = self.routes.write();
        let before = table.forget(owner);
        if !is_complete {
            table.unresolved.insert(owner.clone());
        }
        for route in &routes {
            table.by_path.entry(route.path.clone()).or_default().push(Arc::clone(route));
        }
        let after: HashSet<ReceiverPath> = routes.iter().map(|route| route.path.clone()).collect();
        let affected =
            before.symmetric_difference(&after).flat_map(|path| table.others(path, owner)).cloned().collect();
        if !routes.is_empty() {
            table.by_owner.insert(owner.clone(), routes);
        }
        Replaced { clashes: table.clashes(owner), affected }
    }

    /// Ends every route of an owner. Returns the owners that may be served a path in its place.
    pub fn remove(&self, owner: &Owner) -> HashSet<Owner> {
        let mut table = self.routes.write();
        let paths = table.forget(owner);
        paths.iter().flat_map(|path| table.others(path, owner)).cloned().collect()
    }

    /// The routes of an owner, in the order of its configuration, those with a clash included.
    #[must_use]
    pub fn of_owner(&self, owner: &Owner) -> Vec<Arc<Route>> {
        self.routes.read().by_owner.get(owner).cloned().unwrap_or_default()
    }

    /// The receivers of an owner that are not served, because another owner claims their path as well.
    #[must_use]
    pub fn clashes(&self, owner: &Owner) -> Vec<Clash> {
        self.routes.read().clashes(owner)
    }

    /// Finds the route of a recognised path, whether or not it is in force.
    #[must_use]
    pub fn find(&self, path: &ReceiverPath) -> Option<Arc<Route>> {
        self.routes.read().by_path.get(path).and_then(|claimants| winner(claimants)).cloned()
    }

    /// What a recognised path leads to at this time.
    #[must_use]
    pub fn look_up(&self, path: &ReceiverPath, now: Timestamp) -> Found {
        // Under one lock, so that an owner which is resolved right now is either found or still unresolved.
        let table = self.routes.read();
        let route = table.by_path.get(path).and_then(|claimants| winner(claimants));
        match route.filter(|route| route.is_in_force(now)) {
            Some(route) => Found::Route(Arc::clone(route)),
            None if table.unresolved.is_empty() => Found::Nothing,
            None => Found::Unresolved,
        }
    }

    /// How many owners have a receiver whose path is not known yet.
    #[must_use]
    pub fn unresolved(&self) -> usize {
        self.routes.read().unresolved.len()
    }

    /// Another number after every change.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.routes.read().version
    }

    /// Every served route, in no particular order.
    #[must_use]
    pub fn served(&self) -> Vec<Arc<Route>> {
        self.routes.read().by_path.values().filter_map(|claimants| winner(claimants)).cloned().collect()
    }

    /// Every path that has a route, as a sender would call it. They are credentials.
    #[must_use]
    pub fn expose_paths(&self) -> Vec<Zeroizing<String>> {
        self.routes.read().by_path.keys().map(|path| Zeroizing::new(path.expose_path(&self.base))).collect()
    }

    /// The scopes that have a served route.
    #[must_use]
    pub fn scopes(&self) -> HashSet<Scope> {
        let routes = self.routes.read();
        routes.by_path.values().filter_map(|claimants| winner(claimants)).map(|route| route.scope.clone()).collect()
    }

    /// How many routes of each kind are served.
    #[must_use]
    pub fn counts(&self) -> HashMap<ReceiverKind, usize> {
        let mut counts = HashMap::new();
        for claimants in self.routes.read().by_path.values() {
            if let Some(route) = winner(claimants) {
                *counts.entry(route.kind()).or_default() += 1;
            }
        }
        counts
    }
}

/// Who of those that claim one path is served.
///
/// Two owners can claim one path only when project, name and secret of both concatenate to the same bytes. Then neither
/// is served, because the request does not say which is meant. Among Kargo's own kinds it is as in Kargo: a project
/// goes before the cluster, and two projects leave the path to the cluster. Within one owner the order of the spec
/// decides.
fn winner(claimants: &[Arc<Route>]) -> Option<&Arc<Route>> {
    let first = claimants.first()?;
    if claimants.iter().all(|claimant| claimant.owner == first.owner) {
        return Some(first);
    }
    if !claimants.iter().all(|claimant| claimant.owner.is_kargos()) {
        return None;
    }
    let mut projects = claimants.iter().filter(|claimant| claimant.owner != Owner::ClusterConfig);
    match projects.next() {
        Some(project) if projects.all(|claimant| claimant.owner == project.owner) => Some(project),
        _ => claimants.iter().find(|claimant| claimant.owner == Owner::ClusterConfig),
    }
}

impl Routes {
    /// Drops the routes of an owner and returns their paths.
    fn forget(&mut self, owner: &Owner) -> HashSet<ReceiverPath> {
        self.unresolved.remove(owner);
        self.version += 1;
        let mut paths = HashSet::new();
        for route in self.by_owner.remove(owner).unwrap_or_default() {
            if let Some(claimants) = self.by_path.get_mut(&route.path) {
                claimants.retain(|claimant| claimant.owner != *owner);
                if claimants.is_empty() {
                    self.by_path.remove(&route.path);
                }
            }
            paths.insert(route.path.clone());
        }
        paths
    }

    /// The other owners that claim a path.
    fn others<'a>(&'a self, path: &ReceiverPath, owner: &'a Owner) -> impl Iterator<Item = &'a Owner> {
        let claimants = self.by_path.get(path).into_iter().flatten();
        claimants.map(|claimant| &claimant.owner).filter(move |other| *other != owner)
    }

    fn clashes(&self, owner: &Owner) -> Vec<Clash> {
        self.by_owner.get(owner).into_iter().flatten().filter_map(|route| self.clash(route)).collect()
    }

    fn clash(&self, route: &Route) -> Option<Clash> {
        let served = self.by_path.get(&route.path).and_then(|claimants| winner(claimants)).map(|served| &served.owner);
        if served == Some(&route.owner) {
            return None;
        }
        // The order of owners names the ClusterConfig last, which hides no project.
        let with = self.others(&route.path, &route.owner).min()?.clone();
        let is_served = served == Some(&with);
        Some(Clash { receiver: Arc::clone(&route.receiver), with, is_served })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::scope::ObjectKey;
    use crate::domain::secret::Secret;

    fn project(name: &str) -> Owner {
        Owner::ProjectConfig(Arc::from(name))
    }

    fn route(owner: &Owner, receiver: &str, secret: &str) -> Route {
        let (scope, secret) = (owner.scope(), Secret::new(secret.as_bytes().to_vec()));
        let path = ReceiverPath::derive(ReceiverKind::Quay, &scope, receiver, &secret);
        let (receiver, settings) = (Arc::from(receiver), Settings::new(secret));
        Route { path, owner: owner.clone(), scope, receiver, settings, standing: Standing::Current }
    }

    #[test]
    fn a_previous_secret_ends_at_its_time() {
        let until: Timestamp = "2026-12-31T23:59:59Z".parse().unwrap();
        let mut route = route(&project("northwind"), "quay", "old");
        assert!(route.is_in_force(Timestamp::MAX));
        route.standing = Standing::Previous { until: Some(until) };
        assert!(route.is_in_force("2026-12-31T23:59:58Z".parse().unwrap()) && !route.is_in_force(until));
        route.standing = Standing::Previous { until: None };
        assert!(route.is_in_force(Timestamp::MAX));
    }

    fn table() -> RouteTable {
        RouteTable::new(BaseUrl::parse("https://hooks.example.com").unwrap())
    }

    /// Declares one receiver with the secret `s`. Returns whom it clashes with, and whether that one is served.
    fn declare(table: &RouteTable, owner: &Owner, receiver: &str) -> Vec<(String, bool)> {
        let replaced = table.replace(owner, vec![route(owner, receiver, "s")]);
        replaced.clashes.iter().map(|clash| (clash.with.to_string(), clash.is_served)).collect()
    }

    #[test]
    fn a_replaced_secret_ends_the_old_path_in_the_same_step() {
        let (table, owner) = (table(), project("northwind"));
        let (old, new) = (route(&owner, "quay", "old"), route(&owner, "quay", "new"));
        let (old_path, new_path) = (old.path.clone(), new.path.clone());
        table.replace(&owner, vec![old]);
        assert!(table.find(&old_path).is_some());
        table.replace(&owner, vec![new]);
        assert!(table.find(&old_path).is_none());
        assert!(table.find(&new_path).is_some());
        table.remove(&owner);
        assert!(table.find(&new_path).is_none());
        assert!(table.counts().is_empty());
    }

    #[test]
    fn a_path_is_unknown_only_when_every_owner_is_resolved() {
        let (table, [a, b]) = (table(), ["a", "b"].map(project));
        let (known, unknown) = (route(&a, "quay", "s"), route(&b, "quay", "s").path);
        let (path, now) = (known.path.clone(), Timestamp::UNIX_EPOCH);
        table.replace(&a, vec![known]);
        assert!(matches!(table.look_up(&unknown, now), Found::Nothing));
        table.replace_as(&b, vec![], false);
        assert!(matches!(table.look_up(&unknown, now), Found::Unresolved));
        assert!(matches!(table.look_up(&path, now), Found::Route(_)), "it does not matter to what is known");
        table.replace(&b, vec![route(&b, "quay", "s")]);
        assert!(matches!(table.look_up(&unknown, now), Found::Route(_)) && table.unresolved() == 0);
        table.replace_as(&b, vec![], false);
        table.remove(&b);
        assert!(matches!(table.look_up(&unknown, now), Found::Nothing), "an owner that is gone hides nothing");
    }

    #[test]
    fn one_path_claimed_by_two_projects_is_served_for_neither_until_one_gives_it_up() {
        let table = table();
        let (a, ab) = (project("a"), project("ab"));
        let path = route(&a, "bc", "s").path;
        assert_eq!(table.replace(&ab, vec![route(&ab, "c", "s")]), Replaced::default());
        assert_eq!(table.find(&path).unwrap().owner, ab);
        let replaced = table.replace(&a, vec![route(&a, "bc", "s")]);
        assert_eq!(replaced.clashes, [Clash { receiver: "bc".into(), with: ab.clone(), is_served: false }]);
        assert_eq!(replaced.affected, HashSet::from([ab.clone()]));
        assert!(table.find(&path).is_none() && table.counts().is_empty() && table.scopes().is_empty());
        // Looked at again, the other one gets the same result, and a third look is not needed.
        let replaced = table.replace(&ab, vec![route(&ab, "c", "s")]);
        assert_eq!(replaced.clashes, [Clash { receiver: "c".into(), with: a.clone(), is_served: false }]);
        assert!(replaced.affected.is_empty());
        assert_eq!(table.remove(&a), HashSet::from([ab.clone()]));
        assert_eq!(table.find(&path).unwrap().owner, ab);
    }

    #[test]
    fn a_project_goes_before_the_cluster_and_two_projects_leave_the_path_to_it_as_in_kargo() {
        let table = table();
        let (a, ab, cluster) = (project("a"), project("ab"), Owner::ClusterConfig);
        let path = route(&a, "bc", "s").path;
        declare(&table, &cluster, "abc");
        assert!(declare(&table, &a, "bc").is_empty());
        assert_eq!(declare(&table, &cluster, "abc"), [("ProjectConfig a".to_owned(), true)]);
        assert_eq!(table.find(&path).unwrap().owner, a);
        assert_eq!(declare(&table, &ab, "c"), [("ProjectConfig a".to_owned(), false)]);
        assert!(declare(&table, &cluster, "abc").is_empty());
        assert_eq!(table.find(&path).unwrap().owner, cluster);
    }

    #[test]
    fn a_receiver_of_our_own_kinds_clashes_with_every_other_owner() {
        let own = Owner::Receiver(ObjectKey::new("a", "bc"));
        for (other, name) in
            [(project("a"), "bc"), (Owner::ClusterConfig, "abc"), (Owner::ClusterReceiver("abc".into()), "abc")]
        {
            let table = table();
            let path = route(&own, "bc", "s").path;
            declare(&table, &other, name);
            assert_eq!(declare(&table, &own, "bc"), [(other.to_string(), false)]);
            assert_eq!(declare(&table, &other, name), [("Receiver a/bc".to_owned(), false)]);
            assert!(table.find(&path).is_none());
        }
    }
}
