//! One look at one repository: its notifications are listed, and what is to be done about them is done.

use std::sync::Arc;

use parking_lot::Mutex;

use super::aim::{Aim, Sender};
use super::book::{Book, Name};
use super::plan::{Moment, Step, Wish};
use super::reach::Subscribers;
use super::refreshes::Refreshes;
use crate::hooks::{Access, Answer, Host, NewHook, Refusal};
use crate::metrics::registration::RegistrationMetrics;
use crate::process::clock::Clock;

/// What a look needs; cheap to clone.
#[derive(Clone)]
pub struct Look {
    pub(super) host: Arc<dyn Host>,
    pub(super) aim: Arc<Aim>,
    pub(super) heals: bool,
    pub(super) book: Arc<Mutex<Book>>,
    pub(super) subscribers: Arc<Subscribers>,
    pub(super) refreshes: Refreshes,
    pub(super) metrics: RegistrationMetrics,
    pub(super) clock: Clock,
}

impl Look {
    /// Looks at a repository. Returns its name with what the sender refused.
    pub(super) async fn at(self, name: Name) -> (Name, Result<(), Refusal>) {
        let ended = self.all(&name).await;
        (name, ended)
    }

    async fn all(&self, name: &str) -> Result<(), Refusal> {
        let hooks = self.counted(self.host.list(name)).await?;
        let seen: Vec<_> = hooks.iter().map(|hook| self.aim.seen(hook)).collect();
        let queues = self.aim.sender == Sender::Quay;
        let wish = Wish { events: self.aim.events, heals: self.heals && queues, queues, is_probe: false };
        let steps = self.book.lock().plan(name, &seen, &wish, self.moment());
        for step in &steps {
            self.step(name, step).await?;
        }
        Ok(())
    }

    async fn step(&self, name: &str, step: &Step) -> Result<(), Refusal> {
        match step {
            Step::Inspect => match self.counted(self.host.inspect(name)).await? {
                Access::Admin => {}
                Access::NotAdmin => return Err(Refusal::Forbidden),
            },
            Step::Create { event, test } => self.create(name, event, *test).await?,
            Step::Test(id) => self.counted(self.host.test(name, id)).await?,
            Step::Enable(id) => {
                self.counted(self.host.enable(name, id)).await?;
                self.book.lock().enabled(name, self.moment());
                self.metrics.healed.inc();
                tracing::info!(registration = &*self.aim.title, repository = name, "notification switched on again");
                self.refresh(name);
            }
            Step::Delete(id) => {
                self.counted(self.host.delete(name, id)).await?;
                tracing::info!(registration = &*self.aim.title, repository = name, "notification removed");
                // What waited for it is gone with it.
                self.refresh(name);
            }
        }
        Ok(())
    }

    async fn create(&self, name: &str, event: &str, test: bool) -> Result<(), Refusal> {
        let Some(url) = &self.aim.url else { return Ok(()) };
        let hook = NewHook { title: &self.aim.title, url, event, secret: self.aim.secret.as_ref() };
        let made = self.counted(self.host.create(name, hook)).await?;
        tracing::info!(registration = &*self.aim.title, repository = name, event, "notification created");
        // It gets only events from after its creation.
        self.refresh(name);
        if test {
            self.counted(self.host.test(name, &made.id)).await?;
        }
        Ok(())
    }

    async fn counted<T>(&self, call: Answer<'_, T>) -> Result<T, Refusal> {
        let answer = call.await;
        self.metrics.called(answer.as_ref().map_or_else(Refusal::reason, |_| "Done"));
        answer
    }

    /// Every Warehouse that the repository concerns is to be refreshed once.
    fn refresh(&self, name: &str) {
        if let Some(keys) = self.subscribers.get(&*name.to_ascii_lowercase()) {
            self.refreshes.add(keys.iter().cloned());
        }
    }

    fn moment(&self) -> Moment {
        Moment { steady: super::steady(), wall: self.clock.now() }
    }
}
