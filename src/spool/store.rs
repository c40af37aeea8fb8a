//! The store: one redb file, its transactions, and what becomes of it when they fail.
//!
//! ```text
//!            open, every page verified           a call fails or panics
//!  (closed) ───────────────────────────▶ open ─────────────────────────▶ (closed)
//!     │  the next call opens it again      ▲
//!     └── damaged ─▶ set aside ─▶ recreated┘
//! ```
//!
//! So a full disk needs no restart, and what one call left behind cannot harm the next. Only what is found damaged
//! while it is opened is set aside.
//!
//! Commits are in two phases, with two syncs: after a crash the last commit is then either whole or known to be
//! damaged, where one phase would fall back to the one before without a word. Everything here blocks; only the worker
//! calls it.

use std::collections::HashMap;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use jiff::Timestamp;
use redb::{Builder, Database, ReadableDatabase, ReadableTable, ReadableTableMetadata};
use tokio::sync::watch;

use super::directory::Directory;
use super::error::SpoolError;
use super::intake::{self, IntakeId, TakenIn, Tally};
use super::owed::{self, Delivery, Owed};
use crate::domain::target::Target;
use crate::metrics::spool::SpoolMetrics;
use crate::process::clock::Clock;

/// Memory for pages, in place of the store's own 1 GiB. It holds the largest request twice.
const CACHE_BYTES: usize = 4 * 1024 * 1024;

/// How much the spool holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Targets that owe a refresh.
    pub owed: u64,
    /// Requests taken in.
    pub intake: Tally,
}

impl Counts {
    /// Whether anything that was acknowledged is not done.
    #[must_use]
    pub const fn holds_anything(&self) -> bool {
        self.owed > 0 || self.intake.requests > 0
    }
}

/// What one transaction does, in this order.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) settled: HashMap<Target, Timestamp>,
    pub(super) deliveries: Vec<Delivery>,
    pub(super) requests: Vec<TakenIn>,
    pub(super) done: Vec<IntakeId>,
}

/// What one transaction did.
pub(super) struct Written {
    /// The ids of the requests, from this one on.
    pub(super) first_id: IntakeId,
    /// Whether there was anything to write.
    pub(super) changed: bool,
}

impl Batch {
    fn is_empty(&self) -> bool {
        let Self { settled, deliveries, requests, done } = self;
        deliveries.is_empty() && settled.is_empty() && requests.is_empty() && done.is_empty()
    }
}

pub(super) struct Store {
    directory: Directory,
    clock: Clock,
    metrics: SpoolMetrics,
    losses: watch::Sender<u64>,
    database: Option<Database>,
    known: Known,
    /// Whether the last call failed, so that a lasting trouble is logged once.
    failing: bool,
}

/// What the last call left.
#[derive(Clone, Copy, Default)]
struct Known {
    counts: Counts,
    /// Ids are used once in a process, even if the requests that had them are gone.
    next_id: u64,
}

impl Store {
    /// A store that is opened by the first call. `losses` is increased when a damaged file was set aside.
    pub(super) fn new(directory: Directory, clock: Clock, metrics: SpoolMetrics, losses: watch::Sender<u64>) -> Self {
        Self { directory, clock, metrics, losses, database: None, known: Known::default(), failing: false }
    }

    /// What is in the store, as far as is known.
    pub(super) const fn counts(&self) -> Counts {
        self.known.counts
    }

    /// Writes a batch; once this returns, the disk has it.
    pub(super) fn write(&mut self, batch: &Batch) -> Result<Written, SpoolError> {
        if batch.is_empty() {
            return Ok(Written { first_id: IntakeId(self.known.next_id), changed: false });
        }
        let (before, after) = self.run(|database, known| Ok((known, commit(database, batch, known)?)))?;
        self.known = after.unwrap_or(before);
        Ok(Written { first_id: IntakeId(before.next_id), changed: after.is_some() })
    }

    /// Bytes that can still be written on the disk; unbounded where that is unknown.
    pub(super) fn available(&self) -> u64 {
        self.directory.available().unwrap_or(u64::MAX)
    }

    /// Everything that is owed.
    pub(super) fn owed(&mut self) -> Result<Vec<Owed>, SpoolError> {
        self.run(|database, _| owed::all(&database.begin_read()?.open_table(owed::TABLE)?))
    }

    /// The oldest requests after this one.
    pub(super) fn intake(&mut self, after: Option<IntakeId>) -> Result<Vec<(IntakeId, TakenIn)>, SpoolError> {
        self.run(|database, _| intake::page(&database.begin_read()?.open_table(intake::TABLE)?, after))
    }

    /// Opens the store if it is closed. A failure is logged and counted, and the next call tries again.
    pub(super) fn probe(&mut self) {
        self.run(|_, _| Ok(())).ok();
    }

    /// Makes the file anew with what is owed alone, because freed pages still hold the requests, and credentials, that
    /// were in them. Returns the old one, which has no name any more and is to be overwritten.
    pub(super) fn renew(&mut self) -> Result<File, SpoolError> {
        let database = self.opened()?;
        let outcome = self.directory.begin_store().map_err(SpoolError::from).and_then(|made| {
            guarded(|| make(&made, Some(&database)))?;
            let old = self.directory.store_to_overwrite()?;
            self.directory.place_store(&made)?;
            Ok(old)
        });
        // The next call opens whichever has the name now.
        guarded(|| Ok(database.close()?))?;
        outcome
    }

    /// Closes the file and gives the directory back.
    pub(super) fn close(mut self) {
        if let Some(database) = self.database.take()
            && let Err(error) = guarded(|| Ok(database.close()?))
        {
            tracing::warn!(%error, "the spool was not closed properly; what it acknowledged is in it nevertheless");
        }
    }

    /// Runs a call on the open store, and closes it if that fails: it would refuse everything from then on.
    fn run<T>(&mut self, call: impl FnOnce(&Database, Known) -> Result<T, redb::Error>) -> Result<T, SpoolError> {
        let outcome = self.opened().and_then(|database| {
            let value = guarded(|| call(&database, self.known));
            match &value {
                Ok(_) => self.database = Some(database),
                // Closing it may panic as well.
                Err(_) => drop(guarded(|| {
                    drop(database);
                    Ok(())
                })),
            }
            value
        });
        match &outcome {
            Ok(_) if self.failing => tracing::info!("the spool works again"),
            Ok(_) => {}
            Err(error) => {
                self.metrics.failed(error.reason());
                if !self.failing {
                    tracing::error!(%error, "the spool failed; until it works, what needs it is answered 503");
                }
            }
        }
        self.failing = outcome.is_err();
        outcome
    }

    /// The open store, or the one that is opened now.
    fn opened(&mut self) -> Result<Database, SpoolError> {
        if let Some(database) = self.database.take() {
            return Ok(database);
        }
        match self.open_file() {
            Err(SpoolError::Corrupt(reason)) => {
                let file = self.directory.set_aside(self.clock.now())?;
                tracing::error!(
                    %reason,
                    file,
                    "the file of the spool is damaged and was set aside; owed refreshes and requests in it are lost"
                );
                self.metrics.failed("corrupt");
                self.losses.send_modify(|losses| *losses += 1);
                self.open_file()
            }
            opened => opened,
        }
    }

    /// Opens the file, which is made if there is none, and verifies every page of it.
    fn open_file(&mut self) -> Result<Database, SpoolError> {
        let path = self.directory.store();
        if !self.directory.has_store()? {
            // Under another name until it is whole: a file by the right name is always one that was complete.
            let made = self.directory.begin_store()?;
            guarded(|| make(&made, None))?;
            self.directory.place_store(&made)?;
        }
        let (database, found) = guarded(|| {
            let database = builder().open(&path)?;
            let found = survey(&database)?;
            Ok((database, found))
        })?;
        self.known = Known { next_id: found.next_id.max(self.known.next_id), ..found };
        Ok(database)
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
    builder
}

/// Makes a store with its tables, and with what is owed in another one.
fn make(path: &Path, from: Option<&Database>) -> Result<(), redb::Error> {
    let database = builder().create(path)?;
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    {
        let mut table = transaction.open_table(owed::TABLE)?;
        if let Some(from) = from {
            for entry in from.begin_read()?.open_table(owed::TABLE)?.iter()? {
                let (key, row) = entry?;
                table.insert(key.value(), row.value())?;
            }
        }
    }
    transaction.open_table(intake::TABLE)?;
    transaction.commit()?;
    Ok(database.close()?)
}

/// What is in the file.
fn survey(database: &Database) -> Result<Known, redb::Error> {
    let transaction = database.begin_read()?;
    let owed = transaction.open_table(owed::TABLE)?.len()?;
    let (intake, next_id) = intake::survey(&transaction.open_table(intake::TABLE)?)?;
    Ok(Known { counts: Counts { owed, intake }, next_id })
}

/// Writes a batch in one transaction. Returns what is in the store then, `None` if the batch changes nothing.
fn commit(database: &Database, batch: &Batch, mut known: Known) -> Result<Option<Known>, redb::Error> {
    let Batch { settled, deliveries, requests, done } = batch;
    // A delivery may have been settled while it waited.
    let mut changed = deliveries.iter().any(|delivery| !delivery.targets.is_empty()) || !requests.is_empty();
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    {
        let mut table = transaction.open_table(owed::TABLE)?;
        for (target, up_to) in settled {
            changed |= owed::settle(&mut table, target, *up_to)?;
        }
        for delivery in deliveries {
            owed::owe(&mut table, delivery)?;
        }
        known.counts.owed = table.len()?;
    }
    {
        let mut table = transaction.open_table(intake::TABLE)?;
        for request in requests {
            intake::put(&mut table, IntakeId(known.next_id), request)?;
            known.next_id += 1;
            known.counts.intake = known.counts.intake.plus(request.tally());
        }
        for id in done {
            if let Some(removed) = intake::remove(&mut table, *id)? {
                known.counts.intake = known.counts.intake.minus(removed);
                changed = true;
            }
        }
    }
    if !changed {
        transaction.abort()?;
        return Ok(None);
    }
    transaction.commit()?;
    Ok(Some(known))
}

/// Contains the store's panics, which a damaged file may cause.
fn guarded<T>(call: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, SpoolError> {
    let outcome = catch_unwind(AssertUnwindSafe(call));
    outcome.map_or_else(|_| Err(SpoolError::Corrupt("the store panicked".into())), |value| Ok(value?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::scope::ObjectKey;
    use crate::domain::target::TargetKind;

    #[test]
    fn a_panic_of_the_store_is_contained_and_costs_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let metrics = SpoolMetrics::default();
        let (loss, losses) = watch::channel(0);
        let mut store = Store::new(Directory::prepare(parent.path()).unwrap(), Clock::system(), metrics.clone(), loss);
        let target = |name| Target { kind: TargetKind::Warehouse, key: ObjectKey::new("northwind", name) };
        let delivery =
            |name| Delivery { targets: vec![target(name)], arrival: Timestamp::UNIX_EPOCH, id: "d".to_owned() };
        let batch = |name| Batch { deliveries: vec![delivery(name)], ..Batch::default() };
        store.write(&batch("a")).unwrap();
        let outcome = store.run::<()>(|database, _| {
            let _transaction = database.begin_write()?;
            panic!("as a damaged page may cause it");
        });
        assert!(matches!(outcome, Err(SpoolError::Corrupt(_))));
        store.write(&batch("b")).unwrap();
        let names: Vec<_> = store.owed().unwrap().into_iter().map(|owed| owed.target).collect();
        assert_eq!(names, [target("a"), target("b")]);
        assert_eq!((*losses.borrow(), metrics.failures("corrupt")), (0, 1));
    }
}
