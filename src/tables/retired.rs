//! URLs that were served until recently, so that a sender that still calls one can be named.
//!
//! Rotating a secret, or correcting one, changes the URL; a sender that was forgotten then calls a path of nobody. For
//! a day its requests are attributed to the receiver that they meant. They are answered like every unknown path.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

use super::routes::Route;
use crate::domain::kind::ReceiverKind;
use crate::domain::owner::Owner;
use crate::domain::path::ReceiverPath;

/// How long a URL is remembered that is no longer served.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// URLs of one object; one that changes its secrets in a loop forgets its own oldest.
const MOST_OF_OWNER: usize = 16;
/// URLs of all objects.
const MOST: usize = 4096;

/// The receiver that a URL belonged to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meant {
    /// The object that declares or declared it.
    pub owner: Owner,
    /// Its name.
    pub receiver: Arc<str>,
    /// Its kind.
    pub kind: ReceiverKind,
}

impl Meant {
    /// The receiver of a route.
    #[must_use]
    pub fn by(route: &Route) -> Self {
        Self { owner: route.owner.clone(), receiver: Arc::clone(&route.receiver), kind: route.kind() }
    }
}

/// The URLs, the newest last.
#[derive(Default)]
pub struct RetiredUrls(Mutex<Urls>);

#[derive(Default)]
struct Urls {
    by_path: HashMap<ReceiverPath, (Timestamp, Meant)>,
    order: VecDeque<(Timestamp, ReceiverPath)>,
}

impl RetiredUrls {
    /// These routes are no longer served.
    pub fn add<'r>(&self, routes: impl IntoIterator<Item = &'r Route>, now: Timestamp) {
        let mut urls = self.0.lock();
        for route in routes {
            urls.add(route, now);
        }
    }

    /// The receiver that a path belonged to within the last day.
    #[must_use]
    pub fn meant_by(&self, path: &ReceiverPath, now: Timestamp) -> Option<Meant> {
        let urls = self.0.lock();
        let (since, meant) = urls.by_path.get(path)?;
        (now.duration_since(*since) < KEPT).then(|| meant.clone())
    }
}

impl Urls {
    fn add(&mut self, route: &Route, now: Timestamp) {
        let meant = Meant::by(route);
        self.by_path.insert(route.path.clone(), (now, meant.clone()));
        self.order.push_back((now, route.path.clone()));
        let of_owner = self.by_path.values().filter(|(_, other)| other.owner == meant.owner).count();
        if of_owner > MOST_OF_OWNER {
            let oldest = self.order.iter().position(|(_, path)| self.is_of(path, &meant.owner));
            if let Some((since, path)) = oldest.and_then(|at| self.order.remove(at)) {
                self.forget(since, &path);
            }
        }
        while let Some((since, _)) = self.order.front()
            && (self.order.len() > MOST || now.duration_since(*since) >= KEPT)
            && let Some((since, path)) = self.order.pop_front()
        {
            self.forget(since, &path);
        }
    }

    fn is_of(&self, path: &ReceiverPath, owner: &Owner) -> bool {
        self.by_path.get(path).is_some_and(|(_, meant)| meant.owner == *owner)
    }

    /// Forgets a path unless it was added again later.
    fn forget(&mut self, since: Timestamp, path: &ReceiverPath) {
        if self.by_path.get(path).is_some_and(|(at, _)| *at == since) {
            self.by_path.remove(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alias::HostAliases;
    use crate::domain::path::BaseUrl;
    use crate::domain::scope::Scope;
    use crate::domain::secret::Secret;
    use crate::receiver::Settings;
    use crate::tables::Tables;
    use crate::tables::routes::Standing;

    fn route(project: &str, secret: &str) -> Route {
        let owner = Owner::ProjectConfig(project.into());
        let scope = Scope::Project(project.into());
        let secret = Secret::new(secret.as_bytes().to_vec());
        let path = ReceiverPath::derive(ReceiverKind::Quay, &scope, "quay", &secret);
        let settings = Settings::new(secret);
        Route { path, owner, scope, receiver: "quay".into(), settings, standing: Standing::Current }
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_url_is_remembered_for_a_day() {
        let urls = RetiredUrls::default();
        let old = route("northwind", "old");
        urls.add([&old], second(0));
        assert_eq!(urls.meant_by(&old.path, second(86_399)), Some(Meant::by(&old)));
        assert_eq!(urls.meant_by(&old.path, second(86_400)), None);
        assert_eq!(urls.meant_by(&route("northwind", "never").path, second(1)), None);
        urls.add([&route("contoso", "other")], second(90_000));
        assert_eq!(urls.0.lock().by_path.len(), 1, "what is too old takes no room");
    }

    #[test]
    fn a_request_that_came_a_moment_before_its_url_was_served_is_not_taken_for_one_to_an_old_url() {
        let tables = Tables::new(BaseUrl::parse("https://hooks.example.com").unwrap(), HostAliases::default());
        let current = route("northwind", "new");
        let previous = Route { standing: Standing::Previous { until: Some(second(60)) }, ..route("northwind", "old") };
        let (path, old, owner) = (current.path.clone(), previous.path.clone(), current.owner.clone());
        tables.retired.add([&current], second(0));
        assert!(tables.meant_by(&path, second(30)).is_some());
        tables.routes.replace(&owner, vec![current, previous]);
        assert_eq!((tables.meant_by(&path, second(30)), tables.meant_by(&old, second(30))), (None, None));
        assert!(tables.meant_by(&old, second(60)).is_some());
    }

    #[test]
    fn an_object_that_changes_all_the_time_forgets_its_own() {
        let (urls, quiet) = (RetiredUrls::default(), route("quiet", "old"));
        urls.add([&quiet], second(0));
        for count in 0..1000 {
            urls.add([&route("noisy", &count.to_string())], second(count));
        }
        assert!(urls.meant_by(&quiet.path, second(1000)).is_some());
        assert!(urls.meant_by(&route("noisy", "999").path, second(1000)).is_some());
        assert_eq!(urls.0.lock().by_path.len(), 1 + MOST_OF_OWNER);
        assert_eq!(urls.0.lock().order.len(), 1 + MOST_OF_OWNER);
    }

    #[test]
    fn a_url_that_comes_and_goes_counts_from_the_last_time() {
        let (urls, old) = (RetiredUrls::default(), route("northwind", "old"));
        urls.add([&old], second(0));
        urls.add([&old], second(80_000));
        urls.add([&route("contoso", "other")], second(100_000));
        assert!(urls.meant_by(&old.path, second(100_000)).is_some());
    }
}
