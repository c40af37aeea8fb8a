//! The worker that sends events: one at a time, in no order, at looks that are a quarter of a beat apart.

use std::collections::BTreeSet;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::Shared;
use super::store::{Delivered, OFF, Row};
use crate::harness::{Connection, exchange_on};

/// Looks from a failed attempt to the next one: a row is due 30 s after its failure, and the look after 30 s comes just
/// too early.
const LOOKS: u64 = 4;

pub(super) fn run(shared: &Shared, pause: Duration) {
    let mut next = Instant::now();
    while !shared.has_ended.load(Ordering::SeqCst) {
        look(shared);
        // A look that took longer than the pause is followed by the next one at once.
        next = (next + pause).max(Instant::now());
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

fn look(shared: &Shared) {
    let (mut due, now) = {
        let mut store = shared.store();
        let now = store.look;
        store.look += 1;
        let off: BTreeSet<String> = store
            .repositories
            .iter()
            .flat_map(|repository| &repository.hooks)
            .filter(|hook| hook.number_of_failures >= OFF)
            .map(|hook| hook.uuid.clone())
            .collect();
        let (due, later): (Vec<Row>, Vec<Row>) =
            std::mem::take(&mut store.rows).into_iter().partition(|row| row.due <= now);
        store.rows = later;
        // What comes due while its hook is switched off is thrown away.
        let due: Vec<Row> = due.into_iter().filter(|row| !off.contains(&row.uuid)).collect();
        store.in_hand = due.len();
        (due, now)
    };
    // A real worker picks at random. Any order but the one in which they came will do.
    due.reverse();
    for row in due {
        attempt(shared, row, now);
    }
}

fn attempt(shared: &Shared, mut row: Row, now: u64) {
    row.due = now + LOOKS;
    let (url, resolved) = {
        let mut store = shared.store();
        let resolved = store.resolved;
        let Some(hook) = store.hook(&row.repository, &row.uuid) else {
            return store.put_down(None);
        };
        if hook.number_of_failures >= OFF {
            // Switched off in this look. The row waits until it comes due again: a reset before that brings it back.
            return store.put_down(Some(row));
        }
        (hook.url.clone(), resolved)
    };
    row.attempts -= 1;
    let at = Instant::now();
    let status = post(&url, resolved, &row.body);
    let mut store = shared.store();
    let delivered = Delivered {
        at,
        repository: row.repository.clone(),
        uuid: row.uuid.clone(),
        url,
        body: row.body.clone(),
        status,
    };
    let has_arrived = delivered.has_arrived();
    store.delivered.push(delivered);
    // A hook that was deleted meanwhile takes its events along.
    let Some(hook) = store.hook(&row.repository, &row.uuid) else {
        return store.put_down(None);
    };
    hook.number_of_failures = if has_arrived { 0 } else { hook.number_of_failures + 1 };
    let has_another = !has_arrived && row.attempts > 0;
    store.put_down(has_another.then_some(row));
}

/// Posts as Quay does, on a connection of its own. Redirects are not followed and count as failures.
fn post(url: &str, resolved: Option<SocketAddr>, body: &str) -> Option<u16> {
    let url: http::Uri = url.parse().ok()?;
    let address = match resolved {
        Some(address) => address,
        None => {
            let host = url.host()?.trim_start_matches('[').trim_end_matches(']');
            (host, url.port_u16().unwrap_or(80)).to_socket_addrs().ok()?.next()?
        }
    };
    let headers = [
        "User-Agent: python-requests/2.32.3",
        "Accept-Encoding: gzip, deflate",
        "Accept: */*",
        "Content-type: application/json",
    ];
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let connection = Connection::open(address).ok()?;
    Some(exchange_on(connection, &format!("POST {path}"), &headers, body.as_bytes()).ok()?.status)
}
