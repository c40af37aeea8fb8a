//! What becomes of a definition, and whether that is well.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt;
use serde::Serialize;

use super::change::{Change, Danger};
use super::compare::{changes, dangers, is_served};
use super::owner::Owner;
use crate::api;
use crate::views::model::Verdict;

/// What becomes of a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// It is not there, and would be installed.
    New,
    Same,
    Changed,
    /// It is Kargo's own and stays as it is.
    Kept,
}

/// What the API server says to the change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "outcome", content = "message")]
pub(super) enum DryRun {
    NotNeeded,
    Accepted,
    Refused(String),
    NotTried(String),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub(super) name: String,
    pub(super) state: State,
    pub(super) verdict: Verdict,
    pub(super) owner: Option<Owner>,
    pub(super) changes: Vec<Change>,
    pub(super) dangers: Vec<Danger>,
    pub(super) dry_run: DryRun,
    /// What brings the change about.
    pub(super) brought_by: String,
}

/// The report without the API server's opinion.
pub(super) fn report(old: Option<&CustomResourceDefinition>, new: &CustomResourceDefinition) -> Report {
    let mut report = Report {
        name: new.name_any(),
        state: State::New,
        verdict: Verdict::Warning,
        owner: old.map(Owner::of),
        changes: Vec::new(),
        dangers: Vec::new(),
        dry_run: DryRun::NotNeeded,
        brought_by: String::new(),
    };
    let (Some(old), Some(owner)) = (old, &report.owner) else {
        report.brought_by = format!("the chart with crds.install, or: {}", by_hand(new));
        return report;
    };
    if owner.is_kargo {
        report.state = State::Kept;
        if !is_served(old) {
            report.dangers.push(Danger {
                message: format!("{} is not served", api::VERSION),
                remedy: "Run a version of Quayside that fits this version of Kargo.".to_owned(),
            });
        }
    } else {
        report.changes = changes(old, new);
        report.dangers = dangers(old, new, &report.changes);
        report.state = if report.changes.is_empty() { State::Same } else { State::Changed };
        report.brought_by = match report.state {
            State::Changed if owner.is_our_release => format!("helm upgrade of the release {}", owner.release),
            State::Changed => format!("{} (the chart changes only what its own release installed)", by_hand(new)),
            _ => String::new(),
        };
    }
    report.verdict = match report.state {
        _ if !report.dangers.is_empty() => Verdict::Failed,
        State::New | State::Changed => Verdict::Warning,
        State::Same | State::Kept => Verdict::Passed,
    };
    report
}

fn by_hand(new: &CustomResourceDefinition) -> String {
    let own = if new.spec.group == api::OWN_GROUP { " --own" } else { "" };
    format!("quayside crd{own} | kubectl apply --server-side --force-conflicts -f -")
}

impl Report {
    /// Takes the API server's opinion in.
    pub(super) fn tried(&mut self, dry_run: DryRun) {
        if matches!(dry_run, DryRun::Refused(_)) {
            self.verdict = Verdict::Failed;
        }
        self.dry_run = dry_run;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(edit: impl FnOnce(&mut CustomResourceDefinition)) -> Report {
        let new = api::crds().remove(2);
        assert_eq!(new.name_any(), "warehouses.kargo.akuity.io");
        let mut old = new.clone();
        edit(&mut old);
        report(Some(&old), &new)
    }

    #[test]
    fn a_definition_of_kargo_is_left_alone_as_long_as_quayside_can_read_it() {
        let of_kargo = |old: &mut CustomResourceDefinition| {
            old.annotations_mut().insert("controller-gen.kubebuilder.io/version".to_owned(), "v0.18.0".to_owned());
            old.spec.versions[0].additional_printer_columns = None;
        };
        let kept = of(of_kargo);
        assert_eq!((kept.state, kept.verdict, kept.changes.len()), (State::Kept, Verdict::Passed, 0));
        let unread = of(|old| {
            of_kargo(old);
            "v1beta1".clone_into(&mut old.spec.versions[0].name);
        });
        assert_eq!((unread.state, unread.verdict), (State::Kept, Verdict::Failed));
        assert_eq!(unread.dangers[0].message, "v1alpha1 is not served");
    }

    #[test]
    fn each_state_has_its_verdict_and_says_what_brings_the_change() {
        let new = report(None, &api::crds()[3]);
        assert_eq!((new.state, new.verdict), (State::New, Verdict::Warning));
        assert!(new.brought_by.contains("quayside crd --own | kubectl apply"), "{new:?}");
        let same = of(|_| {});
        assert_eq!((same.state, same.verdict, same.brought_by.as_str()), (State::Same, Verdict::Passed, ""));
        let mut changed = of(|old| old.spec.versions[0].additional_printer_columns = None);
        assert_eq!((changed.state, changed.verdict), (State::Changed, Verdict::Warning));
        changed.tried(DryRun::NotTried("you may not update CustomResourceDefinitions".to_owned()));
        assert_eq!(changed.verdict, Verdict::Warning);
        changed.tried(DryRun::Refused("invalid".to_owned()));
        assert_eq!(changed.verdict, Verdict::Failed);
    }

    /// A version that is stored and unknown to us is dangerous also where nothing else differs.
    #[test]
    fn a_danger_is_a_failure_whatever_changes() {
        let report = of(|old| {
            old.status = Some(serde_json::from_value(serde_json::json!({"storedVersions": ["v1beta1"]})).unwrap());
        });
        assert_eq!((report.state, report.verdict), (State::Same, Verdict::Failed));
    }
}
