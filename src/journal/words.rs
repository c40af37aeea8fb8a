//! How records read, wherever people meet them: on the command line and on the page.

use jiff::{SignedDuration, Timestamp};

use super::record::{Record, State};

impl State {
    /// The state in a word or two.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Owed => "owed",
            Self::Written => "written",
            Self::Handled => "handled",
            Self::Looked => "looked",
            Self::Seen => "seen",
            Self::LookedNotListed => "looked, not listed",
            Self::NotLooked => "not looked",
            Self::NotHandled => "not handled",
        }
    }

    /// Troubles before the steps of an ordinary refresh, for choosing the one to show of several.
    const fn rank(self) -> u8 {
        match self {
            Self::NotHandled => 0,
            Self::NotLooked => 1,
            Self::LookedNotListed => 2,
            Self::Owed => 3,
            Self::Written => 4,
            Self::Handled => 5,
            Self::Looked => 6,
            Self::Seen => 7,
        }
    }
}

impl Record {
    /// How far its refreshes have come: of several, the one that lags most. `None` without a refresh.
    #[must_use]
    pub fn progress(&self) -> Option<State> {
        self.refreshes.iter().map(|refresh| refresh.state).min_by_key(|state| state.rank())
    }

    /// The receiver as people write it.
    #[must_use]
    pub fn receiver_name(&self) -> String {
        receiver_name(&self.project, &self.receiver)
    }
}

/// `PROJECT/NAME`, or the bare name of a receiver of the cluster.
#[must_use]
pub fn receiver_name(project: &str, name: &str) -> String {
    if project.is_empty() { name.to_owned() } else { format!("{project}/{name}") }
}

/// A time to the second.
#[must_use]
pub fn clock(time: Timestamp) -> String {
    time.strftime("%F %T UTC").to_string()
}

/// How long ago, in its largest unit.
#[must_use]
pub fn age(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(since).max(SignedDuration::ZERO).as_secs();
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::record::Refresh;

    #[test]
    fn of_several_refreshes_the_one_in_trouble_is_shown() {
        let refresh = |state| Refresh { state, ..Refresh::default() };
        let of = |states: &[State]| {
            let refreshes = states.iter().map(|state| refresh(*state)).collect();
            Record { refreshes, ..Record::default() }.progress()
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[State::Seen, State::NotLooked, State::Owed]), Some(State::NotLooked));
        assert_eq!(of(&[State::Seen, State::Written]), Some(State::Written));
    }

    #[test]
    fn an_age_has_its_largest_unit() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        for (seconds, age) in [(0, "0s"), (119, "119s"), (120, "2m"), (7200, "2h"), (172_800, "2d")] {
            assert_eq!(super::age(at(0), at(seconds)), age);
        }
        assert_eq!(super::age(at(10), at(0)), "0s", "clocks may differ");
    }
}
