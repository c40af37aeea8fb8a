//! Methods of times, durations and the other types that have some.

use super::types::{FuncType, Type};
use Type::{Bool, Bytes, Duration, Error, Float, Int, Int64, Month, Text, Time, Weekday, Zone};

macro_rules! methods {
    ($($variant:ident $owner:ident $name:literal ($($in:ident),*) -> ($($out:ident),*) $ty:literal;)*) => {
        /// A method.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Method { $($variant),* }

        impl Method {
            /// The method of that name of a type.
            pub(super) fn of(owner: Type, name: &[u8]) -> Option<Self> {
                $(if owner == $owner && name == $name.as_bytes() { return Some(Self::$variant); })*
                None
            }

            /// Its type with the receiver.
            pub(super) const fn func_type(self) -> &'static FuncType {
                match self {
                    $(Self::$variant => &FuncType { ins: &[$owner, $($in),*], variadic: false, outs: &[$($out),*] }),*
                }
            }

            /// Its Go type as a value, which is without the receiver.
            pub(super) const fn go_type(self) -> &'static str {
                match self { $(Self::$variant => $ty),* }
            }
        }
    };
}

methods! {
    TimeAdd Time "Add" (Duration) -> (Time) "func(time.Duration) time.Time";
    TimeAddDate Time "AddDate" (Int, Int, Int) -> (Time) "func(int, int, int) time.Time";
    TimeAfter Time "After" (Time) -> (Bool) "func(time.Time) bool";
    TimeAppendFormat Time "AppendFormat" (Bytes, Text) -> (Bytes) "func([]uint8, string) []uint8";
    TimeBefore Time "Before" (Time) -> (Bool) "func(time.Time) bool";
    TimeClock Time "Clock" () -> (Int, Int, Int) "func() (int, int, int)";
    TimeCompare Time "Compare" (Time) -> (Int) "func(time.Time) int";
    TimeDate Time "Date" () -> (Int, Month, Int) "func() (int, time.Month, int)";
    TimeDay Time "Day" () -> (Int) "func() int";
    TimeEqual Time "Equal" (Time) -> (Bool) "func(time.Time) bool";
    TimeFormat Time "Format" (Text) -> (Text) "func(string) string";
    TimeHour Time "Hour" () -> (Int) "func() int";
    TimeIsoWeek Time "ISOWeek" () -> (Int, Int) "func() (int, int)";
    TimeIn Time "In" (Zone) -> (Time) "func(*time.Location) time.Time";
    TimeIsDst Time "IsDST" () -> (Bool) "func() bool";
    TimeIsZero Time "IsZero" () -> (Bool) "func() bool";
    TimeLocal Time "Local" () -> (Time) "func() time.Time";
    TimeLocation Time "Location" () -> (Zone) "func() *time.Location";
    TimeMarshalJson Time "MarshalJSON" () -> (Bytes, Error) "func() ([]uint8, error)";
    TimeMarshalText Time "MarshalText" () -> (Bytes, Error) "func() ([]uint8, error)";
    TimeMinute Time "Minute" () -> (Int) "func() int";
    TimeMonth Time "Month" () -> (Month) "func() time.Month";
    TimeNanosecond Time "Nanosecond" () -> (Int) "func() int";
    TimeRound Time "Round" (Duration) -> (Time) "func(time.Duration) time.Time";
    TimeSecond Time "Second" () -> (Int) "func() int";
    TimeString Time "String" () -> (Text) "func() string";
    TimeSub Time "Sub" (Time) -> (Duration) "func(time.Time) time.Duration";
    TimeTruncate Time "Truncate" (Duration) -> (Time) "func(time.Duration) time.Time";
    TimeUtc Time "UTC" () -> (Time) "func() time.Time";
    TimeUnix Time "Unix" () -> (Int64) "func() int64";
    TimeUnixMicro Time "UnixMicro" () -> (Int64) "func() int64";
    TimeUnixMilli Time "UnixMilli" () -> (Int64) "func() int64";
    TimeUnixNano Time "UnixNano" () -> (Int64) "func() int64";
    TimeWeekday Time "Weekday" () -> (Weekday) "func() time.Weekday";
    TimeYear Time "Year" () -> (Int) "func() int";
    TimeYearDay Time "YearDay" () -> (Int) "func() int";
    TimeZone Time "Zone" () -> (Text, Int) "func() (string, int)";
    DurationAbs Duration "Abs" () -> (Duration) "func() time.Duration";
    DurationHours Duration "Hours" () -> (Float) "func() float64";
    DurationMicroseconds Duration "Microseconds" () -> (Int64) "func() int64";
    DurationMilliseconds Duration "Milliseconds" () -> (Int64) "func() int64";
    DurationMinutes Duration "Minutes" () -> (Float) "func() float64";
    DurationNanoseconds Duration "Nanoseconds" () -> (Int64) "func() int64";
    DurationRound Duration "Round" (Duration) -> (Duration) "func(time.Duration) time.Duration";
    DurationSeconds Duration "Seconds" () -> (Float) "func() float64";
    DurationString Duration "String" () -> (Text) "func() string";
    DurationTruncate Duration "Truncate" (Duration) -> (Duration) "func(time.Duration) time.Duration";
    MonthString Month "String" () -> (Text) "func() string";
    WeekdayString Weekday "String" () -> (Text) "func() string";
    ZoneString Zone "String" () -> (Text) "func() string";
}

impl Method {
    /// The types of its arguments.
    pub(super) fn ins(self) -> &'static [Type] {
        self.func_type().ins.get(1..).unwrap_or_default()
    }

    /// Whether upstream calls it without reflection, and then takes nil for no argument at all.
    pub(super) fn is_typed(self) -> bool {
        let [_] = self.func_type().outs else { return false };
        match self.ins() {
            [] => self.func_type().outs != [Zone],
            [Duration | Time] => self != Self::TimeCompare,
            [Text] => true,
            _ => false,
        }
    }
}
