//! Points in time.

use super::civil::Civil;
use super::zone::Zone;

const NANOS: i64 = 1_000_000_000;
/// Seconds from year 1, where Go's zero time is, to 1970.
const YEAR_ONE: i64 = -62_135_596_800;

/// A point in time, seen from a location.
#[derive(Clone, Debug)]
pub struct Time {
    seconds: i64,
    nanos: u32,
    zone: Zone,
}

impl Time {
    pub(in crate::expr) fn new(seconds: i64, nanos: u32, zone: Zone) -> Self {
        Self { seconds, nanos, zone }
    }

    /// Seconds since 1970.
    #[must_use]
    pub const fn seconds(&self) -> i64 {
        self.seconds
    }

    /// Nanoseconds within the second.
    #[must_use]
    pub const fn nanos(&self) -> u32 {
        self.nanos
    }

    /// The location it is seen from.
    #[must_use]
    pub const fn zone(&self) -> &Zone {
        &self.zone
    }

    /// RFC 3339, with as many digits of the second as needed.
    #[must_use]
    pub fn rfc3339(&self) -> String {
        self.format("2006-01-02T15:04:05.999999999Z07:00")
    }

    pub(in crate::expr) fn of_key(seconds: i64, nanos: u32, zone: &str) -> Self {
        Self::new(seconds, nanos, Zone::load(zone).unwrap_or_default())
    }

    pub(in crate::expr) fn in_zone(&self, zone: Zone) -> Self {
        Self { zone, ..self.clone() }
    }

    /// Date and time of day at its location.
    pub(in crate::expr) fn civil(&self) -> Civil {
        let offset = self.zone.at(self.seconds).offset;
        Civil::from_seconds(self.seconds.wrapping_add(offset), self.nanos)
    }

    /// The point in time of a date and a time of day at a location. Members out of range carry over.
    pub(in crate::expr) fn from_civil(civil: &Civil, zone: Zone) -> Self {
        let (seconds, nanos) = civil.to_seconds();
        let guess = zone.at(seconds).offset;
        // The offset is that of the point in time, which is only known once there is an offset.
        let offset = if guess == 0 { 0 } else { zone.at(seconds.wrapping_sub(guess)).offset };
        Self::new(seconds.wrapping_sub(offset), nanos, zone)
    }

    pub(in crate::expr) fn add(&self, duration: i64) -> Self {
        let nanos = i64::from(self.nanos) + duration % NANOS;
        let seconds = self.seconds.wrapping_add(duration / NANOS).wrapping_add(nanos.div_euclid(NANOS));
        Self::new(seconds, nanos.rem_euclid(NANOS) as u32, self.zone.clone())
    }

    /// The time from another point in time to this one, as far as a duration can hold it.
    pub(in crate::expr) fn since(&self, other: &Self) -> i64 {
        let nanos = self.total_nanos() - other.total_nanos();
        nanos.clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }

    /// Truncated to a multiple of the duration since year 1, or rounded to it.
    pub(in crate::expr) fn to_multiple(&self, duration: i64, round: bool) -> Self {
        if duration <= 0 {
            return self.clone();
        }
        let since_one = self.total_nanos() - i128::from(YEAR_ONE) * i128::from(NANOS);
        let rest = since_one.rem_euclid(duration.into()) as i64;
        let up = round && i128::from(rest) * 2 >= i128::from(duration);
        self.add(if up { duration - rest } else { -rest })
    }

    pub(in crate::expr) fn total_nanos(&self) -> i128 {
        i128::from(self.seconds) * i128::from(NANOS) + i128::from(self.nanos)
    }

    /// The beginning of year 1, Go's zero value.
    pub(in crate::expr) fn zero() -> Self {
        Self::new(YEAR_ONE, 0, Zone::default())
    }

    pub(in crate::expr) fn is_zero(&self) -> bool {
        self.seconds == YEAR_ONE && self.nanos == 0
    }
}

impl PartialEq for Time {
    /// The same point in time, wherever it is seen from.
    fn eq(&self, other: &Self) -> bool {
        self.total_nanos() == other.total_nanos()
    }
}

impl PartialOrd for Time {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.total_nanos().cmp(&other.total_nanos()))
    }
}
