//! Every token that a Warehouse ever bore, as a watch on the API server itself reports it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt};
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use super::sender::Push;
use super::warehouse;
use crate::harness::{SOON, wait_until};

const REFRESH: &str = "kargo.akuity.io/refresh";
const PAUSE: Duration = Duration::from_millis(100);

/// A watch that is running.
pub(super) struct History {
    api: Api<DynamicObject>,
    tokens: Arc<Mutex<Tokens>>,
    watch: JoinHandle<()>,
}

#[derive(Default)]
pub(super) struct Tokens {
    /// Of every Warehouse, in the order in which they were written.
    tokens: BTreeMap<String, Vec<Timestamp>>,
    /// From the last write that was heard of before a list until the list: what came in between may have been
    /// overwritten unseen.
    gaps: Vec<(Timestamp, Timestamp)>,
    /// When the newest write began that was heard of. Events come in the order of the writes and some time after them,
    /// so that time says more than that of the event.
    heard: Option<Timestamp>,
    /// When the list began that is being read.
    list_began: Option<Timestamp>,
    listed: bool,
}

impl History {
    /// Begins to watch, and returns once everything from now on is seen.
    pub(super) async fn watch(api: Api<DynamicObject>) -> Self {
        let tokens = Arc::new(Mutex::new(Tokens::default()));
        let watch = tokio::spawn(follow(api.clone(), Arc::clone(&tokens)));
        wait_until("the Warehouses are watched", SOON, async || tokens.lock().listed.then_some(())).await;
        Self { api, tokens, watch }
    }

    /// Whether it has seen the tokens that the Warehouses bear now.
    pub(super) async fn is_current(&self) -> bool {
        let Ok(now) = self.api.list(&ListParams::default()).await else { return false };
        let tokens = self.tokens.lock();
        now.items.iter().all(|warehouse| token(warehouse).is_none_or(|token| tokens.has(&warehouse.name_any(), token)))
    }

    /// Everything that was seen.
    pub(super) fn end(self) -> Tokens {
        self.watch.abort();
        let mut tokens = std::mem::take(&mut *self.tokens.lock());
        tokens.tokens.values_mut().for_each(|tokens| tokens.sort_unstable());
        tokens
    }
}

async fn follow(api: Api<DynamicObject>, tokens: Arc<Mutex<Tokens>>) {
    let mut events = std::pin::pin!(watcher(api, watcher::Config::default()));
    while let Some(event) = events.next().await {
        let is_error = event.is_err();
        tokens.lock().hear(event, Timestamp::now());
        if is_error {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn token(warehouse: &DynamicObject) -> Option<Timestamp> {
    warehouse.annotations().get(REFRESH).map(|token| token.parse().unwrap())
}

impl Tokens {
    fn hear(&mut self, event: watcher::Result<Event<DynamicObject>>, now: Timestamp) {
        match event {
            Ok(Event::Init) => self.list_began = Some(now),
            Ok(Event::InitApply(warehouse)) => self.see(&warehouse),
            Ok(Event::Apply(warehouse)) => {
                self.heard = self.heard.max(token(&warehouse));
                self.see(&warehouse);
            }
            Ok(Event::InitDone) => {
                if let Some(heard) = self.heard.filter(|_| self.listed) {
                    self.gaps.push((heard, now));
                }
                self.heard = self.heard.max(self.list_began);
                self.listed = true;
            }
            Ok(Event::Delete(_)) | Err(_) => {}
        }
    }

    fn see(&mut self, warehouse: &DynamicObject) {
        let Some(token) = token(warehouse) else { return };
        let tokens = self.tokens.entry(warehouse.name_any()).or_default();
        if tokens.last() != Some(&token) {
            tokens.push(token);
        }
    }

    fn has(&self, name: &str, token: Timestamp) -> bool {
        self.tokens.get(name).is_some_and(|tokens| tokens.last() == Some(&token))
    }

    /// Whether an acknowledged push was followed by a write that began after it was sent: one answered with 200 before
    /// its answer. A push that was not acknowledged does not count.
    pub(super) fn confirms(&self, push: &Push) -> bool {
        if !push.is_acknowledged() {
            return true;
        }
        let tokens = self.tokens.get(&warehouse(push.warehouse)).map_or(&[][..], Vec::as_slice);
        let next = tokens.get(tokens.partition_point(|token| *token <= push.sent));
        let unseen = self.gaps.iter().any(|(from, to)| *from <= push.answered && push.sent <= *to);
        next.is_some_and(|next| push.status != 200 || unseen || *next <= push.answered)
    }

    pub(super) fn len(&self) -> usize {
        self.tokens.values().map(Vec::len).sum()
    }

    pub(super) fn gaps(&self) -> usize {
        self.gaps.len()
    }
}

/// The checker itself: a push that is lost must not escape it.
#[test]
fn only_a_write_that_began_after_a_push_confirms_it() {
    let at = |second| Timestamp::from_second(second).unwrap();
    let push = |warehouse, sent, answered, status| Push::example(warehouse, at(sent), at(answered), status);
    let tokens = vec![at(10), at(20), at(60)];
    let mut seen = Tokens { tokens: BTreeMap::from([(warehouse(0), tokens)]), ..Tokens::default() };
    assert!(seen.confirms(&push(0, 15, 25, 200)));
    assert!(!seen.confirms(&push(0, 21, 25, 200)), "the write came after the answer that says it is done");
    assert!(seen.confirms(&push(0, 21, 25, 202)));
    for status in [200, 202] {
        assert!(!seen.confirms(&push(0, 60, 70, status)), "the last write began no later");
        assert!(!seen.confirms(&push(1, 15, 25, status)), "another Warehouse was written");
    }
    assert!(seen.confirms(&push(0, 60, 70, 503)), "nothing was promised");
    seen.gaps.push((at(22), at(30)));
    assert!(seen.confirms(&push(0, 21, 25, 200)), "a write may have gone unseen");
    assert!(!seen.confirms(&push(0, 60, 70, 202)));
}

#[test]
fn a_write_whose_event_was_under_way_when_the_watch_broke_may_have_gone_unseen() {
    let at = |second| Timestamp::from_second(second).unwrap();
    let written = |second| {
        let mut it = DynamicObject::new(&warehouse(0), &ApiResource::erase::<Secret>(&()));
        it.annotations_mut().insert(REFRESH.to_owned(), at(second).to_string());
        it
    };
    let mut seen = Tokens::default();
    seen.hear(Ok(Event::Init), at(0));
    seen.hear(Ok(Event::InitDone), at(5));
    // Written at 20, heard of at 30; what was written at 21 and answered at 25 would have been heard of at 31.
    seen.hear(Ok(Event::Apply(written(20))), at(30));
    seen.hear(Ok(Event::Init), at(40));
    seen.hear(Ok(Event::InitApply(written(35))), at(41));
    seen.hear(Ok(Event::InitDone), at(42));
    let push = |sent, answered| Push::example(0, at(sent), at(answered), 200);
    assert!(seen.confirms(&push(21, 25)));
    assert!(!seen.confirms(&push(19, 19)), "it was answered before the last write began, so its own would be known");
    assert!(!seen.confirms(&push(36, 50)), "no write followed");
    seen.hear(Ok(Event::Apply(written(60))), at(61));
    assert!(!seen.confirms(&push(43, 50)), "the watch was whole again");
}
