//! Narrows the receivers of an object of the cluster down to the projects that its annotations say.

use std::collections::BTreeMap;

use super::{Declaration, Problem, Reason, Resolution};
use crate::domain::criterion::Labels;
use crate::domain::scope::Scope;
use crate::tables::routes::Standing;

/// When the annotations cannot be read, none is served: what was meant to reach little must not reach everything.
pub(super) fn narrow(
    resolution: &mut Resolution,
    declaration: &Declaration<'_>,
    namespaces: impl FnOnce() -> BTreeMap<Box<str>, Labels>,
) {
    if declaration.owner.scope() != Scope::Cluster {
        return;
    }
    match declaration.filter {
        Ok(filter) if filter.is_all() => {}
        Ok(filter) => {
            let scope = filter.scope(&namespaces());
            resolution.routes.iter_mut().for_each(|route| route.scope = scope.clone());
        }
        Err(cause) => {
            let routes = std::mem::take(&mut resolution.routes);
            let current = routes.iter().filter(|route| route.standing == Standing::Current);
            let problems = current.map(|route| Problem::new(&route.receiver, Reason::InvalidScope, cause.clone()));
            resolution.problems.extend(problems);
        }
    }
}
