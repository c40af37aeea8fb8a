//! Strings, and what is encoded in them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::text::json_read::parse_json;
use super::super::text::json_write::to_json;
use super::super::text::{case, search};
use super::super::value::{Elem, List, Text, Value};
use super::args::{Answer, Context, arg, invalid, list, text};
use super::table::Builtin;
use crate::expr::error::type_error;
use crate::expr::ops::to_int;
use crate::expr::{ErrorClass, RunError};

pub(super) fn call(builtin: Builtin, args: &[Value], context: &mut Context<'_>) -> Answer {
    use Builtin as B;
    let meter = &mut *context.meter;
    match builtin {
        B::ToJson => Ok(Value::Text(to_json(arg(args, 0)?, true, meter)?.into())),
        B::Join => join(args, context),
        _ => {
            let subject = text(args, 0)?;
            match builtin {
                B::Trim => trim(subject, args, context),
                B::TrimPrefix | B::TrimSuffix => trim_end(builtin, subject, args, context),
                B::Upper | B::Lower => {
                    meter.read(subject.len())?;
                    meter.allocate(2 * subject.len())?;
                    Ok(Value::Text(if builtin == B::Upper { case::upper(subject) } else { case::lower(subject) }))
                }
                B::Split | B::SplitAfter => split(builtin, subject, args, context),
                B::Replace => replace(subject, args, context),
                B::Repeat => repeat(subject, args, context),
                B::IndexOf => position(search::find(subject.as_bytes(), text(args, 1)?.as_bytes(), meter)?),
                B::LastIndexOf => position(search::find_last(subject.as_bytes(), text(args, 1)?.as_bytes(), meter)?),
                B::HasPrefix | B::HasSuffix => {
                    let part = text(args, 1)?.as_bytes();
                    meter.scan(part.len())?;
                    let subject = subject.as_bytes();
                    let holds =
                        if builtin == B::HasPrefix { subject.starts_with(part) } else { subject.ends_with(part) };
                    Ok(Value::Bool(holds))
                }
                B::FromJson => {
                    // Values take far more room than the text that spells them out.
                    meter.allocate(16 * subject.len())?;
                    meter.work(2 * subject.len() as u64)?;
                    parse_json(subject.as_bytes()).or_else(|_| invalid("the string is not JSON"))
                }
                B::ToBase64 => {
                    meter.read(subject.len())?;
                    meter.allocate(2 * subject.len())?;
                    Ok(Value::text(&STANDARD.encode(subject.as_bytes())))
                }
                _ => from_base64(subject, context),
            }
        }
    }
}

fn position(found: Option<usize>) -> Answer {
    Ok(Value::Int(found.map_or(-1, |at| at as i64)))
}

/// A part of a string as a string of its own.
fn part(bytes: &[u8], context: &mut Context<'_>) -> Answer {
    context.meter.allocate(bytes.len())?;
    Ok(Value::Text(Text::from(bytes)))
}

fn trim(subject: &Text, args: &[Value], context: &mut Context<'_>) -> Answer {
    context.meter.read(2 * subject.len())?;
    let set: Option<Vec<char>> = match args {
        [_] => None,
        [_, _] => {
            let set = text(args, 1)?;
            context.meter.read(set.len())?;
            Some(set.runes().map(|(rune, _)| rune).collect())
        }
        _ => return type_error("invalid number of arguments"),
    };
    if let Some(set) = &set {
        context.meter.work((subject.len() as u64).saturating_mul(set.len() as u64) / 8)?;
    }
    let is_trimmed = |rune: char| set.as_ref().map_or_else(|| rune.is_whitespace(), |set| set.contains(&rune));
    let runes: Vec<(char, usize)> = subject.runes().collect();
    let trimmed = |runes: &mut dyn Iterator<Item = &(char, usize)>| -> usize {
        runes.take_while(|(rune, _)| is_trimmed(*rune)).map(|(_, length)| length).sum()
    };
    let start = trimmed(&mut runes.iter());
    let end = subject.len() - trimmed(&mut runes.iter().rev());
    part(subject.as_bytes().get(start..end).unwrap_or_default(), context)
}

fn trim_end(builtin: Builtin, subject: &Text, args: &[Value], context: &mut Context<'_>) -> Answer {
    let end = if args.len() == 2 { text(args, 1)?.as_bytes() } else { b" " };
    let bytes = subject.as_bytes();
    context.meter.scan(end.len())?;
    let rest = if builtin == Builtin::TrimPrefix { bytes.strip_prefix(end) } else { bytes.strip_suffix(end) };
    part(rest.unwrap_or(bytes), context)
}

fn split(builtin: Builtin, subject: &Text, args: &[Value], context: &mut Context<'_>) -> Answer {
    let separator = text(args, 1)?;
    let limit = match args {
        [_, _] => -1,
        [_, _, limit] => to_int(limit)?,
        _ => return type_error("invalid number of arguments"),
    };
    if limit == 0 {
        return Ok(Value::List(List::nil(Elem::Text)));
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let pieces = if separator.is_empty() {
        explode(subject, limit, context)?
    } else {
        search::split(subject.as_bytes(), separator.as_bytes(), limit, context.meter)?
    };
    context.meter.allocate(subject.len() + pieces.len() * 24)?;
    let last = pieces.len().saturating_sub(1);
    let kept = if builtin == Builtin::SplitAfter { separator.as_bytes() } else { b"" };
    let piece = |(index, piece): (usize, &&[u8])| match index < last && !kept.is_empty() {
        true => Value::Text(Text::from([piece, kept].concat())),
        false => Value::Text(Text::from(*piece)),
    };
    Ok(Value::List(List::new(Elem::Text, pieces.iter().enumerate().map(piece).collect())))
}

/// The characters, the last piece being whatever exceeds the limit.
fn explode<'a>(subject: &'a Text, limit: usize, context: &mut Context<'_>) -> Result<Vec<&'a [u8]>, RunError> {
    context.meter.elements(subject.len().min(limit))?;
    context.meter.read(subject.len())?;
    let mut pieces = Vec::new();
    let mut rest = subject.as_bytes();
    for (_, length) in subject.runes() {
        if pieces.len() + 1 == limit {
            break;
        }
        let (piece, after) = rest.split_at(length);
        pieces.push(piece);
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(rest);
    }
    Ok(pieces)
}

fn replace(subject: &Text, args: &[Value], context: &mut Context<'_>) -> Answer {
    let (old, new) = (text(args, 1)?, text(args, 2)?);
    let limit = match args {
        [_, _, _] => -1,
        [_, _, _, limit] => to_int(limit)?,
        _ => return type_error("invalid number of arguments"),
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX - 1);
    let pieces = if old.is_empty() {
        // Before every character, and at the end.
        let mut pieces = vec![&b""[..]];
        pieces.extend(explode(subject, limit.max(1), context)?);
        if pieces.len() <= limit && !subject.is_empty() {
            pieces.push(b"");
        }
        if limit == 0 { vec![subject.as_bytes()] } else { pieces }
    } else {
        search::split(subject.as_bytes(), old.as_bytes(), limit + 1, context.meter)?
    };
    let pieces = if old.is_empty() && subject.is_empty() && limit > 0 { vec![&b""[..], b""] } else { pieces };
    let added = new.len().saturating_mul(pieces.len());
    context.meter.allocate(subject.len().saturating_add(added))?;
    Ok(Value::Text(Text::from(pieces.join(new.as_bytes()))))
}

fn repeat(subject: &Text, args: &[Value], context: &mut Context<'_>) -> Answer {
    let count = to_int(arg(args, 1)?)?;
    let Ok(count) = usize::try_from(count) else { return invalid("the count is negative") };
    if count > 1_000_000 {
        return Err(RunError::new(ErrorClass::Limit, "memory budget exceeded"));
    }
    let size = subject.len().saturating_mul(count);
    context.meter.upstream_elements(size as u64)?;
    context.meter.allocate(size)?;
    Ok(Value::Text(Text::from(subject.as_bytes().repeat(count))))
}

fn join(args: &[Value], context: &mut Context<'_>) -> Answer {
    let items = list(args, 0)?;
    let glue = if args.len() == 2 { text(args, 1)?.as_bytes() } else { b"" };
    if !matches!(items.elem(), Elem::Any | Elem::Text) {
        return type_error("only lists of strings can be joined");
    }
    let mut out = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let Value::Text(item) = item else { return type_error("only strings can be joined") };
        context.meter.allocate(item.len() + glue.len())?;
        if index > 0 {
            out.extend_from_slice(glue);
        }
        out.extend_from_slice(item.as_bytes());
    }
    Ok(Value::Text(Text::from(out)))
}

fn from_base64(subject: &Text, context: &mut Context<'_>) -> Answer {
    context.meter.read(subject.len())?;
    context.meter.allocate(subject.len())?;
    // Line ends are skipped, and the last bits may be anything, as in Go.
    let digits: Vec<u8> = subject.as_bytes().iter().copied().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect();
    match LENIENT.decode(digits) {
        Ok(bytes) => Ok(Value::Text(Text::from(bytes))),
        Err(_) => invalid("the string is not base64"),
    }
}

const LENIENT: base64::engine::GeneralPurpose = base64::engine::GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    base64::engine::GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);
