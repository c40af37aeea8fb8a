//! The recorded verdicts of Kargo's own code.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use super::super::time::format::{month_name, weekday_name};
use super::super::time::format_duration;
use super::super::value::{Key, MapKind};
use super::super::{Budget, CompileBudget, Env, Program, Template, Value, parse_json};
use crate::domain::vectors::{lines, text};

/// A value the way the vectors spell it, except that every float is an object.
fn encoded(value: &Value) -> Json {
    match value {
        Value::Nil => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Int(value) | Value::Int64(value) => json!(value),
        Value::Uint8(value) => json!(value),
        Value::Float(value) => json!({ "$float": format!("{value:?}") }),
        Value::Text(text) => match text.as_str() {
            Some(text) => json!(text),
            None => json!({ "$bytes": STANDARD.encode(text.as_bytes()) }),
        },
        Value::List(list) if list.is_nil() => Json::Null,
        Value::List(list) => list.iter().map(|item| encoded(&item)).collect(),
        Value::Map(map) if map.kind() == MapKind::TextAny => {
            Json::Object(map.entries().map(|(key, value)| (key_text(&key.to_value()), encoded(value))).collect())
        }
        Value::Map(map) => {
            let pair = |(key, value): (_, &Value)| json!([encoded(&Key::to_value(key)), encoded(value)]);
            json!({ "$pairs": map.entries().map(pair).collect::<Vec<_>>() })
        }
        Value::Func(_) => json!({ "$func": true }),
        Value::Time(time) => json!({ "$time": time.rfc3339() }),
        Value::Duration(duration) => json!({ "$duration": format_duration(*duration) }),
        Value::Month(month) => json!({ "$string": month_name(*month) }),
        Value::Weekday(day) => json!({ "$string": weekday_name(*day) }),
        Value::Zone(zone) => json!({ "$string": zone.name() }),
        Value::ZoneValue(_) => json!({}),
    }
}

fn key_text(key: &Value) -> String {
    key.as_str().unwrap_or_default().to_owned()
}

/// The vectors' spelling with every float as an object, and pairs in a definite order.
fn expected(value: &Json) -> Json {
    match value {
        Json::Number(number) if number.is_f64() => json!({ "$float": format!("{:?}", number.as_f64().unwrap()) }),
        Json::Array(items) => items.iter().map(expected).collect(),
        Json::Object(members) => {
            if let Some(special) = members.get("$float").and_then(Json::as_str) {
                let name = match special {
                    "+Inf" => "inf",
                    "-Inf" => "-inf",
                    other => other,
                };
                return json!({ "$float": name });
            }
            Json::Object(members.iter().map(|(key, value)| (key.clone(), expected(value))).collect())
        }
        other => other.clone(),
    }
}

fn normal(mut value: Json) -> Json {
    if let Some(pairs) = value.get_mut("$pairs").and_then(Json::as_array_mut) {
        pairs.sort_by_key(Json::to_string);
    }
    match value {
        Json::Array(items) => items.into_iter().map(normal).collect(),
        Json::Object(members) => members.into_iter().map(|(key, value)| (key, normal(value))).collect(),
        other => other,
    }
}

/// The environment that the first line of a file describes.
fn env_of(line: &Json) -> Env {
    let env = &line["env"];
    let mut builder = Env::builder("2026-11-22T10:00:00Z".parse().unwrap())
        .body(parse_json(env["body"].to_string().as_bytes()).unwrap())
        .query(text(env, "query"));
    for (name, values) in env["headers"].as_object().unwrap() {
        for value in values.as_array().unwrap() {
            builder = builder.header(name, value.as_str().unwrap());
        }
    }
    for (name, value) in env["params"].as_object().unwrap() {
        builder = builder.param(name, value.as_str().unwrap());
    }
    builder.build()
}

/// What is different, if anything.
fn difference(line: &Json, got: Result<Value, String>) -> Option<String> {
    match (line.get("error"), got) {
        (Some(_), Err(_)) => None,
        (Some(error), Ok(value)) => Some(format!("{} instead of {error}", encoded(&value))),
        (None, Err(error)) => Some(format!("{error} instead of {}", line["value"])),
        (None, Ok(value)) => {
            let (got, wanted) = (normal(encoded(&value)), normal(expected(&line["value"])));
            let types = (value.go_type(), text(line, "type"));
            (got != wanted || types.0 != types.1).then(|| format!("{got} {} instead of {wanted} {}", types.0, types.1))
        }
    }
}

fn evaluate(source: &str, env: &Env) -> Result<Value, String> {
    let program = Program::compile(source, &mut CompileBudget::default()).map_err(|error| error.to_string())?;
    program.run(env, &mut Budget::default()).map_err(|error| error.to_string())
}

fn compare(lines: &[Json]) {
    let env = env_of(&lines[0]);
    let mut differences = Vec::new();
    for line in &lines[1..] {
        let (source, got) = match line["template"].as_str() {
            Some(template) => {
                let rendered = Template::parse(template, &mut CompileBudget::default())
                    .and_then(|parsed| parsed.render(&env, &mut Budget::default()));
                (template, rendered.map_err(|error| error.to_string()))
            }
            None => (text(line, "expr"), evaluate(text(line, "expr"), &env)),
        };
        if let Some(difference) = difference(line, got) {
            differences.push(format!("{} {source}\n    {difference}", text(line, "id")));
        }
    }
    let count = lines.len() - 1;
    assert!(count > 0, "no vectors were read");
    assert!(differences.is_empty(), "{} of {count} differ:\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn every_expression_has_the_outcome_that_upstream_has() {
    compare(&lines("expressions"));
}

#[test]
fn every_template_has_the_outcome_that_upstream_has() {
    let all = lines("templates");
    compare(&all);
    let env = env_of(&all[0]);
    for line in &all[1..] {
        let rendered = Template::parse(text(line, "template"), &mut CompileBudget::default())
            .and_then(|parsed| parsed.render_text(&env, &mut Budget::default()));
        assert_eq!(rendered.is_ok(), line["usable"].as_bool().unwrap_or_default(), "{line}");
    }
}
