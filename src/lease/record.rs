//! What the Lease object says, and how it is written: the one place that knows its fields.
//!
//! Owns the translation only. It decides nothing, and leaves alone what others put into the object.

use std::sync::Arc;
use std::time::Duration;

use jiff::{Timestamp, Unit};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

use super::members::{Note, Notes};

/// The Lease has this name, in the namespace that is configured.
pub const LEASE_NAME: &str = "quayside";
/// Since when no replica had lived, while the catch-up for that time is unfinished: RFC 3339.
pub const CATCH_UP_SINCE: &str = "quayside.dev/catch-up-since";
/// The last Warehouse, in their order, that the unfinished catch-up is done with.
pub const CATCH_UP_AT: &str = "quayside.dev/catch-up-at";

/// Since when the times without a replica are added up that were too short for a catch-up: RFC 3339.
pub const DOWN_SINCE: &str = "quayside.dev/downtime-since";
/// The sum of these times, in milliseconds.
pub const DOWN_MILLIS: &str = "quayside.dev/downtime-milliseconds";
/// The note of each replica stands under this, followed by the name of its spool: a time in RFC 3339, and "owes" if it
/// does.
pub const NOTE: &str = "replica.quayside.dev/";
const OWES: &str = " owes";

/// The content of the Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// `metadata.resourceVersion`; `None` for one that is to be created.
    pub version: Option<Arc<str>>,
    /// Who leads; `None` when it was released.
    pub holder: Option<Arc<str>>,
    /// For how long after a renewal no other replica may lead.
    pub duration: Duration,
    /// When the holder began to lead.
    pub acquired: Option<Timestamp>,
    /// When the holder last renewed or released: then a replica lived.
    pub renewed: Option<Timestamp>,
    /// How often the holder has changed.
    pub transitions: i32,
    /// A catch-up that is due or under way.
    pub catch_up: Option<Missed>,
    /// Short times without a replica, for which no catch-up has been due yet.
    pub downtime: Option<Downtime>,
    /// What the replicas say of themselves.
    pub notes: Notes,
}

/// Times without a replica, added up: a process that crashes again and again is away for long, although never at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Downtime {
    /// The begin of the first.
    pub since: Timestamp,
    /// How long all of them were.
    pub total: Duration,
}

/// Pushes may have been missed while no replica lived, and are to be made good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    /// When a replica had lived last.
    pub since: Timestamp,
    /// The last Warehouse, in their order, that was refreshed; `None` before the first.
    pub at: Option<Arc<str>>,
}

impl Record {
    /// Reads the object. Fields that are absent or make no sense are as in a Lease that was just released.
    #[must_use]
    pub fn read(lease: &Lease) -> Self {
        let spec = lease.spec.clone().unwrap_or_default();
        let annotation = |key: &str| lease.metadata.annotations.as_ref().and_then(|all| all.get(key));
        let since = annotation(CATCH_UP_SINCE).and_then(|text| text.parse().ok());
        let at = annotation(CATCH_UP_AT).map(|at| Arc::from(at.as_str()));
        let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        Self {
            version: lease.metadata.resource_version.as_deref().map(Arc::from),
            holder: spec.holder_identity.filter(|holder| !holder.is_empty()).map(Arc::from),
            duration: Duration::from_secs(seconds.unwrap_or_default()),
            acquired: spec.acquire_time.map(|time| time.0),
            renewed: spec.renew_time.map(|time| time.0),
            transitions: spec.lease_transitions.unwrap_or_default(),
            catch_up: since.map(|since| Missed { since, at }),
            downtime: annotation(DOWN_SINCE).and_then(|text| text.parse().ok()).and_then(|since| {
                let total = Duration::from_millis(annotation(DOWN_MILLIS)?.parse().ok()?);
                Some(Downtime { since, total })
            }),
            notes: lease.metadata.annotations.iter().flatten().filter_map(read_note).collect(),
        }
    }

    /// The object that says this, made from the one that was read last, so that whatever is not ours stays.
    #[must_use]
    pub fn write(&self, last: Option<&Lease>) -> Lease {
        let mut lease = last.cloned().unwrap_or_default();
        lease.metadata.name = Some(LEASE_NAME.to_owned());
        lease.metadata.resource_version = self.version.as_deref().map(str::to_owned);
        let annotations = lease.metadata.annotations.get_or_insert_default();
        let is_ours = |key: &str| [CATCH_UP_SINCE, CATCH_UP_AT, DOWN_SINCE, DOWN_MILLIS].contains(&key);
        annotations.retain(|key, _| !is_ours(key) && !key.starts_with(NOTE));
        if let Some(Downtime { since, total }) = self.downtime {
            annotations.insert(DOWN_SINCE.to_owned(), since.to_string());
            annotations.insert(DOWN_MILLIS.to_owned(), total.as_millis().to_string());
        }
        for (id, Note { at, owes }) in &self.notes {
            let owes = if *owes { OWES } else { "" };
            annotations.insert(format!("{NOTE}{id}"), format!("{at}{owes}"));
        }
        if let Some(Missed { since, at }) = &self.catch_up {
            annotations.insert(CATCH_UP_SINCE.to_owned(), since.to_string());
            annotations.extend(at.iter().map(|at| (CATCH_UP_AT.to_owned(), at.as_ref().to_owned())));
        }
        let spec = lease.spec.get_or_insert_default();
        spec.holder_identity = Some(self.holder.as_deref().unwrap_or_default().to_owned());
        spec.lease_duration_seconds = Some(i32::try_from(self.duration.as_secs()).unwrap_or(i32::MAX));
        spec.acquire_time = self.acquired.map(MicroTime);
        spec.renew_time = self.renewed.map(MicroTime);
        spec.lease_transitions = Some(self.transitions);
        lease
    }
}

/// A note that makes no sense is left out, and then written anew by its replica.
fn read_note((key, text): (&String, &String)) -> Option<(Arc<str>, Note)> {
    let id = key.strip_prefix(NOTE)?;
    let (at, owes) = text.strip_suffix(OWES).map_or((text.as_str(), false), |at| (at, true));
    Some((Arc::from(id), Note { at: at.parse().ok()?, owes }))
}

/// A time as the Lease can hold it: in microseconds.
#[must_use]
pub fn microseconds(time: Timestamp) -> Timestamp {
    // Only a time at the end of the calendar cannot be rounded.
    time.round(Unit::Microsecond).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn record() -> Record {
        Record {
            version: Some(Arc::from("7")),
            holder: Some(Arc::from("quayside-abc_1")),
            duration: Duration::from_secs(15),
            acquired: Some("2026-08-21T17:51:41.000001Z".parse().unwrap()),
            renewed: Some("2026-08-21T17:52:41.000002Z".parse().unwrap()),
            transitions: 3,
            catch_up: Some(Missed {
                since: "2026-08-20T00:00:00Z".parse().unwrap(),
                at: Some(Arc::from("northwind/storefront")),
            }),
            downtime: Some(Downtime {
                since: "2026-08-20T00:00:00Z".parse().unwrap(),
                total: Duration::from_millis(4_321),
            }),
            notes: [(true, "a1"), (false, "b2")]
                .map(|(owes, id)| (Arc::from(id), Note { at: "2026-08-21T17:52:41.5Z".parse().unwrap(), owes }))
                .into(),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let released = Record { holder: None, catch_up: None, downtime: None, notes: Notes::new(), ..record() };
        for record in [record(), released] {
            assert_eq!(Record::read(&record.write(None)), record);
        }
    }

    #[test]
    fn what_others_put_into_the_lease_stays_and_a_finished_catch_up_does_not() {
        let mut lease = record().write(None);
        lease.metadata.labels = Some(BTreeMap::from([("team".to_owned(), "x".to_owned())]));
        lease.metadata.annotations.get_or_insert_default().insert("theirs".to_owned(), "y".to_owned());
        let written = Record { catch_up: None, downtime: None, notes: Notes::new(), ..record() }.write(Some(&lease));
        assert_eq!(written.metadata.labels, lease.metadata.labels);
        assert_eq!(written.metadata.annotations.unwrap(), BTreeMap::from([("theirs".to_owned(), "y".to_owned())]));
    }

    #[test]
    fn a_lease_without_content_is_free() {
        let read = Record::read(&Lease::default());
        assert_eq!((read.holder, read.duration, read.renewed, read.catch_up), (None, Duration::ZERO, None, None));
        let mut nonsense = record().write(None);
        let spec = nonsense.spec.as_mut().unwrap();
        (spec.holder_identity, spec.lease_duration_seconds) = (Some(String::new()), Some(-1));
        nonsense.metadata.annotations.as_mut().unwrap().insert(CATCH_UP_SINCE.to_owned(), "yesterday".to_owned());
        let read = Record::read(&nonsense);
        assert_eq!((read.holder, read.duration, read.catch_up), (None, Duration::ZERO, None));
    }
}
