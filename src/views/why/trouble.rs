//! What keeps pushes from arriving, judged by the last requests to the receivers of a Warehouse.

use jiff::Timestamp;

use crate::journal::words::{clock, receiver_name};
use crate::views::model::{Call, Calls, Notification, Reach, Warehouse};

pub(super) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// What keeps pushes from arriving.
pub(super) struct Trouble {
    /// When it showed last; `None` for mere silence.
    pub(super) time: Option<Timestamp>,
    /// A clause that stands alone.
    pub(super) text: String,
}

/// The latest trouble of the receivers that reach the Warehouse.
pub(super) fn trouble(view: &Warehouse) -> Option<Trouble> {
    // What comes to a receiver of everybody says little about one project; its own receivers are more telling.
    let (own, shared): (Vec<&Reach>, Vec<&Reach>) = view.receivers.iter().partition(|reach| !reach.project.is_empty());
    let receivers = if own.is_empty() { shared } else { own };
    let reaching = || receivers.iter().copied().filter(|reach| reach.reaches);
    let switched_off = view.notifications.iter().filter_map(switched_off);
    let latest = reaching().filter_map(broken).chain(switched_off).max_by_key(|trouble| trouble.time);
    latest.or_else(|| view.notifications.iter().find_map(not_registered)).or_else(|| {
        if reaching().any(|reach| reach.calls.useful.is_some()) {
            return None;
        }
        let not_reaching = || receivers.iter().find(|reach| !reach.reaches).map(|reach| not_reaching(reach));
        not_reaching().or_else(|| reaching().find_map(idle)).or_else(|| silent(reaching()))
    })
}

/// A receiver that should reach the Warehouse and does not.
fn not_reaching(reach: &Reach) -> Trouble {
    let text = format!("receiver {}: {}", receiver_name(&reach.project, &reach.name), reach.because);
    Trouble { time: None, text }
}

/// A receiver to which only events came that ask for nothing.
fn idle(reach: &Reach) -> Option<Trouble> {
    let Call { time, message, .. } = reach.calls.idle.as_ref()?;
    let name = receiver_name(&reach.project, &reach.name);
    let text =
        format!("only events that ask for nothing came to receiver {name}, the last at {}: {message}", clock(*time));
    Some(Trouble { time: Some(*time), text })
}

/// Receivers to which nothing came.
fn silent<'r>(reaching: impl Iterator<Item = &'r Reach>) -> Option<Trouble> {
    let silent: Vec<String> = reaching
        .filter(|reach| reach.calls == Calls::default())
        .map(|reach| receiver_name(&reach.project, &reach.name))
        .collect();
    let text = format!(
        "no request has come to receiver {}; see whether its sender has the URL and is enabled",
        silent.join(", ")
    );
    (!silent.is_empty()).then_some(Trouble { time: None, text })
}

/// A notification that the sender has switched off, also when it is on again: pushes in between were not notified.
fn switched_off(notification: &Notification) -> Option<Trouble> {
    let Notification { sender, repository, message, works, disabled, healed, .. } = notification;
    let what = format!("{sender}'s notification for {repository} was disabled, seen at {}", clock((*disabled)?));
    let text = match healed.filter(|healed| Some(*healed) >= *disabled && *works) {
        Some(healed) => format!("{what}, and enabled again at {}; the Warehouse was refreshed then", clock(healed)),
        None if message.is_empty() => format!("{what}, and is enabled again"),
        None => format!("{what}: {message}"),
    };
    Some(Trouble { time: (*healed).max(*disabled), text })
}

/// A repository without a notification, or a registration that cannot do its work.
fn not_registered(notification: &Notification) -> Option<Trouble> {
    let Notification { registration, repository, message, .. } = notification;
    let of = if repository.is_empty() { String::new() } else { format!(", {repository}") };
    let text = format!("registration {registration}{of}: {message}");
    (!message.is_empty()).then_some(Trouble { time: None, text })
}

/// A receiver whose sender was refused, or called a URL that is no longer served, after it last said what was pushed.
fn broken(reach: &Reach) -> Option<Trouble> {
    let Calls { useful, refused, retired, .. } = &reach.calls;
    let is_later = |call: &&Call| useful.as_ref().is_none_or(|useful| call.time > useful.time);
    let name = receiver_name(&reach.project, &reach.name);
    let retired = retired.as_ref().filter(is_later).map(|call| Trouble {
        time: Some(call.time),
        text: format!(
            "the sender of receiver {name} calls a URL that is no longer in force, last at {}; register the current one \
             with the sender",
            clock(call.time)
        ),
    });
    let refused = refused.as_ref().filter(is_later).map(|call| {
        let Call { time, outcome, message } = call;
        let remark = if reach.remark.is_empty() { String::new() } else { format!("; {}", reach.remark) };
        let text = format!(
            "the last request to receiver {name}, at {}, was refused as {outcome}: {message}{remark}",
            clock(*time)
        );
        Trouble { time: Some(*time), text }
    });
    retired.into_iter().chain(refused).max_by_key(|trouble| trouble.time)
}
