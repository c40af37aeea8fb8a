//! What is done for each repository.

use anyhow::Context;
use futures::StreamExt;

use super::progress::Progress;
use crate::hooks::{Access, Hook, HookUrl, Host, NewHook, Refusal};

/// Repositories that are worked on at a time. The pace of the host bounds the calls.
const AT_A_TIME: usize = 4;

/// What is to be done.
pub(super) struct Work {
    pub(super) action: Action,
    pub(super) ours: Ours,
    /// Say what would be done, and change nothing.
    pub(super) is_dry: bool,
}

pub(super) enum Action {
    List,
    Register { url: HookUrl, title: String, events: Vec<String> },
    Test,
    Heal,
    Remove,
}

/// Which webhooks are ours.
pub(super) struct Ours {
    pub(super) url: Option<HookUrl>,
    /// `None`: any.
    pub(super) title: Option<String>,
}

impl Ours {
    pub(super) fn is(&self, hook: &Hook) -> bool {
        self.url.as_ref().is_none_or(|url| *url == hook.url)
            && self.title.as_ref().is_none_or(|title| hook.title.as_ref() == Some(title))
    }
}

/// What came of one repository.
pub(super) struct Row {
    pub(super) repository: String,
    /// What the token may do there, if that is known.
    pub(super) access: Option<Access>,
    pub(super) ending: Ending,
    /// How many webhooks were changed, or would have been.
    pub(super) changed: usize,
    /// What else is to be said.
    pub(super) message: String,
    /// The webhooks that were found, and whether they are ours.
    pub(super) hooks: Vec<(Hook, bool)>,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Listed,
    Registered,
    /// It was registered already.
    Present,
    Tested,
    Healed,
    /// Nothing had failures.
    Healthy,
    Removed,
    /// There is no webhook of ours.
    NothingOfOurs,
    /// A webhook is switched off, so a test would not be sent.
    SwitchedOff,
    /// The token is not admin.
    NotAdmin,
    /// The host refused, for this reason.
    Refused(&'static str),
}

impl Ending {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Listed => "listed",
            Self::Registered => "registered",
            Self::Present => "present",
            Self::Tested => "tested",
            Self::Healed => "healed",
            Self::Healthy => "healthy",
            Self::Removed => "removed",
            Self::NothingOfOurs => "nothing_of_ours",
            Self::SwitchedOff => "switched_off",
            Self::NotAdmin => "NotAdmin",
            Self::Refused(reason) => reason,
        }
    }
}

impl Row {
    pub(super) const fn has_failed(&self) -> bool {
        matches!(self.ending, Ending::SwitchedOff | Ending::NotAdmin | Ending::Refused(_))
    }
}

/// Does the work for all repositories, in their order.
///
/// # Errors
/// When the token cannot be used, or the host did not answer the first call: no other repository would fare better.
pub(super) async fn run(host: &dyn Host, repositories: &[String], work: &Work) -> anyhow::Result<Vec<Row>> {
    let mut progress = Progress::new(repositories.len());
    let mut rows: Vec<Row> = Vec::new();
    let each = repositories.iter().map(|repository| one(host, repository, work));
    let mut each = futures::stream::iter(each).buffered(AT_A_TIME);
    while let Some((row, refusal)) = each.next().await {
        progress.step(&row.repository);
        match refusal {
            Some(refusal @ Refusal::TokenUnusable) => return Err(refusal.into()),
            Some(refusal @ Refusal::Unreachable(_)) if rows.is_empty() => {
                return Err(refusal).with_context(|| format!("repository {}", row.repository));
            }
            _ => rows.push(row),
        }
    }
    Ok(rows)
}

async fn one(host: &dyn Host, repository: &str, work: &Work) -> (Row, Option<Refusal>) {
    let mut row = Row {
        repository: repository.to_owned(),
        access: None,
        ending: Ending::Listed,
        changed: 0,
        message: String::new(),
        hooks: Vec::new(),
    };
    let refusal = attempt(host, work, &mut row).await.err();
    if let Some(refusal) = &refusal {
        row.ending = Ending::Refused(refusal.reason());
        row.message = refusal.to_string();
    }
    (row, refusal)
}

async fn attempt(host: &dyn Host, work: &Work, row: &mut Row) -> Result<(), Refusal> {
    let repository = row.repository.clone();
    let access = host.inspect(&repository).await?;
    row.access = Some(access);
    if access == Access::NotAdmin {
        (row.ending, row.message) = (Ending::NotAdmin, Refusal::Forbidden.to_string());
        return Ok(());
    }
    let hooks = host.list(&repository).await?;
    row.hooks = hooks.into_iter().map(|hook| (work.ours.is(&hook), hook)).map(|(ours, hook)| (hook, ours)).collect();
    // A host gives no order.
    row.hooks.sort_by(|(one, _), (other, _)| one.id.cmp(&other.id));
    let ours: Vec<Hook> = row.hooks.iter().filter(|(_, ours)| *ours).map(|(hook, _)| hook.clone()).collect();
    match &work.action {
        Action::List => row.ending = Ending::Listed,
        Action::Register { url, title, events } => {
            row.ending = Ending::Present;
            for event in events {
                register(host, work.is_dry, row, NewHook { title, url, event, secret: None }).await?;
            }
        }
        _ if ours.is_empty() => row.ending = Ending::NothingOfOurs,
        Action::Test => test(host, work.is_dry, row, &ours).await?,
        Action::Heal => heal(host, work.is_dry, row, &ours).await?,
        Action::Remove => {
            row.ending = Ending::Removed;
            for hook in &ours {
                if !work.is_dry {
                    host.delete(&repository, &hook.id).await?;
                }
                row.changed += 1;
            }
        }
    }
    Ok(())
}

/// Makes a webhook, unless there is one that does the same, and removes all but one of ours that do the same.
async fn register(host: &dyn Host, is_dry: bool, row: &mut Row, new: NewHook<'_>) -> Result<(), Refusal> {
    let same = row.hooks.iter().filter(|(hook, _)| hook.url == *new.url && hook.event == new.event);
    let (mut ours, others): (Vec<_>, Vec<_>) = same.cloned().partition(|(_, ours)| *ours);
    // The one that stays is the one that works.
    ours.sort_by_key(|(hook, _)| hook.failures);
    if let Some((kept, _)) = ours.first().or_else(|| others.first()) {
        if kept.failures > 0 {
            row.message = format!("{} has {} failure(s): run quayside quay heal", new.event, kept.failures);
        } else if ours.is_empty() {
            row.message = format!("{} was registered by hand and stays as it is", new.event);
        }
    } else {
        if !is_dry {
            host.create(&row.repository, new).await?;
        }
        row.ending = Ending::Registered;
        row.changed += 1;
    }
    let doubles: Vec<_> = ours.iter().skip(1).map(|(hook, _)| hook.id.clone()).collect();
    for double in &doubles {
        if !is_dry {
            host.delete(&row.repository, double).await?;
        }
        row.changed += 1;
    }
    if !doubles.is_empty() {
        row.message = format!("{} double(s) of {}", doubles.len(), new.event) + if is_dry { "" } else { " removed" };
    }
    Ok(())
}

async fn test(host: &dyn Host, is_dry: bool, row: &mut Row, ours: &[Hook]) -> Result<(), Refusal> {
    row.ending = Ending::Tested;
    for hook in ours {
        if !hook.active {
            row.ending = Ending::SwitchedOff;
            row.message = "Quay sends nothing to a webhook that is switched off: run quayside quay heal".to_owned();
            continue;
        }
        if !is_dry {
            host.test(&row.repository, &hook.id).await?;
        }
        row.changed += 1;
    }
    Ok(())
}

async fn heal(host: &dyn Host, is_dry: bool, row: &mut Row, ours: &[Hook]) -> Result<(), Refusal> {
    row.ending = Ending::Healthy;
    for hook in ours.iter().filter(|hook| hook.failures > 0) {
        if !is_dry {
            host.enable(&row.repository, &hook.id).await?;
        }
        row.ending = Ending::Healed;
        row.changed += 1;
    }
    if row.ending == Ending::Healed {
        row.message = "pushes while it was switched off are lost: refresh the Warehouses that subscribe".to_owned();
    }
    Ok(())
}
