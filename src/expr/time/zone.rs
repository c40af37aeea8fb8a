//! Locations.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A location: rules that say which offset from UTC applies when.
#[derive(Clone, Debug, Default)]
pub struct Zone(Kind);

#[derive(Clone, Debug, Default)]
enum Kind {
    #[default]
    Utc,
    /// One offset, and the abbreviation for it.
    Fixed(Arc<str>, i64),
    Named(Arc<str>, TimeZone),
}

/// What applies at a point in time.
pub(in crate::expr) struct Offset {
    /// Seconds east of UTC.
    pub(in crate::expr) offset: i64,
    pub(in crate::expr) abbreviation: String,
    pub(in crate::expr) is_dst: bool,
}

impl Zone {
    /// The location of an entry of the time zone database; `None` if there is none of that name.
    pub(in crate::expr) fn load(name: &str) -> Option<Self> {
        // The machine's own zone is UTC wherever Kargo runs.
        if matches!(name, "" | "UTC" | "Local") {
            return Some(Self(Kind::Utc));
        }
        let zone = TimeZone::get(name).ok()?;
        // Unlike the database, Go heeds the case.
        (zone.iana_name() == Some(name)).then(|| Self(Kind::Named(name.into(), zone)))
    }

    pub(super) fn fixed(abbreviation: &str, offset: i64) -> Self {
        Self(Kind::Fixed(abbreviation.into(), offset))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.0 {
            Kind::Utc => "UTC",
            Kind::Fixed(name, _) | Kind::Named(name, _) => name,
        }
    }

    pub(in crate::expr) fn at(&self, seconds: i64) -> Offset {
        match &self.0 {
            Kind::Utc => Offset { offset: 0, abbreviation: "UTC".to_owned(), is_dst: false },
            Kind::Fixed(name, offset) => Offset { offset: *offset, abbreviation: (**name).to_owned(), is_dst: false },
            Kind::Named(_, zone) => {
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
        match (&self.0, &other.0) {
            (Kind::Utc, Kind::Utc) => true,
            (Kind::Fixed(name, offset), Kind::Fixed(other_name, other_offset)) => {
                (name, offset) == (other_name, other_offset)
            }
            (Kind::Named(name, _), Kind::Named(other, _)) => name == other,
            _ => false,
        }
    }
}
