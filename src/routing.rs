//! The table of served receivers: path → route.
//!
//! Written by the controller when a configuration or Secret changes, read by every request. Routes come from spec and
//! Secret, never from a status, so a wrong status cannot misroute a request.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::RwLock;

use crate::domain::kind::ReceiverKind;
use crate::domain::path::{BaseUrl, ReceiverPath};
use crate::domain::scope::Scope;
use crate::receiver::Settings;

/// A receiver that is served.
pub struct Route {
    /// Kind and digest: the credential.
    pub path: ReceiverPath,
    /// What the receiver may refresh. It also names the owner: a project has one `ProjectConfig`, the cluster one
    /// `ClusterConfig`.
    pub scope: Scope,
    /// The receiver's name in its configuration.
    pub receiver: Arc<str>,
    /// What else it is configured with.
    pub settings: Settings,
}

impl Route {
    /// The receiver's kind.
    #[must_use]
    pub fn kind(&self) -> ReceiverKind {
        self.path.kind()
    }
}

/// All routes, and the base URL they hang below.
pub struct RouteTable {
    base: BaseUrl,
    routes: RwLock<Routes>,
}

#[derive(Default)]
struct Routes {
    /// Usually one claimant a path. Two receivers can claim one path only when project, name and secret of both
    /// concatenate to the same bytes; then the first in order (projects before the cluster, by name) is served.
    by_path: HashMap<ReceiverPath, Vec<Arc<Route>>>,
    by_scope: HashMap<Scope, Vec<Arc<Route>>>,
}

/// What replacing the routes of a scope means for others.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Replaced {
    /// Receivers of the scope whose path another scope holds with precedence.
    pub clashes: Vec<Arc<str>>,
    /// Other scopes that lost or gained a path.
    pub affected: HashSet<Scope>,
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

    /// Replaces the routes of one scope, all at once.
    pub fn replace(&self, scope: &Scope, routes: Vec<Route>) -> Replaced {
        let routes: Vec<Arc<Route>> = routes.into_iter().map(Arc::new).collect();
        let mut table = self.routes.write();
        let mut affected = table.forget(scope);
        let mut clashes = Vec::new();
        for route in &routes {
            let claimants = table.by_path.entry(route.path.clone()).or_default();
            let before = claimants.first().map(|first| first.scope.clone());
            claimants.push(Arc::clone(route));
            // Stable: within one scope the order of the spec stays.
            claimants.sort_by(|a, b| a.scope.cmp(&b.scope));
            let first = &claimants[0].scope;
            if first != scope {
                clashes.push(Arc::clone(&route.receiver));
            } else if let Some(displaced) = before.filter(|before| before != scope) {
                affected.insert(displaced);
            }
        }
        if !routes.is_empty() {
            table.by_scope.insert(scope.clone(), routes);
        }
        Replaced { clashes, affected }
    }

    /// Ends every route of a scope. Returns the scopes that are served a path in its place.
    pub fn remove(&self, scope: &Scope) -> HashSet<Scope> {
        self.routes.write().forget(scope)
    }

    /// The served routes of a scope, in the order of its configuration.
    #[must_use]
    pub fn of_scope(&self, scope: &Scope) -> Vec<Arc<Route>> {
        self.routes.read().by_scope.get(scope).cloned().unwrap_or_default()
    }

    /// Finds the route of a recognised path.
    #[must_use]
    pub fn find(&self, path: &ReceiverPath) -> Option<Arc<Route>> {
        self.routes.read().by_path.get(path).and_then(|claimants| claimants.first()).cloned()
    }

    /// The scopes that have a served route.
    #[must_use]
    pub fn scopes(&self) -> HashSet<Scope> {
        let routes = self.routes.read();
        routes.by_path.values().filter_map(|claimants| claimants.first()).map(|route| route.scope.clone()).collect()
    }

    /// How many routes of each kind are served.
    #[must_use]
    pub fn counts(&self) -> HashMap<ReceiverKind, usize> {
        let mut counts = HashMap::new();
        for path in self.routes.read().by_path.keys() {
            *counts.entry(path.kind()).or_default() += 1;
        }
        counts
    }
}

impl Routes {
    /// Drops the routes of a scope. Returns the scopes that come first now on a path where this one did.
    fn forget(&mut self, scope: &Scope) -> HashSet<Scope> {
        let mut successors = HashSet::new();
        for route in self.by_scope.remove(scope).unwrap_or_default() {
            let Some(claimants) = self.by_path.get_mut(&route.path) else {
                continue;
            };
            let came_first = claimants.first().is_some_and(|first| first.scope == *scope);
            claimants.retain(|claimant| claimant.scope != *scope);
            match claimants.first() {
                Some(next) if came_first => drop(successors.insert(next.scope.clone())),
                Some(_) => {}
                None => drop(self.by_path.remove(&route.path)),
            }
        }
        successors
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::Secret;

    fn project(name: &str) -> Scope {
        Scope::Project(Arc::from(name))
    }

    fn route(scope: &Scope, receiver: &str, secret: &str) -> Route {
        let secret = Secret::new(secret.as_bytes().to_vec());
        let path = ReceiverPath::derive(ReceiverKind::Quay, scope, receiver, &secret);
        Route { path, scope: scope.clone(), receiver: Arc::from(receiver), settings: Settings::new(secret) }
    }

    fn table() -> RouteTable {
        RouteTable::new(BaseUrl::parse("https://hooks.example.com").unwrap())
    }

    #[test]
    fn a_replaced_secret_ends_the_old_path_in_the_same_step() {
        let (table, scope) = (table(), project("northwind"));
        let (old, new) = (route(&scope, "quay", "old"), route(&scope, "quay", "new"));
        let (old_path, new_path) = (old.path.clone(), new.path.clone());
        table.replace(&scope, vec![old]);
        assert!(table.find(&old_path).is_some());
        table.replace(&scope, vec![new]);
        assert!(table.find(&old_path).is_none());
        assert!(table.find(&new_path).is_some());
        table.remove(&scope);
        assert!(table.find(&new_path).is_none());
        assert!(table.counts().is_empty());
    }

    #[test]
    fn one_path_claimed_by_two_projects_is_served_for_the_first_and_reported_to_the_second() {
        let table = table();
        let (a, ab) = (project("a"), project("ab"));
        assert_eq!(table.replace(&ab, vec![route(&ab, "c", "s")]), Replaced::default());
        let taken = route(&a, "bc", "s").path;
        let displacing = table.replace(&a, vec![route(&a, "bc", "s")]);
        assert_eq!((displacing.clashes.len(), displacing.affected), (0, HashSet::from([ab.clone()])));
        assert_eq!(table.find(&taken).unwrap().scope, a);
        assert_eq!(table.scopes(), HashSet::from([a.clone()]));
        let displaced = table.replace(&ab, vec![route(&ab, "c", "s")]);
        assert_eq!((displaced.clashes.len(), displaced.affected.len()), (1, 0));
        assert_eq!(table.remove(&a), HashSet::from([ab.clone()]));
        assert_eq!(table.find(&taken).unwrap().scope, ab);
        assert_eq!(table.scopes(), HashSet::from([ab]));
    }

    #[test]
    fn a_project_goes_before_the_cluster() {
        let table = table();
        let scope = project("northwind");
        table.replace(&Scope::Cluster, vec![route(&Scope::Cluster, "northwindquay", "s")]);
        table.replace(&scope, vec![route(&scope, "quay", "s")]);
        let path = route(&scope, "quay", "s").path;
        assert_eq!(table.find(&path).unwrap().scope, scope);
    }
}
