//! Tends one registration: follows its spec, gives its repositories their turns, and reports.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use jiff::SignedDuration;
use parking_lot::Mutex;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::aim::Sender;
use super::book::{Book, Name, Turn};
use super::follow::{Following, NOT_FOUND};
use super::look::Look;
use super::objects::Object;
use super::plan::State;
use super::status::{self, Problem};
use super::{Registrations, steady, write};
use crate::api::RegistrationStatus;
use crate::domain::scope::ObjectKey;
use crate::hooks::Refusal;
use crate::journal::Url;
use crate::journal::record::Record;

/// Repositories of one registration that are looked at at a time.
const LOOKS: usize = 8;
/// The longest pause between two looks at the spec, the URL and the Secret.
const TICK: Duration = Duration::from_secs(1);
/// How long calls that were made may take when the task ends.
const LAST_LOOKS: Duration = Duration::from_secs(3);
/// Pause after a write that failed.
const WRITE_AGAIN: Duration = Duration::from_secs(5);

/// How a deletion goes on.
struct Farewell {
    begun: Instant,
    /// When a repository was last left, and how many there were then.
    progress: (Instant, usize),
}

/// One registration.
pub struct Tender<'a> {
    parts: &'a Registrations,
    key: ObjectKey,
    /// The object that it began with; another one of its name has another tender.
    uid: String,
    book: Arc<Mutex<Book>>,
    following: Following,
    problem: Option<Problem>,
    /// What the metrics count of it.
    counted: [i64; State::ALL.len()],
    /// What was written of the finalizer and may not have come back yet.
    holding: Option<bool>,
    /// Nothing is written before this.
    write_at: Instant,
    /// Since it is being deleted.
    farewell: Option<Farewell>,
    /// It was let go.
    is_released: bool,
}

impl<'a> Tender<'a> {
    /// A tender of this object.
    #[must_use]
    pub fn new(parts: &'a Registrations, object: &Object) -> Self {
        let now = steady();
        Self {
            parts,
            key: object.key.clone(),
            uid: object.uid.clone(),
            book: Arc::new(Mutex::new(Book::new(parts.rules, now))),
            following: Following::default(),
            problem: None,
            counted: [0; State::ALL.len()],
            holding: None,
            write_at: now,
            farewell: None,
            is_released: false,
        }
    }

    /// Tends until the object is gone or `stop` is cancelled. Calls that were made are waited for.
    pub async fn run(mut self, stop: &CancellationToken) {
        let mut looks = FuturesUnordered::new();
        let tick = TICK.min(self.parts.rules.beat / 5);
        let mut may_look = false;
        let mut ticks = Instant::now();
        while !stop.is_cancelled() {
            let now = steady();
            if now >= ticks {
                let Some(object) = self.parts.objects.get(&self.key).filter(|object| object.uid == self.uid) else {
                    break;
                };
                may_look = self.tick(&object).await;
                ticks = now + tick;
            }
            let mut wake = ticks;
            while may_look && looks.len() < LOOKS {
                let Some(look) = self.look() else { break };
                match self.book.lock().next(steady()) {
                    Turn::Look(name) => looks.push(look.at(name)),
                    Turn::At(due) => {
                        wake = wake.min(due);
                        break;
                    }
                    Turn::Idle => break,
                }
            }
            tokio::select! {
                Some((name, ended)) = looks.next(), if !looks.is_empty() => self.ended(&name, ended),
                () = tokio::time::sleep_until(wake.into()) => {}
                () = stop.cancelled() => {}
            }
        }
        let rest = async {
            while let Some((name, ended)) = looks.next().await {
                self.ended(&name, ended);
            }
        };
        // What is cut off is found by the next leader's list.
        timeout(LAST_LOOKS, rest).await.ok();
        self.count([0; State::ALL.len()]);
        self.parts.tables.notifications.replace(&self.key, Vec::new());
    }

    /// Brings everything up to date. Returns whether repositories may be looked at.
    async fn tick(&mut self, object: &Object) -> bool {
        if object.is_deleting {
            return self.take_leave(object).await;
        }
        self.problem = self.following.update(self.parts, object, &self.book).await.err();
        let wants_to_hold = object.spec.as_ref().is_ok_and(|spec| spec.is_removing());
        if object.is_held() == wants_to_hold {
            self.holding = None;
        }
        let is_held = object.is_held() == wants_to_hold
            || self.holding == Some(wants_to_hold)
            || self.hold(object, wants_to_hold).await;
        self.notice();
        self.report(object).await;
        self.publish(object);
        let counts = status::counts(&self.book.lock());
        self.count(counts);
        is_held && self.problem.is_none()
    }

    fn look(&self) -> Option<Look> {
        let heals = self.parts.objects.get(&self.key)?.spec.as_ref().is_ok_and(|spec| spec.heals());
        Some(Look {
            host: Arc::clone(self.following.host.as_ref()?),
            aim: Arc::clone(self.following.aim.as_ref()?),
            heals,
            book: Arc::clone(&self.book),
            subscribers: Arc::clone(&self.following.subscribers),
            refreshes: self.parts.refreshes.clone(),
            metrics: self.parts.metrics.clone(),
            clock: self.parts.clock.clone(),
        })
    }

    fn ended(&self, name: &Name, ended: Result<(), Refusal>) {
        if let Err(refusal) = &ended {
            tracing::debug!(registration = %self.key, repository = &**name, reason = refusal.reason(), "refused by the sender");
        }
        self.book.lock().end(name, ended, steady());
    }

    /// Notices calls to the present URL: they prove a new URL, and that the receiver is reached again.
    fn notice(&self) {
        let (awaiting, is_in_vain) = {
            let book = self.book.lock();
            (book.awaiting(), book.is_in_vain())
        };
        let Some(aim) = self.following.aim.as_ref().filter(|_| is_in_vain || !awaiting.is_empty()) else { return };
        let (now, wall) = (steady(), self.parts.clock.now());
        let ago = |duration: Duration| SignedDuration::try_from(duration).map_or(wall, |ago| wall - ago);
        let (owner, receiver) = aim.receiver.clone();
        let mut records = self.parts.journal.of(&(owner, receiver, Url::Served));
        records.retain(|record| !record.previous_url && (200..300).contains(&record.status));
        for (name, since) in awaiting {
            let since = ago(now.saturating_duration_since(since));
            let is_about = |repository: &String| {
                repository.strip_suffix(&*name.to_ascii_lowercase()).is_some_and(|host| host.ends_with('/'))
            };
            let is_proof = |record: &Record| record.time >= since && record.repositories.first.iter().any(is_about);
            if records.iter().any(is_proof) {
                self.book.lock().arrived(&name);
            }
        }
        let lately = ago(self.parts.rules.hurry());
        if is_in_vain && records.iter().any(|record| record.time >= lately) {
            self.book.lock().proven(now);
        }
    }

    /// Sets or removes the finalizer. Returns whether it is as it should be.
    async fn hold(&mut self, object: &Object, is_held: bool) -> bool {
        if steady() < self.write_at {
            return false;
        }
        let written = write::hold(&self.parts.client, object, is_held).await;
        if let Err(error) = &written {
            self.write_at = steady() + WRITE_AGAIN;
            tracing::warn!(registration = %self.key, reason = write::reason(error), "the finalizer cannot be written, will be repeated");
        }
        self.holding = written.is_ok().then_some(is_held);
        written.is_ok()
    }

    async fn report(&mut self, object: &Object) {
        if steady() < self.write_at {
            return;
        }
        let patch = {
            let book = self.book.lock();
            status::patch(object, &book, self.problem.as_ref(), self.parts.clock.now())
        };
        let Some(patch) = patch else { return };
        // What is written comes back through the watch before the next one is compared.
        self.write_at = steady() + self.parts.rules.away();
        if let Err(error) = write::status(&self.parts.client, object, patch).await {
            self.write_at = steady() + WRITE_AGAIN;
            tracing::warn!(registration = %self.key, reason = write::reason(&error), "the status cannot be written, will be repeated");
        }
    }

    /// Shows how the notifications stand to whoever asks this process.
    fn publish(&self, object: &Object) {
        let Some(sender) = object.spec.as_ref().ok().map(Sender::of) else { return };
        let subscribers = &self.following.subscribers;
        let notes = status::notifications(&self.book.lock(), self.problem.as_ref(), sender, subscribers);
        self.parts.tables.notifications.replace(&self.key, notes);
    }

    /// Removes the notifications of an object that is being deleted. Returns whether repositories may be looked at.
    async fn take_leave(&mut self, object: &Object) -> bool {
        if self.is_released || !object.is_held() {
            return false;
        }
        let is_removing = object.spec.as_ref().is_ok_and(|spec| spec.is_removing());
        let now = steady();
        if is_removing && (self.farewell.is_none() || self.following.host.is_none()) {
            self.problem = self.following.update(self.parts, object, &self.book).await.err();
            self.book.lock().want(&BTreeSet::new(), now);
        }
        if is_removing && self.farewell.is_none() {
            let status: Option<RegistrationStatus> = serde_json::from_str(&object.status).unwrap_or_default();
            for entry in status.unwrap_or_default().repositories {
                self.book.lock().leave(&Name::from(entry.repository), now);
            }
        }
        let (left, rules) = (self.book.lock().len(), self.parts.rules);
        let farewell = self.farewell.get_or_insert(Farewell { begun: now, progress: (now, left) });
        if left < farewell.progress.1 {
            farewell.progress = (now, left);
        }
        let is_overdue =
            now >= farewell.progress.0 + rules.farewell() || now >= farewell.begun + rules.longest_farewell();
        // Without its token there is nothing to wait for.
        let is_hopeless =
            self.following.host.is_none() && self.problem.as_ref().is_some_and(|problem| problem.reason == NOT_FOUND);
        if is_removing && left > 0 && !is_hopeless && !is_overdue {
            return true;
        }
        if left > 0 && is_removing {
            self.leave_behind(object, left).await;
        }
        self.is_released = self.hold(object, false).await;
        false
    }

    /// Says that notifications stay where they are.
    async fn leave_behind(&self, object: &Object, repositories: usize) {
        let trouble = self.book.lock().trouble().map(ToString::to_string);
        let problem = || self.problem.as_ref().map(|problem| problem.message.clone());
        let why = trouble.or_else(problem).unwrap_or_else(|| "the sender did not answer in time".to_owned());
        tracing::warn!(
            registration = %self.key, repositories,
            "notifications could not be removed in time and are left behind"
        );
        write::left_behind(&self.parts.client, object, repositories, &why).await;
    }

    /// Says to the metrics how the repositories stand.
    fn count(&mut self, counts: [i64; State::ALL.len()]) {
        for state in State::ALL {
            let difference = counts[state as usize] - self.counted[state as usize];
            if difference != 0 {
                self.parts.metrics.repositories(state.as_str(), difference);
            }
        }
        self.counted = counts;
    }
}
