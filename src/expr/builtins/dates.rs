//! Times, durations and locations.

use super::super::methods::Method;
use super::super::text::quote::quote;
use super::super::time::format::{month_name, weekday_name};
use super::super::time::{Civil, Time, Zone, format_duration, parse, parse_any, parse_duration, round_duration};
use super::super::value::{List, Text, Value};
use super::args::{Answer, Context, arg, invalid, text};
use super::table::Builtin;
use crate::expr::RunError;
use crate::expr::error::type_error;

/// Steps for looking up the rules of a location.
const LOADING: u64 = 50;
/// Steps for what a method does, which is to look into the calendar.
const CALENDAR: u64 = 20;

pub(super) fn call(builtin: Builtin, args: &[Value], context: &mut Context<'_>) -> Answer {
    match builtin {
        Builtin::Now => {
            let zone = match args {
                [] => Zone::default(),
                [Value::Zone(zone)] => zone.clone(),
                _ => return type_error("a location is needed"),
            };
            let (seconds, nanos) = (context.now.as_second(), context.now.subsec_nanosecond());
            Ok(Value::Time(Time::new(seconds, 0, zone).add(i64::from(nanos))))
        }
        Builtin::Duration => {
            let duration = text(args, 0)?.as_bytes();
            context.meter.read(4 * duration.len())?;
            match parse_duration(duration) {
                Some(duration) => Ok(Value::Duration(duration)),
                None => invalid("the string is not a duration"),
            }
        }
        Builtin::Timezone => Ok(Value::Zone(zone(text(args, 0)?, context)?)),
        _ => date(args, context),
    }
}

fn zone(name: &Text, context: &mut Context<'_>) -> Result<Zone, RunError> {
    context.meter.read(name.len())?;
    context.meter.work(LOADING)?;
    name.as_str().and_then(Zone::load).map_or_else(|| invalid("unknown time zone"), Ok)
}

fn date(args: &[Value], context: &mut Context<'_>) -> Answer {
    let (given, args) = match args {
        [Value::Zone(zone), rest @ ..] => (Some(zone.clone()), rest),
        args => (None, args),
    };
    let date = text(args, 0)?;
    context.meter.work(2 * date.len() as u64 + 200)?;
    let found = match args.len() {
        2 => {
            let layout = text(args, 1)?;
            context.meter.work(4 * layout.len() as u64)?;
            parse(layout.as_bytes(), date.as_bytes(), &given.unwrap_or_default())
        }
        3 => {
            let (layout, zone) = (text(args, 1)?, zone(text(args, 2)?, context)?);
            context.meter.work(4 * layout.len() as u64)?;
            parse(layout.as_bytes(), date.as_bytes(), &zone)
        }
        _ => parse_any(date.as_bytes(), &given.unwrap_or_default()),
    };
    found.map_or_else(|| invalid("the string is not a date"), |time| Ok(Value::Time(time)))
}

/// Calls a method. The arguments are of the right types.
pub(in crate::expr) fn call_method(
    receiver: &Value,
    method: Method,
    args: &[Value],
    context: &mut Context<'_>,
) -> Answer {
    context.meter.work(CALENDAR)?;
    match receiver {
        Value::Time(time) => time_method(time, method, args, context),
        Value::Duration(duration) => duration_method(*duration, method, args),
        Value::Month(month) => Ok(Value::text(&month_name(*month))),
        Value::Weekday(day) => Ok(Value::text(&weekday_name(*day))),
        Value::Zone(zone) => Ok(Value::text(zone.name())),
        _ => type_error("no such method"),
    }
}

fn duration_method(duration: i64, method: Method, args: &[Value]) -> Answer {
    use Method as M;
    let unit = || match args.first() {
        Some(Value::Duration(unit)) => Ok(*unit),
        _ => type_error::<i64>("a duration is needed"),
    };
    // Go divides the whole part and the rest separately.
    let parts = |nanos: i64| Value::Float((duration / nanos) as f64 + (duration % nanos) as f64 / nanos as f64);
    Ok(match method {
        M::DurationAbs => Value::Duration(duration.saturating_abs()),
        M::DurationHours => parts(3_600_000_000_000),
        M::DurationMinutes => parts(60_000_000_000),
        M::DurationSeconds => parts(1_000_000_000),
        M::DurationMilliseconds => Value::Int64(duration / 1_000_000),
        M::DurationMicroseconds => Value::Int64(duration / 1_000),
        M::DurationNanoseconds => Value::Int64(duration),
        M::DurationRound => Value::Duration(round_duration(duration, unit()?)),
        M::DurationTruncate => {
            let unit = unit()?;
            Value::Duration(if unit <= 0 { duration } else { duration - duration % unit })
        }
        M::DurationString => Value::text(&format_duration(duration)),
        _ => return type_error("no such method"),
    })
}

fn time_method(time: &Time, method: Method, args: &[Value], context: &mut Context<'_>) -> Answer {
    use Method as M;
    let other = || match args.first() {
        Some(Value::Time(other)) => Ok(other),
        _ => type_error("a time is needed"),
    };
    let by = || match args.first() {
        Some(Value::Duration(duration)) => Ok(*duration),
        _ => type_error::<i64>("a duration is needed"),
    };
    let civil = || time.civil();
    let at_zone = || time.zone().at(time.seconds());
    Ok(match method {
        M::TimeAdd => Value::Time(time.add(by()?)),
        M::TimeAddDate => Value::Time(add_date(time, args)?),
        M::TimeAfter => Value::Bool(time > other()?),
        M::TimeBefore => Value::Bool(time < other()?),
        M::TimeEqual => Value::Bool(time == other()?),
        M::TimeCompare => Value::Int(time.partial_cmp(other()?).map_or(0, |order| order as i64)),
        M::TimeSub => Value::Duration(time.since(other()?)),
        M::TimeRound => Value::Time(time.to_multiple(by()?, true)),
        M::TimeTruncate => Value::Time(time.to_multiple(by()?, false)),
        M::TimeFormat => {
            let layout = text(args, 0)?;
            context.meter.allocate(16 * layout.len())?;
            Value::Text(Text::from(time.format_bytes(layout.as_bytes())))
        }
        M::TimeAppendFormat => {
            let layout = text(args, 1)?;
            context.meter.allocate(16 * layout.len())?;
            let Value::List(start) = arg(args, 0)? else { return type_error("bytes are needed") };
            context.meter.allocate(start.len())?;
            let formatted = time.format_bytes(layout.as_bytes());
            bytes([start.as_bytes().unwrap_or_default(), &formatted].concat())
        }
        M::TimeString => Value::text(&time.go_string()),
        M::TimeMarshalJson => bytes(quote(time.rfc3339().as_bytes()).into_bytes()),
        M::TimeMarshalText => bytes(time.rfc3339().into_bytes()),
        M::TimeDate | M::TimeYear => Value::Int(civil().year),
        M::TimeMonth => Value::Month(civil().month),
        M::TimeDay => Value::Int(civil().day),
        M::TimeYearDay => Value::Int(civil().day_of_year()),
        M::TimeIsoWeek => Value::Int(civil().iso_week().0),
        M::TimeWeekday => Value::Weekday(civil().weekday()),
        M::TimeClock | M::TimeHour => Value::Int(civil().hour),
        M::TimeMinute => Value::Int(civil().minute),
        M::TimeSecond => Value::Int(civil().second),
        M::TimeNanosecond => Value::Int(i64::from(time.nanos())),
        M::TimeUnix => Value::Int64(time.seconds()),
        M::TimeUnixMilli => Value::Int64((time.total_nanos() / 1_000_000) as i64),
        M::TimeUnixMicro => Value::Int64((time.total_nanos() / 1_000) as i64),
        M::TimeUnixNano => Value::Int64(time.total_nanos() as i64),
        M::TimeIn => match args.first() {
            Some(Value::Zone(zone)) => Value::Time(time.in_zone(zone.clone())),
            _ => return type_error("a location is needed"),
        },
        M::TimeUtc | M::TimeLocal => Value::Time(time.in_zone(Zone::default())),
        M::TimeLocation => Value::Zone(time.zone().clone()),
        M::TimeZone => Value::text(&at_zone().abbreviation),
        M::TimeIsDst => Value::Bool(at_zone().is_dst),
        M::TimeIsZero => Value::Bool(time.is_zero()),
        _ => return type_error("no such method"),
    })
}

fn bytes(bytes: Vec<u8>) -> Value {
    Value::List(List::bytes(bytes))
}

fn add_date(time: &Time, args: &[Value]) -> Result<Time, RunError> {
    let [Value::Int(years), Value::Int(months), Value::Int(days)] = args else {
        return type_error("three integers are needed");
    };
    let civil = time.civil();
    let later = Civil {
        year: civil.year.wrapping_add(*years),
        month: civil.month.wrapping_add(*months),
        day: civil.day.wrapping_add(*days),
        ..civil
    };
    Ok(Time::from_civil(&later, time.zone().clone()))
}
