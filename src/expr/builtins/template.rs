//! Functions that only templates know; Kargo's own.

use super::super::ast::TemplateFunc;
use super::super::text::json_write::to_json;
use super::super::text::quote::quote;
use super::super::text::yaml::to_yaml;
use super::super::value::{Text, Value};
use super::args::{Answer, Context, arg};

/// Calls one of them.
pub(in crate::expr) fn call(func: TemplateFunc, args: &[Value], context: &mut Context<'_>) -> Answer {
    let value = arg(args, 0)?;
    let meter = &mut *context.meter;
    let bytes = match (func, value) {
        (TemplateFunc::Quote, Value::Text(text)) => {
            // Whether a character can be printed is asked of a table.
            meter.work(if text.as_bytes().is_ascii() { 1 } else { 4 } * text.len() as u64)?;
            meter.allocate(4 * text.len())?;
            quote(text.as_bytes()).into_bytes()
        }
        (TemplateFunc::Quote | TemplateFunc::UnsafeQuote, value) => quoted(to_json(value, false, meter)?.as_bytes()),
        (TemplateFunc::AsYaml, value) => quoted(&to_yaml(value, meter)?),
        (TemplateFunc::AsJson, value) => quoted((to_json(value, true, meter)? + "\n").as_bytes()),
    };
    Ok(Value::Text(Text::from(bytes)))
}

/// Between quotes that the template takes off again; nothing is escaped.
fn quoted(bytes: &[u8]) -> Vec<u8> {
    [b"\"", bytes, b"\""].concat()
}
