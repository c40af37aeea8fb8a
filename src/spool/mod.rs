//! The spool: what must survive the process although it is not done yet.
//!
//! Two tables. [`Owed`] holds the targets that still owe a refresh although their senders were answered "queued"; it is
//! a set, so it is bounded by the number of targets. The intake holds whole requests ([`TakenIn`]) that arrived before
//! anybody could tell whether they are authentic; it is bounded in number and bytes.
//!
//! ```text
//!  owe, take_in ─▶ ┌───────┐      ┌────────┐      ┌───────┐
//!  all, intake  ─▶ │ queue │ ───▶ │ worker │ ───▶ │ store │ ─▶ <--spool-dir>/spool/spool.redb
//!  settle, done ─▶ └───────┘      └────────┘      └───────┘
//!                   one lock      one thread       one file; a transaction for everything that waits
//! ```
//!
//! What was acknowledged is on disk and survives SIGKILL and a loss of power. Removals are written within about a
//! second; a crash before that repeats a refresh or a request, which does no harm. A failure of the disk is an error of
//! the call, never a panic, and heals by itself; a damaged file is set aside and announced by [`Spool::losses`].
//!
//! The spool knows nothing of receivers, routes or the API server, and must not log what a request holds.

mod directory;
mod error;
mod intake;
mod key;
mod known;
mod owed;
mod place;
mod queue;
mod store;
#[cfg(test)]
mod tests;
mod worker;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{oneshot, watch};
use zeroize::Zeroizing;

pub use error::{OpenError, SpoolError};
pub use intake::{IntakeId, TakenIn, Tally};
pub use known::Keep;
pub use owed::Owed;
pub use place::Place;
pub use store::Counts;

use crate::domain::target::Target;
use crate::metrics::spool::SpoolMetrics;
use crate::process::clock::Clock;
use directory::Directory;
use known::KnownPaths;
use owed::Delivery;
use queue::{Queue, Read, Reply};
use store::Store;
use worker::Worker;

/// Requests that may be taken in. A registry sends a few a second, and an API server is back within minutes.
const INTAKE_REQUESTS: u64 = 10_000;

/// What they may occupy on disk. The file grows to little more than twice of it.
const INTAKE_BYTES: u64 = 32 * 1024 * 1024;

/// What requests leave free on the disk: room to remove them again, and to owe some ten thousands of refreshes.
const RESERVE_BYTES: u64 = 16 * 1024 * 1024;

/// With the acknowledgement deadline before it, still well below the 10 s after which Quay gives up.
const WRITE_TIMEOUT: Duration = Duration::from_secs(3);

/// Reads delay no sender, because they only prepare the start.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// The bounds of a spool.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// What may be taken in.
    pub intake: Tally,
    /// Bytes of the disk that requests must leave free.
    pub reserve: u64,
    /// How long a call waits for the disk.
    pub write_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let intake = Tally { requests: INTAKE_REQUESTS, bytes: INTAKE_BYTES };
        Self { intake, reserve: RESERVE_BYTES, write_timeout: WRITE_TIMEOUT }
    }
}

/// Handle to the spool; cheap to clone. The last one closes it when it is dropped, but does not wait for that:
/// [`Spool::close`] does.
#[derive(Clone)]
pub struct Spool(Arc<Handle>);

struct Handle {
    queue: Arc<Queue>,
    limits: Limits,
    metrics: SpoolMetrics,
    losses: watch::Receiver<u64>,
    known: KnownPaths,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.queue.close(None);
    }
}

/// Makes and locks the directory, and reads what it knows.
fn prepare(parent: &Path) -> Result<(Directory, KnownPaths), OpenError> {
    let directory = Directory::prepare(parent)?;
    let unusable = |source| OpenError::Directory { path: parent.to_owned(), source };
    let known = KnownPaths::load(directory.folder()).map_err(unusable)?;
    Ok((directory, known))
}

impl Spool {
    /// Opens the spool where it is to be.
    ///
    /// # Errors
    /// When the directory that was asked for cannot be used, or not even a temporary one.
    pub async fn open_at(
        place: Place,
        limits: Limits,
        clock: Clock,
        metrics: SpoolMetrics,
    ) -> Result<Option<Self>, OpenError> {
        let open = async |path: PathBuf| Self::open(path, limits, clock.clone(), metrics.clone()).await;
        let candidates = match place {
            Place::Nowhere => return Ok(None),
            Place::At(path) => return open(path).await.map(Some),
            Place::FirstOf(candidates) => candidates,
        };
        for path in candidates {
            match open(path.clone()).await {
                Ok(spool) => {
                    tracing::info!(directory = %path.display(), "the spool is in the default folder");
                    return Ok(Some(spool));
                }
                Err(error) => tracing::debug!("not the default folder of the spool: {error}"),
            }
        }
        let temporary = std::env::temp_dir();
        let random = key::Key::random().map_err(|source| OpenError::Directory { path: temporary.clone(), source })?;
        let path = temporary.join(format!("quayside-{}", hex::encode(&random[..8])));
        let spool = open(path.clone()).await?;
        tracing::warn!(
            directory = %path.display(),
            "no state folder can be used, so the spool is in a temporary one: what is owed outlives the process only if the \
             next one gets it by --spool-dir"
        );
        Ok(Some(spool))
    }

    /// Opens the spool in a directory, which is made if it is missing.
    ///
    /// A damaged file is set aside, and a full or failing disk makes every call an error until it works again: both are
    /// no reason not to start.
    ///
    /// # Errors
    /// When the directory cannot be made or is not one's own, or another process has it.
    pub async fn open(
        directory: PathBuf,
        limits: Limits,
        clock: Clock,
        metrics: SpoolMetrics,
    ) -> Result<Self, OpenError> {
        SpoolError::REASONS.iter().for_each(|reason| metrics.begin(reason));
        let queue = Arc::new(Queue::default());
        let (loss, losses) = watch::channel(0);
        let (opened, opening) = oneshot::channel();
        let worker = (Arc::clone(&queue), metrics.clone());
        let thread = std::thread::Builder::new().name("spool".to_owned());
        let run = move || match prepare(&directory) {
            Err(error) => drop(opened.send(Err(error))),
            Ok((directory, known)) => {
                let (queue, metrics) = worker;
                let store = Store::new(directory, clock, metrics.clone(), loss);
                let worker = Worker::new(queue, store, limits.reserve, metrics);
                opened.send(Ok(known)).ok();
                worker.run();
            }
        };
        thread.spawn(run).map_err(OpenError::Thread)?;
        let ended = |_| Err(OpenError::Thread(std::io::Error::other("it ended at once")));
        let known = opening.await.unwrap_or_else(ended)?;
        Ok(Self(Arc::new(Handle { queue, limits, metrics, losses, known })))
    }

    /// Puts down that these targets owe a refresh because of a delivery that arrived then. Once this returns, the disk
    /// has it. Callers at the same time share a transaction.
    ///
    /// The refresher calls [`Spool::settle`] when that is done. If it was done before this call, the caller must see to
    /// it afterwards, or the entry stays until the next refresh of the target.
    ///
    /// # Errors
    /// When the disk is full or fails, or does not answer in time. The delivery must not be acknowledged then.
    pub async fn owe(&self, targets: &[Target], arrival: Timestamp, delivery_id: &str) -> Result<(), SpoolError> {
        if targets.is_empty() {
            return Ok(());
        }
        let delivery = Delivery { targets: targets.to_vec(), arrival, id: delivery_id.to_owned() };
        self.ask(self.0.limits.write_timeout, |queue, reply| {
            queue.call(|waiting| waiting.deliveries.push((delivery, reply)))
        })
        .await
    }

    /// Says that a refresh has covered everything that was owed to this target before this call and arrived up to then.
    /// What is owed after this call stays, and so does an entry with a later arrival. The target need not be in the
    /// spool.
    ///
    /// Whoever knows that nothing at all is owed at this moment may give the latest time there is, and need not trust a
    /// clock that may be set back.
    pub fn settle(&self, target: &Target, up_to: Timestamp) {
        self.0.queue.remove(|waiting| waiting.settle(target, up_to));
    }

    /// Everything that is owed, to be refreshed at the start.
    ///
    /// # Errors
    /// When the disk fails; call again later, as it may hold something.
    pub async fn owed(&self) -> Result<Vec<Owed>, SpoolError> {
        self.ask(READ_TIMEOUT, |queue, reply| queue.call(|waiting| waiting.reads.push(Read::Owed(reply)))).await
    }

    /// Takes in a whole request. Once this returns, the disk has it.
    ///
    /// # Errors
    /// [`SpoolError::IntakeFull`] beyond the limits; otherwise as for [`Spool::owe`].
    pub async fn take_in(&self, request: TakenIn) -> Result<IntakeId, SpoolError> {
        let Limits { intake, write_timeout, reserve: _ } = self.0.limits;
        self.ask(write_timeout, |queue, reply| queue.take_in(request, intake, reply)).await
    }

    /// The oldest requests that were taken in and not yet removed, after the given one; at most some MiB of them. None
    /// when there are no more.
    ///
    /// # Errors
    /// When the disk fails; call again later.
    pub async fn taken_in(&self, after: Option<IntakeId>) -> Result<Vec<(IntakeId, TakenIn)>, SpoolError> {
        self.ask(READ_TIMEOUT, |queue, reply| queue.call(|waiting| waiting.reads.push(Read::Intake { after, reply })))
            .await
    }

    /// Removes a request that was run, once what it asked for is done or owed.
    pub fn done(&self, id: IntakeId) {
        self.0.queue.remove(|waiting| waiting.done.push(id));
    }

    /// How much the spool holds, as of the last call that succeeded.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.0.queue.stored()
    }

    /// How often a damaged file was set aside, at the start or since. Whatever it held is lost, so everything that can
    /// be refreshed should be.
    #[must_use]
    pub fn losses(&self) -> watch::Receiver<u64> {
        self.0.losses.clone()
    }

    /// The name of this spool, the same as long as its directory exists.
    #[must_use]
    pub fn id(&self) -> Arc<str> {
        self.0.known.key().id()
    }

    /// Whether this receiver path was served before; `None` when nothing was remembered yet.
    #[must_use]
    pub fn knows(&self, path: &str) -> Option<bool> {
        self.0.known.knows(path)
    }

    /// Remembers the receiver paths that are served, for the next start, as hashes that tell nothing without this
    /// disk's key.
    ///
    /// # Errors
    /// When the disk fails; call again later.
    pub async fn remember(&self, paths: Vec<Zeroizing<String>>, keep: Keep) -> Result<(), SpoolError> {
        let handle = Arc::clone(&self.0);
        let write = move || handle.known.remember(&paths, keep);
        Ok(tokio::task::spawn_blocking(write).await.unwrap_or_else(|error| Err(error.into()))?)
    }

    /// Writes what waits, closes the file and gives the directory back. Calls are refused from now on.
    pub async fn close(&self) {
        let (closed, closing) = oneshot::channel();
        self.0.queue.close(Some(closed));
        // Told by the loss of the sender. A disk that hangs must not hold up the end of the process.
        tokio::time::timeout(self.0.limits.write_timeout, closing).await.ok();
    }

    async fn ask<T>(
        &self,
        limit: Duration,
        enqueue: impl FnOnce(&Queue, Reply<T>) -> Result<(), SpoolError>,
    ) -> Result<T, SpoolError> {
        let (reply, answer) = oneshot::channel();
        let error = match enqueue(&self.0.queue, reply) {
            Ok(()) => match tokio::time::timeout(limit, answer).await {
                // The worker counts its own failures, once for all who share them.
                Ok(Ok(answer)) => return answer,
                Ok(Err(_)) => SpoolError::Closed,
                Err(_) => SpoolError::TimedOut,
            },
            Err(error) => error,
        };
        self.0.metrics.failed(error.reason());
        Err(error)
    }
}
