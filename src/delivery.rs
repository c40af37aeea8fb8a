//! From an authentic request to the objects it concerns: pure, shared by the server and `quayside explain`.

use crate::domain::alias::HostAliases;
use crate::domain::client_cert::ClientIdentity;
use crate::domain::criterion::{Criterion, Looks, TooManyLooks};
use crate::domain::event::{ActionResult, ActionVerdict, IgnoredEvent, PullRequestEvent, PushEvent, Verdict};
use crate::domain::scope::{ObjectKey, Scope};
use crate::domain::target::{Target, TargetKind};
use crate::domain::work::Work;
use crate::receiver::{self, Rejection, Request};
use crate::tables::promotions::PromotionIndex;
use crate::tables::routes::Route;
use crate::tables::warehouses::{Selection, SubscriptionIndex};

/// What a request is looked up in.
#[derive(Clone, Copy)]
pub struct Lookup<'a> {
    /// Warehouses and what they subscribe to.
    pub warehouses: &'a SubscriptionIndex,
    /// Promotions and what they wait for.
    pub promotions: &'a PromotionIndex,
    /// Other names of registries, for every receiver; see also those of [`crate::receiver::Settings`].
    pub aliases: &'a HostAliases,
}

/// What a request comes to, before anything is refreshed.
#[derive(Debug)]
pub enum Judgement {
    /// The request is at fault.
    Rejected(Rejection),
    /// An authentic event that asks for nothing.
    Ignored(IgnoredEvent),
    /// Something was pushed.
    Push {
        /// What; at least one.
        events: Vec<PushEvent>,
        /// Whom it concerns.
        selection: Selection,
    },
    /// A pull request was closed.
    PullRequest {
        /// Which.
        event: PullRequestEvent,
        /// The Promotions that wait for it; sorted and distinct.
        promotions: Vec<ObjectKey>,
    },
    /// The actions of a `generic` receiver, in their order.
    Actions(Vec<JudgedAction>),
}

/// An action of a `generic` receiver.
#[derive(Debug)]
pub struct JudgedAction {
    /// What became of it.
    pub verdict: ActionVerdict,
    /// What it selects; sorted and distinct.
    pub targets: Vec<Target>,
}

impl Judgement {
    /// Whether the work did not suffice to compare everything.
    #[must_use]
    pub const fn is_cut_short(&self) -> bool {
        matches!(self, Self::Push { selection, .. } if selection.undecided > 0)
    }

    /// Everything to refresh; sorted and distinct.
    #[must_use]
    pub fn targets(&self) -> Vec<Target> {
        match self {
            Self::Rejected(_) | Self::Ignored(_) => Vec::new(),
            Self::Push { selection, .. } => selection.warehouses.iter().cloned().map(Target::warehouse).collect(),
            Self::PullRequest { promotions, .. } => promotions.iter().cloned().map(Target::promotion).collect(),
            Self::Actions(actions) => in_order(actions.iter().flat_map(|action| action.targets.iter().cloned())),
        }
    }

    /// What was pushed; empty when that is not known.
    #[must_use]
    pub fn events(&self) -> &[PushEvent] {
        match self {
            Self::Push { events, .. } => events,
            Self::Rejected(_) | Self::Ignored(_) | Self::PullRequest { .. } | Self::Actions(_) => &[],
        }
    }

    /// The sender's name for the event; empty where it has none.
    #[must_use]
    pub fn event(&self) -> &str {
        match self {
            Self::Rejected(_) | Self::Actions(_) => "",
            Self::Ignored(ignored) => &ignored.event,
            Self::Push { events, .. } => events.first().map_or("", |event| &event.event),
            Self::PullRequest { event, .. } => &event.event,
        }
    }
}

fn in_order(targets: impl Iterator<Item = Target>) -> Vec<Target> {
    let mut targets: Vec<Target> = targets.collect();
    targets.sort_unstable();
    targets.dedup();
    targets
}

/// Whether the request asks for everything but the refresh.
#[must_use]
pub fn is_dry_run(request: &Request<'_>) -> bool {
    request.query_value("dry-run").is_some_and(|value| value == "true")
}

/// Authenticates and reads the request of a client that proved this when it connected, and selects the objects it
/// concerns.
/// Comparing is paid for from the work.
#[must_use]
pub fn judge(
    route: &Route,
    client: &ClientIdentity,
    request: &Request<'_>,
    tables: Lookup<'_>,
    work: &mut Work,
) -> Judgement {
    let Route { settings, .. } = route;
    let credentials = &settings.credentials;
    let admitted = credentials.admit_client(client).and_then(|()| credentials.admit(request));
    match admitted.and_then(|()| receiver::implementation(route.kind()).receive(request, settings)) {
        Err(rejection) => Judgement::Rejected(rejection),
        Ok(Verdict::Ignored(ignored)) => Judgement::Ignored(ignored),
        Ok(Verdict::Push(event)) => push(route, vec![event], tables, work),
        Ok(Verdict::Pushes(events)) => push(route, events, tables, work),
        Ok(Verdict::PullRequest(event)) => {
            let promotions = tables.promotions.waiting_for(&route.scope, &event.url);
            Judgement::PullRequest { event, promotions }
        }
        Ok(Verdict::Actions(verdicts)) => {
            let mut looks = Looks::default();
            let judged = verdicts.into_iter().map(|verdict| judged(&route.scope, verdict, tables, &mut looks));
            Judgement::Actions(judged.collect())
        }
    }
}

fn push(route: &Route, events: Vec<PushEvent>, tables: Lookup<'_>, work: &mut Work) -> Judgement {
    let aliases = [tables.aliases, &route.settings.aliases];
    let events: Vec<_> = events.into_iter().map(|event| event.also_known_as(aliases)).collect();
    let selection = tables.warehouses.select(&route.scope, &events, work);
    Judgement::Push { events, selection }
}

fn judged(scope: &Scope, verdict: ActionVerdict, tables: Lookup<'_>, looks: &mut Looks) -> JudgedAction {
    // As with the budget of the expressions, one action leaves half to the others whatever it wants.
    let mut share = looks.take_half();
    let selected = match &verdict.result {
        ActionResult::Refresh(criteria) => selected(scope, criteria, tables, &mut share),
        ActionResult::Failed { .. } | ActionResult::NotApplicable | ActionResult::Unknown => Ok(Vec::new()),
    };
    match selected {
        Ok(targets) => {
            looks.give_back(&share);
            JudgedAction { verdict, targets }
        }
        Err(TooManyLooks) => {
            let detail = "targetSelectionCriteria: the criteria of the request would look at too many objects (limit)";
            let result = ActionResult::criteria_failed("limit", detail.to_owned());
            JudgedAction { verdict: ActionVerdict { result, ..verdict }, targets: Vec::new() }
        }
    }
}

fn selected(
    scope: &Scope,
    criteria: &[Criterion],
    tables: Lookup<'_>,
    looks: &mut Looks,
) -> Result<Vec<Target>, TooManyLooks> {
    let mut found = Vec::new();
    let mut most = 1_024;
    for criterion in criteria {
        found.extend(match criterion.kind {
            TargetKind::Warehouse => {
                targets(tables.warehouses.selected_by(scope, criterion, looks)?, Target::warehouse)
            }
            TargetKind::Promotion => {
                targets(tables.promotions.selected_by(scope, criterion, looks)?, Target::promotion)
            }
        });
        // Many criteria may select the same objects, which are kept once.
        if found.len() > most {
            found = in_order(found.into_iter());
            most = 1_024 + 2 * found.len();
        }
    }
    Ok(in_order(found.into_iter()))
}

fn targets(keys: Vec<ObjectKey>, target: fn(ObjectKey) -> Target) -> Vec<Target> {
    keys.into_iter().map(target).collect()
}

#[cfg(test)]
mod tests;
