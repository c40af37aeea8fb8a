//! The journal: what was delivered to each receiver and what came of it.
//!
//! In memory only: it is a help, not a ledger; logs and metrics are the ledger. Writing a record never waits for
//! anybody and costs a bounded time, whatever a sender sends.

pub mod record;
mod rings;
pub mod words;

use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::broadcast;

use crate::domain::target::Target;
use record::{Record, Step};
use rings::Rings;
pub use rings::{Bounds, ReceiverKey, Url};

/// News that a slow reader may lag behind by, before it misses some.
const BACKLOG: usize = 256;

/// Every delivery that is remembered; cheap to clone.
#[derive(Clone)]
pub struct Journal(Arc<Shared>);

struct Shared {
    rings: Mutex<Rings>,
    bounds: Bounds,
    replica: Box<str>,
    news: broadcast::Sender<Arc<Record>>,
}

impl Journal {
    /// An empty journal of a replica.
    #[must_use]
    pub fn new(replica: &str, bounds: Bounds) -> Self {
        let (news, _) = broadcast::channel(BACKLOG);
        Self(Arc::new(Shared { rings: Mutex::default(), bounds, replica: replica.into(), news }))
    }

    /// Whether anything is remembered at all.
    #[must_use]
    pub fn remembers(&self) -> bool {
        self.0.bounds.bytes > 0
    }

    /// Keeps a record; its refreshes are those of `targets`, in their order, and owed.
    pub fn keep(&self, key: &ReceiverKey, mut record: Record, targets: &[Target]) {
        if !self.remembers() {
            return;
        }
        record.replica = self.0.replica.clone().into();
        record.bound();
        let news = (self.0.news.receiver_count() > 0).then(|| Arc::new(record.clone()));
        self.0.rings.lock().keep(key, record, targets, self.0.bounds);
        self.tell(news);
    }

    /// Notes what became of a refresh, for the deliveries that had arrived by then.
    pub fn advance(&self, target: &Target, up_to: Timestamp, step: &Step, now: Timestamp) {
        let (is_followed, mut news) = (self.0.news.receiver_count() > 0, Vec::new());
        self.0.rings.lock().advance(target, up_to, step, now, |changed| {
            if is_followed {
                news.push(Arc::new(changed.clone()));
            }
        });
        self.tell(news);
    }

    fn tell(&self, news: impl IntoIterator<Item = Arc<Record>>) {
        for record in news {
            // Without a reader there is nobody to miss it.
            self.0.news.send(record).ok();
        }
    }

    /// The records that pass, the newest first, at most so many.
    #[must_use]
    pub fn select(&self, most: usize, passes: impl Fn(&Record) -> bool) -> Vec<Record> {
        let rings = self.0.rings.lock();
        let mut found: Vec<&Record> = rings.records().filter(|record| passes(record)).collect();
        newest_first(&mut found);
        found.into_iter().take(most).cloned().collect()
    }

    /// The records of one receiver, oldest first.
    #[must_use]
    pub fn of(&self, key: &ReceiverKey) -> Vec<Record> {
        self.0.rings.lock().of(key).cloned().collect()
    }

    /// When the remembered requests to one receiver arrived, oldest first.
    #[must_use]
    pub fn times(&self, key: &ReceiverKey) -> Vec<Timestamp> {
        self.0.rings.lock().of(key).map(|record| record.time).collect()
    }

    /// Records from now on: new ones, and those that changed.
    #[must_use]
    pub fn follow(&self) -> broadcast::Receiver<Arc<Record>> {
        self.0.news.subscribe()
    }

    /// What the records occupy, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.rings.lock().bytes()
    }
}

/// Brings records into the order in which people read them. The id breaks ties, so that pages and replicas agree.
pub fn newest_first<R: AsRef<Record>>(records: &mut [R]) {
    records.sort_by(|a, b| {
        let (a, b) = (a.as_ref(), b.as_ref());
        b.time.cmp(&a.time).then_with(|| b.id.cmp(&a.id))
    });
}

impl AsRef<Self> for Record {
    fn as_ref(&self) -> &Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::owner::Owner;

    #[test]
    fn without_room_nothing_is_remembered_and_with_it_the_times_are_there() {
        let key = (Owner::ProjectConfig("northwind".into()), Arc::from("quay"), Url::Served);
        let time = Timestamp::from_second(7).unwrap();
        let kept = |bounds| {
            let journal = Journal::new("replica", bounds);
            journal.keep(&key, Record { time, ..Record::default() }, &[]);
            (journal.remembers(), journal.times(&key))
        };
        assert_eq!(kept(Bounds::default()), (true, vec![time]));
        assert_eq!(kept(Bounds { bytes: 0, ..Bounds::default() }), (false, Vec::new()));
    }
}
