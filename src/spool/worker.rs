//! The thread that owns the store: takes everything that waits, writes it in one transaction, answers, and begins
//! again.
//!
//! That is group commit: a caller that comes while a transaction is being written shares the next one, so that a burst
//! costs a few syncs of the disk and not one for each call.

use std::fs::File;
use std::io::{self, Read as _};
use std::sync::Arc;
use std::time::Instant;

use super::error::SpoolError;
use super::intake::{IntakeId, Tally};
use super::queue::{Queue, Read, Waiting};
use super::store::{Batch, Store, Written};
use crate::metrics::spool::SpoolMetrics;

pub(super) struct Worker {
    queue: Arc<Queue>,
    store: Store,
    /// Bytes of the disk that requests must leave.
    reserve: u64,
    /// Whether the last requests were refused for it, so that it is logged once.
    refusing: bool,
    metrics: SpoolMetrics,
}

/// However the thread ends, no caller goes on waiting for it.
struct Ended(Arc<Queue>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.ended();
    }
}

impl Worker {
    /// A worker for this store, of which it says what is in it.
    pub(super) fn new(queue: Arc<Queue>, mut store: Store, reserve: u64, metrics: SpoolMetrics) -> Self {
        store.probe();
        let worker = Self { queue, store, reserve, refusing: false, metrics };
        worker.publish(Tally::default());
        worker
    }

    /// Works until the queue is closed.
    pub(super) fn run(mut self) {
        let ended = Ended(Arc::clone(&self.queue));
        loop {
            let (waiting, last) = self.queue.take();
            self.serve(waiting);
            if last {
                break;
            }
        }
        self.store.close();
        drop(ended);
    }

    fn serve(&mut self, waiting: Waiting) {
        let Waiting { deliveries, mut requests, reads, settled, done } = waiting;
        let arrived = requests.iter().fold(Tally::default(), |sum, (request, _)| sum.plus(request.tally()));
        if !requests.is_empty() && !self.has_room_for(arrived) {
            for (_, reply) in requests.drain(..) {
                reply.send(Err(SpoolError::DiskFull)).ok();
            }
        }
        let (deliveries, owing): (Vec<_>, Vec<_>) = deliveries.into_iter().unzip();
        let (requests, taking_in): (Vec<_>, Vec<_>) = requests.into_iter().unzip();
        let held = self.store.counts().intake.requests;
        let written = self.write(Batch { deliveries, settled, requests, done });
        if held > 0 && self.store.counts().intake.requests == 0 {
            self.renew();
        }
        // Before the answers, so that a caller that has one sees its effect.
        self.publish(arrived);
        let (owed, first) = match written {
            Ok(Written { first_id: IntakeId(first), .. }) => (Ok(()), Ok(first)),
            Err(error) => (Err(error.clone()), Err(error)),
        };
        // The caller may have given up; what was written stays written.
        for reply in owing {
            reply.send(owed.clone()).ok();
        }
        for (position, reply) in (0..).zip(taking_in) {
            reply.send(first.clone().map(|first| IntakeId(first + position))).ok();
        }
        for read in reads {
            match read {
                Read::Owed(reply) => drop(reply.send(self.store.owed())),
                Read::Intake { after, reply } => drop(reply.send(self.store.intake(after))),
            }
        }
    }

    /// Requests must not fill the disk themselves: then they could not even be removed, as that writes first.
    fn has_room_for(&mut self, arrived: Tally) -> bool {
        // While it grows, the store needs up to twice the room.
        let needed = arrived.bytes.saturating_mul(2).saturating_add(self.reserve);
        let refuse = self.store.available() < needed;
        if refuse {
            self.metrics.failed(SpoolError::DiskFull.reason());
        }
        match (self.refusing, refuse) {
            (false, true) => tracing::error!(needed, "the disk of the spool is nearly full; no requests are taken in"),
            (true, false) => tracing::info!("the disk of the spool has room again"),
            (false, false) | (true, true) => {}
        }
        self.refusing = refuse;
        !refuse
    }

    fn write(&mut self, batch: Batch) -> Result<Written, SpoolError> {
        let began = Instant::now();
        let written = self.store.write(&batch);
        match &written {
            Ok(Written { changed, .. }) if *changed => self.metrics.committed(began.elapsed()),
            Ok(_) => {}
            Err(_) => self.queue.put_back(batch.settled, batch.done),
        }
        written
    }

    /// Leaves nothing of the requests that were in the file.
    fn renew(&mut self) {
        let outcome = self.store.renew().and_then(|old| {
            // Apart, because callers wait for this thread and the file may be large.
            let wipe = || {
                if let Err(error) = overwrite(old) {
                    tracing::warn!(%error, "the file that held early requests was removed but not overwritten");
                }
            };
            std::thread::Builder::new().name("spool-wipe".to_owned()).spawn(wipe)?;
            Ok(())
        });
        if let Err(error) = outcome {
            tracing::warn!(%error, "what was left of early requests in the spool could not be removed");
        }
    }

    fn publish(&self, arrived: Tally) {
        let counts = self.store.counts();
        let gauge = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.metrics.owed.set(gauge(counts.owed));
        self.metrics.intake_requests.set(gauge(counts.intake.requests));
        self.metrics.intake_bytes.set(gauge(counts.intake.bytes));
        self.queue.publish(counts, arrived);
    }
}

/// Overwrites a whole file that nobody uses any more.
fn overwrite(mut file: File) -> io::Result<()> {
    let length = file.metadata()?.len();
    io::copy(&mut io::repeat(0).take(length), &mut file)?;
    file.sync_data()
}
