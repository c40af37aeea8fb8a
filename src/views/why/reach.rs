//! Which receivers reach a Warehouse, and what came to them.

use std::sync::Arc;

use crate::domain::scope::Scope;
use crate::journal::record::Record;
use crate::tables::routes::Route;
use crate::views::model::{Call, Calls, Reach, Remark};

/// The receivers of the project and of the cluster, those that reach it first. `calls` knows the last requests to one.
pub(in crate::views) fn reaches(
    routes: &[Arc<Route>],
    remarks: &[Remark],
    namespace: &str,
    calls: impl Fn(&Route) -> Calls,
) -> Vec<Reach> {
    let served = routes.iter().filter_map(|route| {
        let mut reach = reach(route, namespace)?;
        let is_about = |remark: &&Remark| {
            remark.served
                && (&remark.project, &remark.name) == (&reach.project, &reach.name)
                && remark.declared_in == route.owner.kind()
        };
        reach.remark = remarks.iter().find(is_about).map(|remark| remark.message.clone()).unwrap_or_default();
        reach.calls = calls(route);
        Some(reach)
    });
    let not_served =
        remarks.iter().filter(|remark| !remark.served && (remark.project.is_empty() || remark.project == namespace));
    let not_served = not_served.map(|Remark { project, name, message, .. }| Reach {
        project: project.clone(),
        name: name.clone(),
        because: format!("it is not served: {message}"),
        ..Reach::default()
    });
    let mut reaches: Vec<Reach> = served.chain(not_served).collect();
    reaches.sort_by(|a, b| (!a.reaches, &a.project, &a.name, &a.kind).cmp(&(!b.reaches, &b.project, &b.name, &b.kind)));
    // A receiver has a route for its previous secret, too.
    reaches.dedup();
    reaches
}

fn reach(route: &Route, namespace: &str) -> Option<Reach> {
    let because = match &route.scope {
        scope if scope.covers(namespace) => String::new(),
        // Those of other projects are no news for anybody.
        Scope::Project(_) | Scope::Cluster => return None,
        Scope::Projects(_) => {
            format!("its annotations narrow it down to projects without {namespace}")
        }
    };
    let (project, name, reaches) = (route.scope.project().to_owned(), route.receiver.to_string(), because.is_empty());
    Some(Reach { project, name, kind: route.kind().to_string(), reaches, because, ..Reach::default() })
}

/// The last requests to a receiver, given its records and those of its URLs that are no longer served, oldest first.
pub(in crate::views) fn calls(served: &[Record], retired: &[Record]) -> Calls {
    let mut calls = Calls::default();
    let call = |record: &Record| {
        Some(Call { time: record.time, outcome: record.outcome.clone(), message: record.message.clone() })
    };
    for record in served {
        let last = match record.outcome.as_str() {
            "dry_run" => continue,
            "unauthorized" | "invalid_body" | "method_not_allowed" | "too_large" | "too_slow" => &mut calls.refused,
            "ignored" => &mut calls.idle,
            // What was pushed where remains unsaid; a generic receiver does without it.
            "no_match" if record.repositories.total == 0 && record.kind != "generic" => &mut calls.idle,
            _ => &mut calls.useful,
        };
        *last = call(record);
    }
    calls.retired = retired.last().and_then(call);
    calls
}

/// Both lists get the latest requests of either.
pub(super) fn merge_calls(these: &mut [Reach], those: &mut [Reach]) {
    for this in these {
        let is_same =
            |that: &&mut Reach| (&that.project, &that.name, &that.kind) == (&this.project, &this.name, &this.kind);
        let Some(that) = those.iter_mut().find(is_same) else { continue };
        let (mine, other) = (&mut this.calls, &mut that.calls);
        for (mine, other) in [
            (&mut mine.useful, &mut other.useful),
            (&mut mine.idle, &mut other.idle),
            (&mut mine.refused, &mut other.refused),
            (&mut mine.retired, &mut other.retired),
        ] {
            let time = |call: &Option<Call>| call.as_ref().map(|call| call.time);
            if time(mine) < time(other) {
                mine.clone_from(other);
            } else {
                other.clone_from(mine);
            }
        }
    }
}
