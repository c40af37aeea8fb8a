//! The proleptic Gregorian calendar.

/// A date and a time of day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::expr) struct Civil {
    pub(in crate::expr) year: i64,
    /// January is 1.
    pub(in crate::expr) month: i64,
    pub(in crate::expr) day: i64,
    pub(in crate::expr) hour: i64,
    pub(in crate::expr) minute: i64,
    pub(in crate::expr) second: i64,
    pub(in crate::expr) nanos: i64,
}

const DAY: i64 = 86_400;
const MONTH_STARTS: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

impl Civil {
    pub(super) fn from_seconds(seconds: i64, nanos: u32) -> Self {
        let (days, rest) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
        // Days since 1 March of year 0, so that the leap day is the last of its year.
        let days = days + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day: day_of_year - (153 * shifted + 2) / 5 + 1,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
            nanos: i64::from(nanos),
        }
    }

    /// Seconds and nanoseconds since 1970. Everything out of range carries over to the next larger member.
    pub(super) fn to_seconds(self) -> (i64, u32) {
        let nanos = i128::from(self.nanos);
        let seconds = i128::from(self.second)
            + i128::from(self.minute) * 60
            + i128::from(self.hour) * 3600
            + self.days() * i128::from(DAY)
            + nanos.div_euclid(1_000_000_000);
        (seconds as i64, nanos.rem_euclid(1_000_000_000) as u32)
    }

    fn days(self) -> i128 {
        let month = i128::from(self.month) - 1;
        let year = i128::from(self.year) + month.div_euclid(12);
        let month = month.rem_euclid(12);
        // March is the first month.
        let (year, month) = if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * month + 2) / 5 + i128::from(self.day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * 146_097 + day_of_era - 719_468
    }

    /// Sunday is 0.
    pub(in crate::expr) fn weekday(self) -> i64 {
        (self.days() + 4).rem_euclid(7) as i64
    }

    /// The first day is 1.
    pub(in crate::expr) fn day_of_year(self) -> i64 {
        let start = usize::try_from(self.month - 1).ok().and_then(|month| MONTH_STARTS.get(month)).copied();
        start.unwrap_or_default() + self.day + i64::from(self.month > 2 && is_leap(self.year))
    }

    /// ISO 8601 year and week.
    pub(in crate::expr) fn iso_week(self) -> (i64, i64) {
        // The week belongs to the year of its Thursday.
        let to_thursday = 4 - if self.weekday() == 0 { 7 } else { self.weekday() };
        let noon = Self { day: self.day + to_thursday, hour: 12, ..self };
        let thursday = Self::from_seconds(noon.to_seconds().0, 0);
        (thursday.year, (thursday.day_of_year() - 1) / 7 + 1)
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// The number of days of that month, January being 1.
pub(in crate::expr) fn days_in_month(month: i64, year: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
