//! What the controller knows about each owner: the object as last seen, what came of it, and how often that failed.
//!
//! One map behind one lock, held for moments only. The watches write the objects, the workers the reports. The memory
//! also knows which owners each readiness gate still waits for.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Map, Value};

use super::resolve;
use super::status::Report;
use crate::api::{Entry, EntryError};
use crate::domain::owner::Owner;
use crate::domain::project_filter::ProjectFilter;
use crate::process::readiness::{Gate, Readiness};

/// Pause before the first repetition of something that failed; doubled up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// An object that declares receivers, as a watch reports it.
pub(super) struct Seen<'a> {
    /// `metadata.generation`.
    pub(super) generation: Option<i64>,
    /// The refresh annotation.
    pub(super) refresh: Option<&'a str>,
    /// To which projects it is narrowed down; counts for objects of the cluster.
    pub(super) filter: Result<ProjectFilter, String>,
    /// The text of `spec`.
    pub(super) spec: &'a str,
    /// The text of `status`.
    pub(super) status: &'a str,
}

/// What a resolution needs to know of an object.
pub(super) struct Snapshot {
    pub(super) generation: Option<i64>,
    pub(super) refresh: Option<String>,
    pub(super) filter: Result<ProjectFilter, String>,
    /// The receivers, each decoded on its own.
    pub(super) entries: Vec<Result<Entry, EntryError>>,
}

/// The work that is repeated after a pause when it fails; each has a count of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    /// Reading the Secrets.
    Resolve,
    /// Writing the status.
    Status,
    /// Keeping the status from becoming another: two that write different ones must not do so all day.
    Keep,
}

/// What is new about an object that a watch shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing, or a status that is about to be compared anyway.
    None,
    /// The status alone: a write of ours that is seen before its answer, or another client's, which may have come
    /// between two of ours.
    Status,
    /// What is to be resolved.
    Declaration,
}

/// The memory.
pub(super) struct Memory {
    state: Mutex<State>,
    readiness: Arc<Readiness>,
}

#[derive(Default)]
struct State {
    owners: HashMap<Owner, Known>,
    /// The owners that must be resolved before a gate opens.
    awaited: Vec<(Gate, HashSet<Owner>)>,
}

#[derive(Default)]
struct Known {
    /// `None`: it is gone, and a worker has still to forget it.
    object: Option<Object>,
    report: Option<Arc<Report>>,
    failures: [u32; 3],
    /// The status has become another and is about to be compared.
    is_suspect: bool,
}

/// Spec and status are kept as texts, which take less than what is decoded from them and are read now and then only.
pub(super) struct Object {
    generation: Option<i64>,
    refresh: Option<String>,
    pub(super) filter: Result<ProjectFilter, String>,
    spec: Arc<str>,
    status: Arc<str>,
}

impl Object {
    fn is_same(&self, seen: &Seen<'_>) -> bool {
        // A generation of none is an API server that does not count; then every event is looked at.
        let is_counted = seen.generation.is_some() && self.generation == seen.generation;
        is_counted && self.refresh.as_deref() == seen.refresh && self.filter == seen.filter
    }
}

impl Memory {
    pub(super) fn new(readiness: Arc<Readiness>) -> Self {
        Self { state: Mutex::default(), readiness }
    }

    /// An object was listed, added or changed.
    pub(super) fn apply(&self, owner: &Owner, seen: Seen<'_>) -> Change {
        let mut state = self.state.lock();
        let known = state.owners.entry(owner.clone()).or_default();
        if let Some(object) = known.object.as_mut().filter(|object| object.is_same(&seen)) {
            if *object.status == *seen.status {
                return Change::None;
            }
            object.status = Arc::from(seen.status);
            let was_suspect = std::mem::replace(&mut known.is_suspect, true);
            return if was_suspect { Change::None } else { Change::Status };
        }
        let Seen { generation, refresh, filter, spec, status } = seen;
        let (spec, status, refresh) = (Arc::from(spec), Arc::from(status), refresh.map(str::to_owned));
        known.object = Some(Object { generation, refresh, filter, spec, status });
        Change::Declaration
    }

    /// An object is gone.
    pub(super) fn remove(&self, owner: &Owner) {
        if let Some(known) = self.state.lock().owners.get_mut(owner) {
            known.object = None;
        }
    }

    /// The owners whose objects are there.
    pub(super) fn owners(&self, is_wanted: impl Fn(&Owner, &Object) -> bool) -> HashSet<Owner> {
        let state = self.state.lock();
        let wanted = state
            .owners
            .iter()
            .filter(|(owner, known)| known.object.as_ref().is_some_and(|object| is_wanted(owner, object)));
        wanted.map(|(owner, _)| owner.clone()).collect()
    }

    /// The owners that have a report.
    pub(super) fn reported(&self) -> Vec<Owner> {
        let state = self.state.lock();
        state.owners.iter().filter(|(_, known)| known.report.is_some()).map(|(owner, _)| owner.clone()).collect()
    }

    /// The first complete list behind a gate: it opens when none of its objects is unresolved any more.
    pub(super) fn listed(&self, gate: Gate, is_behind: impl Fn(&Owner) -> bool) {
        if self.readiness.is_open(gate) {
            return;
        }
        let mut state = self.state.lock();
        let unresolved = state
            .owners
            .iter()
            .filter(|(owner, known)| is_behind(owner) && known.object.is_some() && known.report.is_none());
        let owners = unresolved.map(|(owner, _)| owner.clone()).collect();
        state.wait_for(gate, owners);
        self.open(state);
    }

    /// A gate opens when these owners, which are about to be resolved again, have been.
    pub(super) fn wait_for(&self, gate: Gate, owners: HashSet<Owner>) {
        let mut state = self.state.lock();
        state.wait_for(gate, owners);
        self.open(state);
    }

    /// What a resolution needs to know; `None` when the object is gone.
    pub(super) fn snapshot(&self, owner: &Owner) -> Option<Snapshot> {
        let state = self.state.lock();
        let object = state.owners.get(owner)?.object.as_ref()?;
        let (spec, generation) = (Arc::clone(&object.spec), object.generation);
        let (refresh, filter) = (object.refresh.clone(), object.filter.clone());
        drop(state);
        // Outside the lock, because a spec may be long.
        let entries = match serde_json::from_str::<Value>(&spec) {
            Ok(spec) => resolve::declared(owner, &spec),
            Err(_) => vec![Err(EntryError { index: 0, name: None, cause: "spec is nested too deeply".to_owned() })],
        };
        Some(Snapshot { generation, refresh, filter, entries })
    }

    /// An owner was resolved; `counts_for` says for which gates.
    pub(super) fn resolved(&self, owner: &Owner, report: Report, counts_for: impl Fn(Gate) -> bool) {
        let mut state = self.state.lock();
        if let Some(known) = state.owners.get_mut(owner) {
            known.report = Some(Arc::new(report));
        }
        state.release(owner, counts_for);
        self.open(state);
    }

    /// An owner that cannot be resolved at all: no gate waits for it any more.
    pub(super) fn pass_over(&self, owner: &Owner) {
        let mut state = self.state.lock();
        state.release(owner, |_| true);
        self.open(state);
    }

    /// Forgets an owner whose object is gone; one that is there again stays.
    pub(super) fn forget(&self, owner: &Owner) {
        let mut state = self.state.lock();
        if state.owners.get(owner).is_some_and(|known| known.object.is_none()) {
            state.owners.remove(owner);
        }
        state.release(owner, |_| true);
        self.open(state);
    }

    /// What the status should say and what it says, to be compared now.
    pub(super) fn status(&self, owner: &Owner) -> Option<(Arc<Report>, Arc<str>)> {
        let mut state = self.state.lock();
        let known = state.owners.get_mut(owner)?;
        known.is_suspect = false;
        Some((Arc::clone(known.report.as_ref()?), Arc::clone(&known.object.as_ref()?.status)))
    }

    /// A status that said `before` was patched. Until a watch shows it, it counts as saying the result, so that the
    /// same patch is not written again.
    pub(super) fn wrote(&self, owner: &Owner, before: &Arc<str>, patch: &Value) {
        let after = patched(before, patch);
        let mut state = self.state.lock();
        let object = state.owners.get_mut(owner).and_then(|known| known.object.as_mut());
        // A watch that was quicker has shown more than this one write.
        if let Some(object) = object.filter(|object| Arc::ptr_eq(&object.status, before)) {
            object.status = after;
        }
    }

    /// Counts a failure. Returns the pause before the next attempt.
    pub(super) fn failed(&self, owner: &Owner, attempt: Attempt) -> Duration {
        let mut state = self.state.lock();
        let Some(known) = state.owners.get_mut(owner) else {
            return FIRST_PAUSE;
        };
        let count = &mut known.failures[attempt as usize];
        let pause = FIRST_PAUSE.saturating_mul(1 << (*count).min(10)).min(LONGEST_PAUSE);
        *count = count.saturating_add(1);
        pause
    }

    /// Clears the count of failures.
    pub(super) fn succeeded(&self, owner: &Owner, attempt: Attempt) {
        if let Some(known) = self.state.lock().owners.get_mut(owner) {
            known.failures[attempt as usize] = 0;
        }
    }

    /// Opens the gates that wait for nothing any more, with the lock released.
    fn open(&self, mut state: parking_lot::MutexGuard<'_, State>) {
        let open: Vec<Gate> =
            state.awaited.extract_if(.., |(_, owners)| owners.is_empty()).map(|(gate, _)| gate).collect();
        drop(state);
        open.into_iter().for_each(|gate| self.readiness.open(gate));
    }
}

/// A status after a merge patch whose members are whole.
fn patched(status: &str, patch: &Value) -> Arc<str> {
    let mut status: Map<String, Value> = serde_json::from_str(status).unwrap_or_default();
    for (member, value) in patch["status"].as_object().into_iter().flatten() {
        if value.is_null() {
            status.remove(member);
        } else {
            status.insert(member.clone(), value.clone());
        }
    }
    Value::Object(status).to_string().into()
}

impl State {
    fn wait_for(&mut self, gate: Gate, owners: HashSet<Owner>) {
        self.awaited.retain(|(other, _)| *other != gate);
        self.awaited.push((gate, owners));
    }

    fn release(&mut self, owner: &Owner, counts_for: impl Fn(Gate) -> bool) {
        for (gate, owners) in &mut self.awaited {
            if counts_for(*gate) {
                owners.remove(owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn owner(name: &str) -> Owner {
        Owner::ProjectConfig(Arc::from(name))
    }

    fn seen(generation: Option<i64>) -> Seen<'static> {
        let filter = Ok(ProjectFilter::default());
        Seen { generation, refresh: None, filter, spec: r#"{"webhookReceivers":[{"name":"a"}]}"#, status: "null" }
    }

    fn memory() -> (Memory, Arc<Readiness>) {
        let readiness = Arc::new(Readiness::default());
        (Memory::new(Arc::clone(&readiness)), readiness)
    }

    #[test]
    fn only_a_change_of_generation_annotation_or_narrowing_is_resolved_again_and_the_status_is_kept() {
        let (memory, a) = (memory().0, owner("a"));
        assert_eq!(memory.apply(&a, seen(Some(1))), Change::Declaration);
        assert_eq!(memory.snapshot(&a).unwrap().entries.len(), 1);
        assert_eq!(memory.apply(&a, Seen { status: "{}", spec: "not read", ..seen(Some(1)) }), Change::Status);
        memory.resolved(&a, Report::default(), |_| true);
        assert_eq!(&*memory.status(&a).unwrap().1, "{}");
        let is_resolved = |seen| memory.apply(&a, seen) == Change::Declaration;
        assert!(is_resolved(Seen { refresh: Some("now"), ..seen(Some(1)) }));
        assert!(is_resolved(seen(Some(1))), "the annotation was removed");
        assert!(is_resolved(Seen { filter: Err("odd".to_owned()), ..seen(Some(1)) }));
        assert!(is_resolved(seen(Some(2))));
        assert!(is_resolved(seen(None)) && is_resolved(seen(None)), "an API server that does not count");
    }

    #[test]
    fn a_status_that_becomes_another_is_compared_once_however_often_it_changes() {
        let (memory, a) = (memory().0, owner("a"));
        memory.apply(&a, seen(Some(1)));
        memory.resolved(&a, Report::default(), |_| true);
        let shows = |status| memory.apply(&a, Seen { status, ..seen(Some(1)) });
        assert_eq!(shows("null"), Change::None, "it is as it was");
        assert_eq!([shows("{}"), shows(r#"{"a":1}"#)], [Change::Status, Change::None]);
        let before = memory.status(&a).unwrap().1;
        memory.wrote(&a, &before, &json!({"status": {"a": 2}}));
        assert_eq!(shows(r#"{"a":2}"#), Change::None, "our own write");
        assert_eq!(shows(r#"{"a":1}"#), Change::Status, "an earlier one that came later");
    }

    #[test]
    fn a_status_counts_as_written_until_a_watch_shows_it_and_not_over_what_it_has_shown() {
        let (memory, a) = (memory().0, owner("a"));
        memory.apply(&a, Seen { status: r#"{"a":1,"b":2}"#, ..seen(Some(1)) });
        memory.resolved(&a, Report::default(), |_| true);
        let status = || memory.status(&a).unwrap().1;
        let before = status();
        memory.wrote(&a, &before, &json!({"status": {"b": null, "c": 3}}));
        assert_eq!(&*status(), r#"{"a":1,"c":3}"#);
        memory.wrote(&a, &before, &json!({"status": {"c": 4}}));
        assert_eq!(&*status(), r#"{"a":1,"c":3}"#, "it no longer says what was patched");
        memory.apply(&a, Seen { status: r#"{"a":5}"#, ..seen(Some(1)) });
        assert_eq!(&*status(), r#"{"a":5}"#);
    }

    #[test]
    fn a_gate_opens_when_every_object_of_the_first_list_is_resolved_or_gone() {
        let ((memory, readiness), [a, b, c]) = (memory(), ["a", "b", "c"].map(owner));
        for owner in [&a, &b, &c] {
            memory.apply(owner, seen(Some(1)));
        }
        memory.resolved(&a, Report::default(), |_| true);
        memory.listed(Gate::ProjectConfigs, |_| true);
        assert!(!readiness.is_open(Gate::ProjectConfigs));
        memory.resolved(&b, Report::default(), |_| true);
        assert!(!readiness.is_open(Gate::ProjectConfigs));
        memory.remove(&c);
        memory.forget(&c);
        assert!(readiness.is_open(Gate::ProjectConfigs));
        memory.apply(&c, seen(Some(1)));
        memory.listed(Gate::Namespaces, |_| true);
        assert!(!readiness.is_open(Gate::Namespaces));
        memory.pass_over(&c);
        assert!(readiness.is_open(Gate::Namespaces), "one that makes its worker panic is not waited for");
        memory.listed(Gate::Receivers, |owner| matches!(owner, Owner::Receiver(_)));
        assert!(readiness.is_open(Gate::Receivers), "there is none");
    }

    #[test]
    fn a_gate_that_waits_for_a_second_look_does_not_count_the_first() {
        let ((memory, readiness), a) = (memory(), owner("a"));
        memory.apply(&a, seen(Some(1)));
        memory.wait_for(Gate::Namespaces, memory.owners(|_, _| true));
        // A look that had begun before the namespaces were listed.
        memory.resolved(&a, Report::default(), |gate| gate != Gate::Namespaces);
        assert!(!readiness.is_open(Gate::Namespaces));
        memory.resolved(&a, Report::default(), |_| true);
        assert!(readiness.is_open(Gate::Namespaces));
    }

    #[test]
    fn an_object_that_is_there_again_before_it_was_forgotten_stays() {
        let (memory, a) = (memory().0, owner("a"));
        memory.apply(&a, seen(Some(1)));
        memory.remove(&a);
        assert!(memory.snapshot(&a).is_none() && memory.owners(|_, _| true).is_empty());
        let there_again = memory.apply(&a, seen(Some(1)));
        assert_eq!(there_again, Change::Declaration, "it may be another object with the same generation");
        memory.forget(&a);
        assert!(memory.snapshot(&a).is_some());
        memory.remove(&a);
        memory.forget(&a);
        assert!(memory.state.lock().owners.is_empty());
    }

    #[test]
    fn pauses_double_up_to_a_minute_each_attempt_has_its_own_and_success_makes_them_short_again() {
        let (memory, a) = (memory().0, owner("a"));
        memory.apply(&a, seen(Some(1)));
        let pauses: Vec<u64> = (0..9).map(|_| memory.failed(&a, Attempt::Status).as_millis() as u64).collect();
        assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000]);
        assert_eq!(memory.failed(&a, Attempt::Resolve), FIRST_PAUSE);
        memory.succeeded(&a, Attempt::Status);
        assert_eq!(memory.failed(&a, Attempt::Status), FIRST_PAUSE);
        assert_eq!(memory.failed(&a, Attempt::Resolve), FIRST_PAUSE * 2);
    }
}
