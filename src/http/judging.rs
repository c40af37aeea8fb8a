//! Where requests are judged: on their lane if that is quick, else on a thread that may take its time.
//!
//! A lane serves many senders, and nothing interrupts a comparison. So a lane spares some milliseconds for one request.
//! What needs more is judged on a thread of the pool: a few at a time, and one of each project, so that no project's
//! requests hold up those of another.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Weak};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::delivery::{Judgement, Lookup, judge};
use crate::domain::client_cert::ClientIdentity;
use crate::domain::kind::ReceiverKind;
use crate::domain::work::Work;
use crate::receiver::Request;
use crate::tables::Tables;
use crate::tables::routes::Route;

/// Larger bodies take milliseconds to read alone.
const SHORT_BODY: usize = 64 * 1024;
/// Steps that a lane spares for comparisons.
const SPARED: u64 = 500_000;
/// Requests that are judged on the pool at a time. Each may take tens of megabytes.
const MAX_AT_ONCE: usize = 2;

static PLACES: Semaphore = Semaphore::const_new(MAX_AT_ONCE);
static TURNS: LazyLock<Turns> = LazyLock::new(Turns::default);

/// Judges a request.
pub(super) async fn judge_in_place(
    tables: &Tables,
    route: &Arc<Route>,
    client: &ClientIdentity,
    request: &Request<'_>,
) -> Judgement {
    // What expressions cost does not show before they run.
    if request.body.len() <= SHORT_BODY && route.kind() != ReceiverKind::Generic {
        let judgement = judge(route, client, request, look_up(tables), &mut Work::of(SPARED));
        if !judgement.is_cut_short() {
            return judgement;
        }
    }
    let turn = TURNS.of(route.scope.project()).await;
    // It is never closed.
    let place = PLACES.acquire().await.ok();
    on_the_pool(tables, route, client, request, (turn, place)).await
}

/// The permits belong to the thread: the sender may be gone before it is done.
async fn on_the_pool(
    tables: &Tables,
    route: &Arc<Route>,
    client: &ClientIdentity,
    request: &Request<'_>,
    permits: (Option<OwnedSemaphorePermit>, Option<SemaphorePermit<'static>>),
) -> Judgement {
    let (tables, route, client) = (tables.clone(), Arc::clone(route), *client);
    let (headers, query) = (request.headers.clone(), request.query.map(str::to_owned));
    let (body, arrived) = (request.body.to_vec(), request.arrived);
    let task = tokio::task::spawn_blocking(move || {
        let request = Request { headers: &headers, query: query.as_deref(), body: &body, arrived };
        let judgement = judge(&route, &client, &request, look_up(&tables), &mut Work::default());
        drop(permits);
        judgement
    });
    match task.await {
        Ok(judgement) => judgement,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // Only the end of the process cancels it, and of this request with it.
        Err(_) => std::future::pending().await,
    }
}

fn look_up(tables: &Tables) -> Lookup<'_> {
    let Tables { index, promotions, aliases, .. } = tables;
    Lookup { warehouses: index, promotions, aliases }
}

/// One turn for each project that waits for one.
#[derive(Default)]
struct Turns(Mutex<HashMap<Box<str>, Weak<Semaphore>>>);

impl Turns {
    async fn of(&self, project: &str) -> Option<OwnedSemaphorePermit> {
        let turn = {
            let mut turns = self.0.lock();
            turns.retain(|_, turn| turn.strong_count() > 0);
            let known = turns.get(project).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let turn = Arc::new(Semaphore::new(1));
                turns.insert(project.into(), Arc::downgrade(&turn));
                turn
            })
        };
        turn.acquire_owned().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_project_waits_for_itself_only() {
        let turns = Arc::new(Turns::default());
        let first = turns.of("one").await;
        assert!(first.is_some());
        let second = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move { turns.of("one").await.is_some() }
        });
        assert!(turns.of("two").await.is_some());
        assert!(!second.is_finished());
        drop(first);
        assert!(second.await.unwrap());
        assert!(turns.of("three").await.is_some());
        assert!(turns.0.lock().len() <= 1);
    }
}
