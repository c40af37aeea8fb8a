//! A sender that behaves as Quay does: what is not acknowledged is sent again, three times in all.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;

use super::repository;
use crate::harness::{Answer, Connection, Hook, push_body};

const ATTEMPTS: u8 = 3;
const PAUSE: Duration = Duration::from_millis(100);

static ACKNOWLEDGED: AtomicUsize = AtomicUsize::new(0);

/// One attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Push {
    pub(super) warehouse: usize,
    pub(super) sent: Timestamp,
    pub(super) answered: Timestamp,
    /// Zero when there was no answer.
    pub(super) status: u16,
    attempt: u8,
}

impl Push {
    pub(super) const fn example(warehouse: usize, sent: Timestamp, answered: Timestamp, status: u16) -> Self {
        Self { warehouse, sent, answered, status, attempt: 1 }
    }

    pub(super) fn is_acknowledged(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Pushes that were acknowledged so far, by anybody.
pub(super) fn acknowledged() -> usize {
    ACKNOWLEDGED.load(Ordering::Relaxed)
}

/// Pushes of which no attempt was acknowledged.
pub(super) fn given_up(pushes: &[Push]) -> usize {
    pushes.iter().filter(|push| push.attempt == ATTEMPTS && !push.is_acknowledged()).count()
}

pub(super) struct Sender {
    hooks: [Hook; 2],
    /// The connection, and which replica it leads to.
    connection: Option<Connection>,
    replica: usize,
    /// What is sent, by replica and Warehouse.
    requests: HashMap<(usize, usize), Vec<u8>>,
    pub(super) pushes: Vec<Push>,
}

impl Sender {
    pub(super) fn new(hooks: [Hook; 2], number: usize) -> Self {
        Self { hooks, connection: None, replica: number % 2, requests: HashMap::new(), pushes: Vec::new() }
    }

    /// Pushes until it is acknowledged, or no longer.
    pub(super) fn push(&mut self, warehouse: usize) {
        for attempt in 1..=ATTEMPTS {
            let sent = Timestamp::now();
            let status = self.exchange(warehouse).map_or(0, |answer| answer.status);
            let push = Push { warehouse, sent, answered: Timestamp::now(), status, attempt };
            self.pushes.push(push);
            if push.is_acknowledged() {
                ACKNOWLEDGED.fetch_add(1, Ordering::Relaxed);
                // A disk takes in thousands a second, and no sender is as fast as that.
                if status == 202 {
                    thread::sleep(PAUSE / 2);
                }
                return;
            }
            // A Service leads elsewhere when no replica listens.
            (self.connection, self.replica) = (None, 1 - self.replica);
            thread::sleep(PAUSE);
        }
    }

    fn exchange(&mut self, warehouse: usize) -> io::Result<Answer> {
        let hook = &self.hooks[self.replica];
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => self.connection.insert(hook.connect()?),
        };
        let key = (self.replica, warehouse);
        connection.send(self.requests.entry(key).or_insert_with(|| request(hook, warehouse)))?;
        let answer = connection.next_answer()?;
        if answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            self.connection = None;
        }
        Ok(answer)
    }
}

/// A push, whole, on a connection that stays open.
fn request(hook: &Hook, warehouse: usize) -> Vec<u8> {
    let body = push_body(&repository(warehouse), &["1.0.0"]);
    let head = "Host: quayside.test\r\nContent-Type: application/json";
    format!("POST {} HTTP/1.1\r\n{head}\r\nContent-Length: {}\r\n\r\n{body}", hook.path, body.len()).into_bytes()
}
