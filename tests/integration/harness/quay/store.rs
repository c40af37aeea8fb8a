//! What the stand-in remembers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Instant;

/// Attempts that an event has.
const ATTEMPTS: u32 = 5;
/// Failures in a row that switch a hook off.
pub(super) const OFF: u32 = 3;

/// What the user may do with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    Admin,
    /// Reads and writes.
    Write,
    /// Sees nothing there.
    Nothing,
}

/// A hook as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notification {
    pub(crate) uuid: String,
    pub(crate) title: Option<String>,
    pub(crate) event: String,
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) number_of_failures: u32,
}

/// One attempt to send an event.
#[derive(Clone, Debug)]
pub(crate) struct Delivered {
    pub(crate) at: Instant,
    pub(crate) repository: String,
    /// The id of the hook.
    pub(crate) uuid: String,
    pub(crate) url: String,
    pub(crate) body: String,
    /// The status of the answer, if one came.
    pub(crate) status: Option<u16>,
}

impl Delivered {
    pub(crate) fn has_arrived(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

/// One call of the API.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) at: Instant,
    pub(crate) what: &'static str,
    /// The repository or namespace.
    pub(crate) of: String,
    pub(crate) status: u16,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    RepoAdmin,
    Less,
}

pub(super) struct Repository {
    pub(super) name: String,
    pub(super) right: Right,
    pub(super) hooks: Vec<Notification>,
}

impl Repository {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), right: Right::Admin, hooks: Vec::new() }
    }
}

/// An event that waits for one hook.
pub(super) struct Row {
    pub(super) repository: String,
    pub(super) uuid: String,
    pub(super) body: String,
    pub(super) attempts: u32,
    /// At which look of the worker it is due.
    pub(super) due: u64,
}

pub(super) struct Store {
    pub(super) host: String,
    pub(super) namespaces: BTreeSet<String>,
    /// The oldest first.
    pub(super) repositories: Vec<Repository>,
    pub(super) tokens: BTreeMap<String, Scope>,
    pub(super) rows: Vec<Row>,
    /// Rows that the worker has taken out and not dealt with yet.
    pub(super) in_hand: usize,
    pub(super) delivered: Vec<Delivered>,
    pub(super) calls: Vec<Call>,
    pub(super) audit: Vec<(&'static str, String)>,
    pub(super) is_read_only: bool,
    pub(super) throttled: usize,
    pub(super) page_size: usize,
    pub(super) resolved: Option<SocketAddr>,
    /// The look of the worker that comes next.
    pub(super) look: u64,
    made: u64,
}

impl Store {
    pub(super) fn new(host: String) -> Self {
        Self {
            host,
            namespaces: BTreeSet::new(),
            repositories: Vec::new(),
            tokens: BTreeMap::new(),
            rows: Vec::new(),
            in_hand: 0,
            delivered: Vec::new(),
            calls: Vec::new(),
            audit: Vec::new(),
            is_read_only: false,
            throttled: 0,
            page_size: 100,
            resolved: None,
            look: 0,
            made: 0,
        }
    }

    /// A number that none had before.
    fn next(&mut self) -> u64 {
        self.made += 1;
        self.made
    }

    pub(super) fn token(&mut self, scope: Scope) -> String {
        let token = format!("{:0>40}", format!("token{}", self.next()));
        self.tokens.insert(token.clone(), scope);
        token
    }

    /// A repository that the test has made.
    #[track_caller]
    pub(super) fn found(&mut self, name: &str) -> &mut Repository {
        self.get(name).unwrap_or_else(|| panic!("there is no repository {name}"))
    }

    pub(super) fn get(&mut self, name: &str) -> Option<&mut Repository> {
        self.repositories.iter_mut().find(|repository| repository.name == name)
    }

    pub(super) fn hook(&mut self, repository: &str, uuid: &str) -> Option<&mut Notification> {
        self.get(repository)?.hooks.iter_mut().find(|hook| hook.uuid == uuid)
    }

    #[track_caller]
    pub(super) fn add(
        &mut self,
        repository: &str,
        title: Option<&str>,
        url: &str,
        event: &str,
        method: &str,
    ) -> String {
        let uuid = format!("0b5a2d5e-7c41-4c8e-9a53-{:012x}", self.next());
        let hook = Notification {
            uuid: uuid.clone(),
            title: title.map(str::to_owned),
            event: event.to_owned(),
            method: method.to_owned(),
            url: url.to_owned(),
            number_of_failures: 0,
        };
        self.found(repository).hooks.push(hook);
        uuid
    }

    /// Queues an event for each hook that asks for it. What is switched off gets none, now or later.
    #[track_caller]
    pub(super) fn announce(&mut self, repository: &str, event: &str, body: &str) {
        let hooks = self.found(repository).hooks.iter();
        let asking = hooks.filter(|hook| hook.event == event).map(|hook| hook.uuid.clone());
        for uuid in asking.collect::<Vec<_>>() {
            self.queue(repository, &uuid, body);
        }
    }

    /// The worker has dealt with a row, which may wait again.
    pub(super) fn put_down(&mut self, row: Option<Row>) {
        self.in_hand -= 1;
        self.rows.extend(row);
    }

    pub(super) fn queue(&mut self, repository: &str, uuid: &str, body: &str) {
        let look = self.look;
        if self.hook(repository, uuid).is_some_and(|hook| hook.number_of_failures < OFF) {
            let (repository, uuid, body) = (repository.to_owned(), uuid.to_owned(), body.to_owned());
            self.rows.push(Row { repository, uuid, body, attempts: ATTEMPTS, due: look });
        }
    }
}
